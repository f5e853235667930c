/** A value that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json };

const maxDepth = 32;

/**
 * Parses JSON from elsewhere: undefined where it does not parse, nests past `depth`, or has a `__proto__` key.
 * (`JSON.parse` makes such a key a plain property; spreading the object later would set a prototype.)
 */
export function parseJson(text: string, depth = maxDepth): Json | undefined {
  try {
    const value = JSON.parse(text) as Json;
    // A key may be spelled with escapes.
    const mayHaveProto = text.includes("__proto__") || text.includes("\\u");
    return isTame(value, depth, mayHaveProto) ? value : undefined;
  } catch {
    // A text that is no JSON is the caller's case to report, with its own code.
    return undefined;
  }
}

/** Tells whether a value is JSON of at most `depth` levels: no functions, class instances, `undefined`, NaN or `__proto__` keys. */
export function isJson(value: unknown, depth = maxDepth): value is Json {
  return isPlainJson(value, depth);
}

/**
 * A copy of plain JSON, equal to what its text parses to and no object of the caller's; undefined for anything else, and
 * past `depth` levels. With `dropsUndefined`, fields that are undefined are left out, as `JSON.stringify` does.
 */
export function copyJson(
  value: unknown,
  depth = maxDepth,
  options?: { readonly dropsUndefined: boolean },
): Json | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? withoutMinusZero(value) : undefined;
  if (typeof value !== "object" || value === null) return isPlainJson(value, depth) ? value : undefined;
  if (depth === 0) return undefined;
  if (Array.isArray(value)) {
    const elements: Json[] = [];
    for (const element of value) {
      const copied = copyJson(element, depth - 1, options);
      if (copied === undefined) return undefined;
      elements.push(copied);
    }
    return elements;
  }
  if (!isPlainObject(value)) return undefined;
  const copy: Record<string, Json> = {};
  for (const key of Object.keys(value)) {
    const field = value[key];
    const copied = key === "__proto__" ? undefined : copyJson(field, depth - 1, options);
    if (copied === undefined) {
      if (field === undefined && options?.dropsUndefined) continue;
      return undefined;
    }
    copy[key] = copied;
  }
  return copy;
}

/** Freezes plain JSON with all that is in it, and returns it. What is frozen already is taken to be so throughout. */
export function freezeJson<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  if (Array.isArray(value)) for (const element of value) freezeJson(element);
  else for (const key in value) freezeJson(value[key]);
  return Object.freeze(value);
}

/** JSON has no sign on zero. */
function withoutMinusZero(value: number): number {
  return value + 0;
}

function isPlainObject(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isPlainJson(value: unknown, depth: number): value is Json {
  if (value === null || typeof value === "boolean" || typeof value === "string") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || depth === 0) return false;
  if (Array.isArray(value)) {
    for (const element of value) if (!isPlainJson(element, depth - 1)) return false;
    return true;
  }
  if (!isPlainObject(value)) return false;
  for (const key of Object.keys(value)) {
    if (key === "__proto__" || !isPlainJson(value[key], depth - 1)) return false;
  }
  return true;
}

/** Whether what `JSON.parse` made nests at most so deep, and has no `__proto__` key. */
function isTame(value: Json, depth: number, mayHaveProto: boolean): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (depth === 0) return false;
  if (Array.isArray(value)) {
    for (const element of value) {
      if (typeof element === "object" && !isTame(element, depth - 1, mayHaveProto)) return false;
    }
    return true;
  }
  for (const key in value) {
    if (mayHaveProto && key === "__proto__") return false;
    const inner = (value as JsonObject)[key];
    if (typeof inner === "object" && !isTame(inner, depth - 1, mayHaveProto)) return false;
  }
  return true;
}
