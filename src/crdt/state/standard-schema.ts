import { FlockError } from "../../base/index.ts";

/**
 * The part of Standard Schema (standardschema.dev) that state uses; zod, valibot and arktype schemas all fit.
 * Written out here because the specification invites it: no dependency for one interface.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a schema says of a value. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly unknown[] | undefined;
      }[];
    };

/** The type that a schema lets through. */
export type OutputOf<S> = S extends StandardSchema<infer _, infer Output> ? Output : never;

/** The value as the schema gives it, or undefined where it does not fit. */
export function fitting<T>(schema: StandardSchema<unknown, T>, value: unknown): T | undefined {
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise || result.issues) return undefined;
  return result.value;
}

/**
 * The value as the schema gives it.
 *
 * @throws `crdt/invalid-value` where it does not fit, or the schema is asynchronous.
 */
export function parseValue<T>(schema: StandardSchema<unknown, T>, value: unknown, what: string): T {
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise) {
    throw new FlockError(
      "crdt/invalid-value",
      `The schema of ${what} is asynchronous: state needs one that answers at once.`,
    );
  }
  if (!result.issues) return result.value;
  const [issue] = result.issues;
  const path = issue?.path
    ?.map((part) => String(typeof part === "object" && part ? Reflect.get(part, "key") : part))
    .join(".");
  throw new FlockError(
    "crdt/invalid-value",
    `${what} does not fit its schema${path ? ` at ${path}` : ""}: ${issue?.message}.`,
    {
      details: { what, path, issues: result.issues.length },
    },
  );
}
