import type { GateCode, Refusal } from "./verdict.ts";

/**
 * A position in the bytes, and the first refusal. After a refusal reads give 0 and move nothing,
 * so that readers need not ask after every step, only once in every loop.
 */
export interface Cursor {
  readonly bytes: Uint8Array;
  position: number;
  refusal: Refusal | undefined;
  /** Whatever is nested in what is being read; one for a whole scan, since an update may hold half a million arrays. */
  readonly open: number[];
  /** Arrays, objects and byte strings that were read. */
  containers: number;
}

/** Creates a cursor at the first byte. */
export function createCursor(bytes: Uint8Array): Cursor {
  return { bytes, position: 0, refusal: undefined, open: [], containers: 0 };
}

/** How many bytes are left to read. */
export function bytesLeft(cursor: Cursor): number {
  return cursor.bytes.length - cursor.position;
}

/** Refuses the update; the first refusal stays. Returns 0, for readers to pass on. */
export function refuse(
  cursor: Cursor,
  code: GateCode,
  why: string,
  about?: { client: number; clock: number },
): 0 {
  cursor.refusal ??= { ok: false, code, message: `${why} (at byte ${cursor.position}).`, ...about };
  return 0;
}

/** Refuses for now: the document lacks something of a client, of which it knows the clocks below `known`. */
export function refuseGap(cursor: Cursor, client: number, known: number): 0 {
  const why = `Client ${client} is known up to ${known} only: send from there`;
  return refuse(cursor, "gate/gap", why, { client, clock: known });
}

/** Reads one byte. */
export function readByte(cursor: Cursor): number {
  if (cursor.refusal) return 0;
  if (cursor.position >= cursor.bytes.length) return refuseEnd(cursor);
  return cursor.bytes[cursor.position++]!;
}

/** Reads an unsigned integer of at most 53 bits in lib0's variable length, in its shortest form only. */
export function readVarUint(cursor: Cursor): number {
  const byte = readByte(cursor);
  return byte < 128 ? byte : readVarTail(cursor, byte & 127, 128);
}

/** Moves past a signed integer: six bits and a sign in the first byte, seven in each other. */
export function skipVarInt(cursor: Cursor): void {
  const byte = readByte(cursor);
  if (byte >= 128) readVarTail(cursor, byte & 63, 64);
}

/** Reads how many things follow that take `bytesEach` bytes at least: no count outgrows the bytes left. */
export function readCount(cursor: Cursor, bytesEach: number): number {
  const count = readVarUint(cursor);
  const left = bytesLeft(cursor);
  return count * bytesEach <= left
    ? count
    : refuse(cursor, "gate/bounds", `A count of ${count} does not fit into the ${left} bytes left`);
}

/** Moves past `length` bytes. */
export function skipBytes(cursor: Cursor, length: number): void {
  if (cursor.refusal) return;
  const left = bytesLeft(cursor);
  if (length <= left) cursor.position += length;
  else refuse(cursor, "gate/bounds", `A length of ${length} exceeds the ${left} bytes left`);
}

/** The weight of the eighth byte, the last that a 53-bit integer has. */
const lastScale = 2 ** 49;

function readVarTail(cursor: Cursor, head: number, headScale: number): number {
  const { bytes } = cursor;
  let value = head;
  for (let scale = headScale; scale <= lastScale; scale *= 128) {
    if (cursor.position >= bytes.length) return refuseEnd(cursor);
    const byte = bytes[cursor.position++]!;
    value += (byte & 127) * scale;
    if (byte >= 128) continue;
    if (byte === 0) return refuse(cursor, "gate/not-canonical", "An integer is longer than it need be");
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    break;
  }
  return refuse(cursor, "gate/bounds", "An integer exceeds 53 bits");
}

function refuseEnd(cursor: Cursor): 0 {
  return refuse(cursor, "gate/malformed", "The update ends too early");
}
