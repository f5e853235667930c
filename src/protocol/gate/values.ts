import { type Cursor, readByte, readCount, readVarUint, refuse, skipBytes, skipVarInt } from "./cursor.ts";
import { readKey, readText } from "./text.ts";
import type { GateLimits } from "./verdict.ts";

/** The tags of lib0's any-encoding. */
const tag = {
  bytes: 116,
  array: 117,
  object: 118,
  string: 119,
  true: 120,
  false: 121,
  bigint: 122,
  float64: 123,
  float32: 124,
  integer: 125,
  null: 126,
  undefined: 127,
} as const;

/** Moves past one any-encoded value within the limits of depth and number. */
export function skipValue(cursor: Cursor, { valueDepth, containers }: GateLimits): void {
  const first = skipScalar(cursor);
  if (first === tag.array || first === tag.object) skipNested(cursor, first, valueDepth);
  if (cursor.containers > containers) {
    refuse(
      cursor,
      "gate/bounds",
      `More than ${containers} arrays, objects and byte strings: send by reference`,
    );
  }
}

/** Iterative, so that the depth of the input never is the depth of our stack. */
function skipNested(cursor: Cursor, outermost: number, maxDepth: number): void {
  // Of each open container, twice what is left to read in it, and one more where it is an object.
  const { open } = cursor;
  let opened = outermost;
  do {
    if (opened === tag.array || opened === tag.object) {
      if (open.length >= maxDepth) {
        refuse(cursor, "gate/depth", `A value is nested deeper than ${maxDepth}: flatten it`);
        return;
      }
      const isObject = opened === tag.object ? 1 : 0;
      const count = readCount(cursor, 1 + isObject);
      if (count > 0) open.push(count * 2 + isObject);
    }
    while (open.length > 0 && open[open.length - 1]! < 2) open.pop();
    if (open.length === 0) return;
    open[open.length - 1]! -= 2;
    if ((open[open.length - 1]! & 1) === 1) readKey(cursor);
    opened = skipScalar(cursor);
  } while (!cursor.refusal);
}

/** Reads a tag and, unless it opens an array or object, moves past what follows it. */
function skipScalar(cursor: Cursor): number {
  const found = readByte(cursor);
  switch (found) {
    case tag.undefined:
    case tag.null:
    case tag.true:
    case tag.false:
      break;
    case tag.array:
    case tag.object:
      cursor.containers++;
      break;
    case tag.integer:
      skipVarInt(cursor);
      break;
    case tag.float32:
      skipBytes(cursor, 4);
      break;
    case tag.float64:
    case tag.bigint:
      skipBytes(cursor, 8);
      break;
    case tag.string:
      readText(cursor);
      break;
    case tag.bytes:
      cursor.containers++;
      skipBytes(cursor, readVarUint(cursor));
      break;
    default:
      refuse(cursor, "gate/malformed", `No value begins with the byte ${found}`);
  }
  return found;
}
