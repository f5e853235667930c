import { concatBytes } from "../../../base/index.ts";
import type { StoredRow } from "../ports.ts";
import { type NamingRoom, nameOf } from "../sockets/names.ts";
import { controlPart } from "../sockets/parts.ts";
import type { RoomSession } from "../sockets/session.ts";

/** What one reader is sent of rows before it is the next one's turn, in bytes: more only where one row is. */
export const chunkBytes = 256 * 1024;
/** Rows of one chunk: with as many names, which are 256 bytes at most, it still fits a frame. */
const maxChunkRows = 2_000;

/** How far a reader has been told. */
export interface Told {
  upTo: number;
  /** The last row that it was told of a sequence which has more. */
  midway: { sequence: number; piece: number } | undefined;
}

/** A run of rows that is told in one frame, and what readers have been told after it. */
export interface Chunk {
  readonly rows: readonly StoredRow[];
  /** Of the rows. */
  readonly bytes: number;
  readonly documents: readonly number[];
  /** Whether it ends where there were more rows, not where there were none. */
  readonly isFull: boolean;
  readonly from: Told;
  readonly to: Told;
  /** Its frames so far, by the documents that they name. */
  readonly frames: Map<string, Uint8Array>;
}

/**
 * Takes rows from an iterator up to a number of bytes; the first row goes alone where it is more, if that is allowed.
 * Undefined where not even one fits. After the last row a reader has been told up to `head`.
 */
export function takeChunk(
  rows: Iterable<StoredRow>,
  from: Told,
  { bytes: limit, head, mayExceed }: { bytes: number; head: number; mayExceed: boolean },
): Chunk | undefined {
  const taken: StoredRow[] = [];
  let bytes = 0;
  let next: StoredRow | undefined;
  for (const row of rows) {
    if (isTold(row, from)) continue;
    const isAlone = taken.length === 0 && mayExceed;
    if (taken.length === maxChunkRows || (bytes + row.parts.length > limit && !isAlone)) {
      next = row;
      break;
    }
    taken.push(row);
    bytes += row.parts.length;
  }
  if (next && taken.length === 0) return undefined;
  const documents = [...new Set(taken.map(({ document }) => document))];
  const to = toldBy(taken, from, { next, head });
  return { rows: taken, bytes, documents, isFull: next !== undefined, from, to, frames: new Map() };
}

/** The rows of a turn as chunks, in order. */
export function toChunks(
  rows: readonly StoredRow[],
  { before, head }: { before: number; head: number },
): Chunk[] {
  const chunks: Chunk[] = [];
  for (let from: Told = { upTo: before, midway: undefined }; from.upTo < head; ) {
    const chunk = takeChunk(rows, from, { bytes: chunkBytes, head, mayExceed: true });
    if (!chunk) break;
    chunks.push(chunk);
    from = chunk.to;
  }
  return chunks;
}

function isTold({ sequence, piece }: StoredRow, { upTo, midway }: Told): boolean {
  return sequence <= upTo || (sequence === midway?.sequence && piece <= midway.piece);
}

/** No sequence of which a piece is to come has been told. */
function toldBy(
  rows: readonly StoredRow[],
  from: Told,
  { next, head }: { next: StoredRow | undefined; head: number },
): Told {
  const last = rows.at(-1);
  if (!next || !last) return { upTo: head, midway: undefined };
  if (next.sequence !== last.sequence) return { upTo: last.sequence, midway: undefined };
  const whole = rows.findLast(({ sequence }) => sequence < last.sequence);
  return { upTo: whole?.sequence ?? from.upTo, midway: { sequence: last.sequence, piece: last.piece } };
}

/** The parts of a chunk's frame: names that the reader lacks, rows, and the cursor where there is a later one. */
export function partsOf(room: NamingRoom, chunk: Chunk, unnamed: readonly number[]): Uint8Array[] {
  const parts = unnamed.flatMap((document) => nameOf(room, document));
  for (const row of chunk.rows) parts.push(row.parts);
  const { from, to } = chunk;
  const isNews = to.upTo !== from.upTo || chunk.rows.length === 0;
  return isNews ? [...parts, controlPart({ type: "cursor", sequence: to.upTo })] : parts;
}

/** The frame of a chunk: the very same for all readers that lack the same names. */
export function frameOf(room: NamingRoom, chunk: Chunk, unnamed: readonly number[]): Uint8Array {
  const key = unnamed.join();
  const known = chunk.frames.get(key);
  if (known) return known;
  const frame = concatBytes(partsOf(room, chunk, unnamed));
  chunk.frames.set(key, frame);
  return frame;
}

/** The documents of a chunk whose names a socket was not sent yet. */
export function unnamedOf({ named }: RoomSession, documents: readonly number[]): readonly number[] {
  return documents.filter((document) => !named.has(document));
}
