import { isJson, type Json, type JsonObject } from "../../protocol/index.ts";
import { fitting, type StandardSchema } from "./standard-schema.ts";

/** How values that several versions of an application wrote live side by side. Nothing is rewritten until it is set. */
export interface Evolution<T> {
  /** Makes a value out of what an earlier version stored; a pure function, whose result the schema checks. */
  upgrade?: (stored: JsonObject) => unknown;
  /**
   * The fields by which earlier versions know a value, stored beside its own. Where one of them has been changed since,
   * an earlier version wrote last, and `upgrade` makes the value anew.
   */
  downgrade?: (value: T) => JsonObject;
}

/** What a stored value is by the schema of this version; undefined where it can't be read. */
export function readEvolved<T>(
  schema: StandardSchema<unknown, T>,
  stored: Json,
  { upgrade, downgrade }: Evolution<T>,
): T | undefined {
  const value = fitting(schema, stored);
  if (!upgrade || !isObject(stored)) return value;
  if (value !== undefined && !(downgrade && isChangedSince(stored, downgrade(value)))) return value;
  return (
    fitting(
      schema,
      attempt(() => upgrade(stored)),
    ) ?? value
  );
}

/** What to store for a value, over what is stored: fields that only other versions know stay as they are. */
export function writeEvolved<T>(
  schema: StandardSchema<unknown, T>,
  { value, json, over }: { value: T; json: Json; over: Json | undefined },
  { downgrade }: Evolution<T>,
): Json {
  if (!isObject(json)) return json;
  const known = over !== undefined && isObject(over) ? fitting(schema, over) : undefined;
  const kept = isObject(over) && isRecord(known) ? without(over, known) : {};
  return { ...kept, ...downgrade?.(value), ...json };
}

function isChangedSince(stored: JsonObject, fields: JsonObject): boolean {
  return Object.entries(fields).some(([field, value]) => {
    const now = stored[field];
    return now !== undefined && JSON.stringify(now) !== JSON.stringify(value);
  });
}

function without(stored: JsonObject, known: object): JsonObject {
  return Object.fromEntries(Object.entries(stored).filter(([field]) => !Object.hasOwn(known, field)));
}

/** What an application's function makes of foreign data; one that throws could make nothing of it. */
function attempt(make: () => unknown): unknown {
  try {
    return make();
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isObject(value: Json | undefined): value is JsonObject {
  return isRecord(value) && isJson(value);
}
