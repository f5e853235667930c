import { type Cursor, readVarUint, refuse, skipBytes } from "./cursor.ts";
import { forbiddenKey } from "./text.ts";

/** As lib0 decodes: a byte order mark stays, and `JSON.parse` refuses it. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Moves past a string that holds JSON, as Yjs writes embeds and formats in V1. */
export function skipJson(cursor: Cursor, maxDepth: number): void {
  const length = readVarUint(cursor);
  skipBytes(cursor, length);
  if (cursor.refusal) return;
  const text = cursor.bytes.subarray(cursor.position - length, cursor.position);
  if (isDeeper(text, maxDepth)) {
    refuse(cursor, "gate/depth", `A JSON value is nested deeper than ${maxDepth}: flatten it`);
    return;
  }
  try {
    checkValue(cursor, JSON.parse(decoder.decode(text)));
  } catch {
    // The engine's message quotes contents: it must not reach a log.
    refuse(cursor, "gate/malformed", "An embed or a format is not valid JSON");
  }
}

const quote = 0x22;
const backslash = 0x5c;
const opening = 0x7b;
const closing = 0x7d;
/** "[" and "]" differ from "{" and "}" in this bit only. */
const braceBit = 0x20;

/** Counts brackets outside strings before anything is parsed: an engine's parser may recurse. */
function isDeeper(text: Uint8Array, maxDepth: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]!;
    if (quoted) {
      if (byte === backslash) at++;
      else if (byte === quote) quoted = false;
    } else if (byte === quote) quoted = true;
    else if ((byte | braceBit) === opening && ++depth > maxDepth) return true;
    else if ((byte | braceBit) === closing) depth--;
  }
  return false;
}

/** Refuses forbidden keys, and numbers that overflow: they would be written back as null. */
function checkValue(cursor: Cursor, parsed: unknown): void {
  const pending = [parsed];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value === "number" && !Number.isFinite(value)) {
      refuse(cursor, "gate/malformed", "A number in an embed or a format is too large for JSON");
    }
    if (typeof value !== "object" || value === null) continue;
    if (Object.hasOwn(value, forbiddenKey)) {
      refuse(cursor, "gate/forbidden-key", `The key ${forbiddenKey} is not allowed: rename it`);
    }
    for (const inner of Object.values(value)) pending.push(inner);
  }
}
