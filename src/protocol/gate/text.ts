import { type Cursor, readVarUint, refuse, skipBytes } from "./cursor.ts";

/**
 * The length in UTF-16 units of the UTF-8 between two positions, or -1 where it is not valid. What a fatal
 * `TextDecoder` refuses is refused (RFC 3629: overlong forms, surrogates, anything above U+10FFFF).
 */
export function utf16Length(bytes: Uint8Array, from: number, to: number): number {
  let units = to - from;
  for (let at = from; at < to; at++) {
    const lead = bytes[at]!;
    if (lead < 0x80) continue;
    const more = lead < 0xc2 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : 0;
    if (more === 0 || at + more >= to) return -1;
    const second = bytes[at + 1]!;
    const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (second < lowest || second > highest) return -1;
    for (let next = 2; next <= more; next++) {
      if ((bytes[at + next]! & 0xc0) !== 0x80) return -1;
    }
    at += more;
    // Four bytes are a surrogate pair, two units.
    units -= more === 3 ? 2 : more;
  }
  return units;
}

/** Moves past a string and returns its length in UTF-16 units, by which Yjs counts clocks. */
export function readText(cursor: Cursor): number {
  const length = readVarUint(cursor);
  skipBytes(cursor, length);
  if (cursor.refusal) return 0;
  const units = utf16Length(cursor.bytes, cursor.position - length, cursor.position);
  return units < 0 ? refuse(cursor, "gate/malformed", "A string is not valid UTF-8") : units;
}

/** The one key with a setter: `object[key] = value` replaces the prototype; `constructor` and the like are plain data. */
export const forbiddenKey = "__proto__";

/** Moves past the name of a property, a root type or a format, and tells whether it is the `expected` one. */
export function readKey(cursor: Cursor, expected?: string): boolean {
  const units = readText(cursor);
  if (units === forbiddenKey.length && endsWith(cursor, forbiddenKey)) {
    refuse(cursor, "gate/forbidden-key", `The key ${forbiddenKey} is not allowed: rename it`);
  }
  return expected === undefined || (units === expected.length && endsWith(cursor, expected));
}

/** Compares ASCII only: as many units as bytes. */
function endsWith(cursor: Cursor, ascii: string): boolean {
  const from = cursor.position - ascii.length;
  for (let at = 0; at < ascii.length; at++) {
    if (cursor.bytes[from + at] !== ascii.charCodeAt(at)) return false;
  }
  return true;
}
