import { FlockError } from "../../base/index.ts";
import type { StandardResult, StandardSchema } from "../../crdt/index.ts";
import { copyJson, type Json, type JsonObject } from "../../protocol/index.ts";
import type { ReceivedMessage } from "./message.ts";
import type { WrittenContent } from "./outgoing.ts";

/** How messages of a type that several versions of an application wrote are read and sent. */
export interface MessageEvolution<Output> {
  /** Makes content out of that of an earlier version, `from`; a pure function, whose result the schema checks. */
  upgrade?(content: Json | Uint8Array, from: number): unknown;
  /** The fields by which earlier versions know the content, sent beside its own where it is an object. */
  downgrade?(content: Output): JsonObject;
}

/** The schema of a type's content. */
export interface ContentSchema<Input = unknown, Output = unknown> extends MessageEvolution<Output> {
  readonly type: string;
  readonly schema: StandardSchema<Input, Output>;
  readonly version: number;
}

/**
 * The content to send: what the schema makes of it. It goes through the schema once more where that changed it, because
 * readers have nothing else.
 *
 * @throws `messaging/invalid-content`
 */
export function writeContent(
  definition: ContentSchema,
  content: Json | Uint8Array,
): WrittenContent | Promise<WrittenContent> {
  const { version } = definition;
  // A copy, because an asynchronous schema looks at it while its sender goes on.
  const given = content instanceof Uint8Array ? content.slice() : (copyJson(content) ?? content);
  return after(validated(definition, given), (result) => {
    const output = outputOf(definition, result);
    const sent = { content: wireOf(definition, output), ...(version > 1 && { version }) };
    if (isUnchanged(sent.content, given)) return sent;
    return after(validated(definition, sent.content), (again) => {
      if (!again.issues) return sent;
      throw invalidContent(definition, "", "what its schema makes of it does not fit the schema itself");
    });
  });
}

/**
 * A received message with its content as the schema of this version has it: of an earlier version what `upgrade` makes
 * of it, of a later one as it stands.
 *
 * @throws `messaging/invalid-content`
 */
export function readContent(
  definition: ContentSchema,
  message: ReceivedMessage,
): ReceivedMessage | Promise<ReceivedMessage> {
  const { version } = definition;
  const from = message.contentVersion ?? 1;
  return after(validated(definition, upgraded(definition, message.content, from)), (result) => {
    const content = outputOf(definition, result, { id: message.id, from }) as Json | Uint8Array;
    return { ...message, content, ...(version !== from && { contentVersion: version }) };
  });
}

function upgraded(definition: ContentSchema, content: Json | Uint8Array, from: number): unknown {
  if (from >= definition.version || !definition.upgrade) return content;
  return applied(definition, "upgrade", () => definition.upgrade?.(content, from));
}

/** What a result stands for, as it travels. */
function wireOf(definition: ContentSchema, output: unknown): Json | Uint8Array {
  if (output instanceof Uint8Array) return output;
  const json = copyJson(output);
  if (json === undefined) {
    throw invalidContent(definition, "", "what its schema makes of it is neither plain JSON nor bytes");
  }
  if (!definition.downgrade || typeof json !== "object" || json === null || Array.isArray(json)) return json;
  return { ...applied(definition, "downgrade", () => definition.downgrade?.(output)), ...json };
}

/** What the schema says of content; a function in it may throw, as one that parses what is not to be parsed. */
function validated(
  definition: ContentSchema,
  content: unknown,
): StandardResult<unknown> | Promise<StandardResult<unknown>> {
  const result = applied(definition, "schema", () => definition.schema["~standard"].validate(content));
  if (!(result instanceof Promise)) return result;
  return result.catch((cause: unknown) => {
    throw invalidContent(definition, "", "its schema threw", { cause });
  });
}

/** Whether what is sent is what was given; of bytes, their text would be several times as long. */
function isUnchanged(sent: Json | Uint8Array, given: unknown): boolean {
  if (sent === given) return true;
  return !(sent instanceof Uint8Array) && JSON.stringify(sent) === JSON.stringify(given);
}

/** What an application's function makes of content. */
function applied<T>(definition: ContentSchema, what: "schema" | "upgrade" | "downgrade", make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw invalidContent(definition, "", `its ${what} threw`, { cause });
  }
}

function outputOf(
  definition: ContentSchema,
  { issues: [issue] = [], ...result }: StandardResult<unknown> | { issues?: undefined; value: unknown },
  details: object = {},
): unknown {
  if (!issue) return (result as { value: unknown }).value;
  const path = (issue.path ?? [])
    .map((part) => String(typeof part === "object" && part ? Reflect.get(part, "key") : part))
    .join(".");
  throw invalidContent(definition, path, issue.message, { details });
}

function invalidContent(
  { type, version }: ContentSchema,
  path: string,
  why: string,
  { cause, details = {} }: { cause?: unknown; details?: object } = {},
): FlockError {
  return new FlockError(
    "messaging/invalid-content",
    `The content of a message does not fit version ${version} of ${type}${path ? ` at ${path}` : ""}: ${why}.`,
    { cause, details: { type, version, path, ...details } },
  );
}

/** Goes on at once where nothing has to be waited for. */
function after<T, U>(value: T | Promise<T>, next: (value: T) => U | Promise<U>): U | Promise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
