import { FlockError } from "../../base/index.ts";
import type { StandardSchema } from "../../crdt/index.ts";
import { copyJson, type Json } from "../../protocol/index.ts";

const maxLevels = 32;

/**
 * A value as it would arrive elsewhere: a copy as plain JSON, without fields that are undefined; `undefined` itself stays.
 *
 * @throws `messaging/invalid-content`
 */
export function toPlain(value: unknown, what: string): Json | undefined {
  if (value === undefined) return undefined;
  const copy = copyJson(value, maxLevels, { dropsUndefined: true });
  if (copy !== undefined) return copy;
  throw new FlockError(
    "messaging/invalid-content",
    `${what} is not plain JSON of at most ${maxLevels} levels.`,
  );
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
