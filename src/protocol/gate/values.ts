import { type Cursor, readByte, readCount, readVarUint, refuse, skipBytes, skipVarInt } from "./cursor.ts";
import { readKey, readText } from "./text.ts";

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

/** Moves past one any-encoded value with at most `maxDepth` arrays and objects within one another. */
export function skipValue(cursor: Cursor, maxDepth: number): void {
  const first = skipScalar(cursor);
  if (first === tag.array || first === tag.object) skipNested(cursor, first, maxDepth);
}

type Container = typeof tag.array | typeof tag.object;

/** Iterative, so that the depth of the input never is the depth of our stack. */
function skipNested(cursor: Cursor, outermost: Container, maxDepth: number): void {
  const kinds: Container[] = [];
  const pending: number[] = [];
  let opened: number = outermost;
  do {
    if (opened === tag.array || opened === tag.object) {
      if (kinds.length >= maxDepth) {
        refuse(cursor, "gate/depth", `A value is nested deeper than ${maxDepth}: flatten it`);
        return;
      }
      kinds.push(opened);
      pending.push(readCount(cursor, opened === tag.object ? 2 : 1));
    }
    while (pending.length > 0 && pending[pending.length - 1] === 0) {
      kinds.pop();
      pending.pop();
    }
    if (kinds.length === 0) return;
    pending[pending.length - 1]!--;
    if (kinds[kinds.length - 1] === tag.object) readKey(cursor);
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
    case tag.array:
    case tag.object:
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
      skipBytes(cursor, readVarUint(cursor));
      break;
    default:
      refuse(cursor, "gate/malformed", `No value begins with the byte ${found}`);
  }
  return found;
}
