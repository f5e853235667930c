import { toUtf8 } from "../base/index.ts";

/** Text whose JSON is itself between quotes. */
const plain = /^[ !#-[\]-~]*$/;
const quotes = 2;

/**
 * The bytes that plain JSON takes as text, without making the text; undefined for anything else, and past `depth` levels,
 * as `isJson` says.
 */
export function jsonBytes(value: unknown, depth = 32): number | undefined {
  const bytes = measure(value, depth);
  return bytes < 0 ? undefined : bytes;
}

/** Negative where the value is no plain JSON. */
function measure(value: unknown, depth: number): number {
  switch (typeof value) {
    case "string":
      return textBytes(value);
    case "number":
      return Number.isFinite(value) ? String(value).length : -1;
    case "boolean":
      return value ? 4 : 5;
    case "object":
      if (value === null) return 4;
      if (depth === 0) return -1;
      return Array.isArray(value) ? listBytes(value, depth) : objectBytes(value, depth);
    default:
      return -1;
  }
}

function textBytes(text: string): number {
  return (plain.test(text) ? text.length : toUtf8(JSON.stringify(text)).length - quotes) + quotes;
}

function listBytes(list: readonly unknown[], depth: number): number {
  let bytes = 2 + Math.max(0, list.length - 1);
  for (const element of list) {
    const each = measure(element, depth - 1);
    if (each < 0) return -1;
    bytes += each;
  }
  return bytes;
}

function objectBytes(object: object, depth: number): number {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) return -1;
  const keys = Object.keys(object);
  let bytes = 2 + Math.max(0, keys.length - 1);
  for (const key of keys) {
    const each = key === "__proto__" ? -1 : measure((object as Record<string, unknown>)[key], depth - 1);
    if (each < 0) return -1;
    bytes += textBytes(key) + 1 + each;
  }
  return bytes;
}
