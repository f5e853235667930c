import type { DocumentName } from "../../../protocol/index.ts";
import type { RoomStorage, StoredRow, StoredSize } from "../ports.ts";
import { makeSnapshot } from "./snapshot.ts";
import { intoRows, updatesOf } from "./updates-of-rows.ts";

/** Of one row of a snapshot: what a reader is sent at once. */
const pieceBytes = 128 * 1024;

/** What became of a document's rows. */
export type Compaction =
  | { outcome: "compacted"; before: StoredSize; after: StoredSize; sequence: number }
  /** The rows stay; service goes on from them. */
  | { outcome: "failed"; size: StoredSize; why: string };

/**
 * Replaces the rows of a document by its snapshot, in one transaction, at the sequence of the newest of them: a reader
 * before it gets all of the snapshot, one past it nothing. Undefined where nothing is to be gained.
 */
export function compactDocument(
  storage: RoomStorage,
  { id, name }: { id: number; name: DocumentName },
): Compaction | undefined {
  const rows = [...storage.rowsOf(id)];
  const sequence = rows.at(-1)?.sequence ?? 0;
  // Pieces of one sequence are a snapshot already; a reader may have been told some of them.
  if (rows.length === 0 || (rows.length > 1 && rows[0]?.sequence === sequence)) return undefined;
  const before = sizeOf(rows);
  const clocks = new Map<number, number>();
  // An import states owners before any update.
  for (const { client, clock } of storage.clocks(id)) if (clock > 0) clocks.set(client, clock);
  const updates = rows.flatMap(({ parts }) => [...updatesOf(parts)]);
  const snapshot = makeSnapshot({ name, updates, clocks, bytes: pieceBytes });
  if ("failure" in snapshot) return { outcome: "failed", size: before, why: snapshot.failure };
  const pieces = intoRows(
    id,
    snapshot.updates.map((update) => ({ update })),
    pieceBytes,
  ).map(({ parts }, piece) => ({ sequence, piece, document: id, parts }));
  const after = sizeOf(pieces);
  if (rows.length === 1 && after.bytes >= before.bytes) return undefined;
  storage.commit({ removeRows: [{ document: id, upTo: sequence }], rows: pieces });
  return { outcome: "compacted", before, after, sequence };
}

function sizeOf(rows: readonly StoredRow[]): StoredSize {
  return { rows: rows.length, bytes: rows.reduce((sum, { parts }) => sum + parts.length, 0) };
}
