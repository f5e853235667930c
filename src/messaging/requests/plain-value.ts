import { FlockError } from "../../base/index.ts";
import type { StandardSchema } from "../../crdt/index.ts";
import { copyJson, type Json } from "../../protocol/index.ts";

/**
 * A value as it would arrive elsewhere: a copy as plain JSON, without fields that are undefined; `undefined` itself stays.
 *
 * @throws `messaging/invalid-content`
 */
export function toPlain(value: unknown, what: string): Json | undefined {
  if (value === undefined) return undefined;
  const copy = copyJson(value) ?? copyJson(withoutUndefined(value));
  if (copy !== undefined) return copy;
  throw new FlockError("messaging/invalid-content", `${what} is not plain JSON of at most 32 levels.`);
}

/** As far as there can be JSON. */
function withoutUndefined(value: unknown, depth = 32): unknown {
  if (typeof value !== "object" || value === null || depth === 0) return value;
  if (Array.isArray(value)) return value.map((each) => withoutUndefined(each, depth - 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const kept = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(kept.map(([name, field]) => [name, withoutUndefined(field, depth - 1)]));
}

/**
 * The value as a schema gives it, which may take its time.
 *
 * @throws `messaging/invalid-content`, naming the field
 */
export function parsePlain(
  schema: StandardSchema<unknown, unknown>,
  value: Json | undefined,
  what: string,
): unknown {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise
    ? result.then((settled) => outputOf(settled, what))
    : outputOf(result, what);
}

type Result = Awaited<ReturnType<StandardSchema["~standard"]["validate"]>>;

function outputOf(result: Result, what: string): unknown {
  if (!result.issues) return result.value;
  const [issue] = result.issues;
  const path = issue?.path
    ?.map((part) => String(typeof part === "object" && part ? Reflect.get(part, "key") : part))
    .join(".");
  throw new FlockError(
    "messaging/invalid-content",
    `${what} does not fit its schema${path ? ` at ${path}` : ""}: ${issue?.message}.`,
    { details: { path, issues: result.issues.length } },
  );
}
