import { FlockError } from "../../base/index.ts";
import type { OutputOf, StandardSchema } from "../../crdt/index.ts";
import { serviceTypePrefix } from "../../protocol/index.ts";
import { ownPrefix } from "../filter/filter.ts";
import type { ProgressReport } from "./progress.ts";
import type { RequestOptions } from "./request.ts";

/** What a method takes and gives. */
export interface MethodSchemas {
  readonly input: StandardSchema<unknown, unknown>;
  readonly output: StandardSchema<unknown, unknown>;
}

/** Methods that agents offer each other, and their schemas. */
export interface Service<
  Methods extends Readonly<Record<string, MethodSchemas>> = Record<string, MethodSchemas>,
> {
  readonly name: string;
  readonly methods: Methods;
}

/** What a method is told besides its input. */
export interface ServiceContext {
  /** The agent that calls, `principal.agent`. */
  readonly from: string;
  /** Aborts at the deadline, when the call is taken back, and when this agent closes. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch: the deadline. What the method asks in turn ends with it, `{ within: context }`. */
  readonly expiresAt: number;
  /** Tells the caller how far the method has come. */
  progress(report: ProgressReport): void;
}

/** The type that a schema takes. */
export type InputOf<S> = S extends StandardSchema<infer Input, infer _> ? Input : never;

/** What an agent that serves does: each gets the input as its schema gives it. */
export type ServiceHandlers<Methods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends MethodSchemas
    ? (
        input: OutputOf<Methods[Name]["input"]>,
        context: ServiceContext,
      ) => InputOf<Methods[Name]["output"]> | Promise<InputOf<Methods[Name]["output"]>>
    : never;
};

/** The methods of a service that is somewhere else, or here. */
export type ServiceClient<Methods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends MethodSchemas
    ? (
        ...call: undefined extends InputOf<Methods[Name]["input"]>
          ? [input?: InputOf<Methods[Name]["input"]>, options?: RequestOptions]
          : [input: InputOf<Methods[Name]["input"]>, options?: RequestOptions]
      ) => Promise<OutputOf<Methods[Name]["output"]>>
    : never;
};

/** With its prefix it is the type of a message: 64 characters. */
const namePattern = /^[A-Za-z0-9_-]{1,56}$/;
const methodPattern = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/**
 * Defines a service: its name, and the schemas of each method's input and output, by Standard Schema. What travels is
 * the plain JSON before a schema changes it; both ends check it.
 *
 * @throws `messaging/invalid-options`
 * @example
 * ```ts
 * import * as z from "zod";
 *
 * const calculator = defineService("calculator", {
 *   add: { input: z.object({ a: z.number(), b: z.number() }), output: z.number() },
 * });
 * const room = await openRoom("sums");
 * const server = await room.agent("calculator");
 * server.serve(calculator, { add: ({ a, b }) => a + b });
 * const asker = await room.agent("asker");
 * await asker.service(calculator, { to: "calculator" }).add({ a: 1, b: 2 }); // 3
 * await room.close();
 * ```
 */
export function defineService<Methods extends Readonly<Record<string, MethodSchemas>>>(
  name: string,
  methods: Methods,
): Service<Methods> {
  // A client with a method `then` would be taken for a promise.
  const wrong = Object.keys(methods).find(
    (method) => !methodPattern.test(method) || method === "then" || method === "__proto__",
  );
  if (namePattern.test(name) && wrong === undefined)
    return Object.freeze({ name, methods: Object.freeze({ ...methods }) });
  throw new FlockError(
    "messaging/invalid-options",
    wrong === undefined
      ? `A service can't be named ${JSON.stringify(name)}: use 1-56 characters of A-Za-z0-9_-.`
      : `A method can't be named ${JSON.stringify(wrong)}: use 1-64 characters of A-Za-z0-9_, not "then".`,
    { details: { name, ...(wrong !== undefined && { method: wrong }) } },
  );
}

/** The type of the messages that call a service. */
export function serviceType(name: string): string {
  return serviceTypePrefix + name;
}

/** The name of the consumer that takes them. */
export function serviceConsumer(name: string): string {
  return ownPrefix + serviceType(name);
}
