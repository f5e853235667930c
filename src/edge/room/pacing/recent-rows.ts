import type { StoredRow } from "../ports.ts";

/** Of rows in memory, in bytes ... */
const maxBytes = 4 * 1024 * 1024;
/** ... of which each counts for this much more. */
const rowCost = 256;

/**
 * The newest rows, so that readers who lag a little are not told from storage.
 */
export interface RecentRows {
  /** Adds the rows of a turn; `before` is the sequence that it followed. */
  add(before: number, rows: readonly StoredRow[]): void;
  /** Every row after a sequence; undefined where some of them are not here. */
  after(sequence: number): Iterable<StoredRow> | undefined;
  /** Forgets the rows up to a sequence. */
  drop(upTo: number): void;
  clear(): void;
}

/** Creates it empty. */
export function createRecentRows(): RecentRows {
  let rows: StoredRow[] = [];
  let bytes = 0;
  /** The sequence before the first row, and that of the last one. */
  let start = 0;
  let end = -1;

  function clear(): void {
    rows = [];
    bytes = 0;
    end = -1;
  }

  function remove(count: number): void {
    if (count <= 0) return;
    for (const row of rows.splice(0, count)) bytes -= costOf(row);
    start += count;
  }

  function* from(sequence: number): Iterable<StoredRow> {
    for (let index = sequence - start; index < rows.length; index++) yield rows[index] as StoredRow;
  }

  return {
    add(before, more) {
      if (end !== before) {
        clear();
        start = before;
      }
      for (const { sequence, piece, document, parts } of more) {
        rows.push({ sequence, piece, document, parts });
        bytes += costOf(rows.at(-1));
        end = sequence;
      }
      let surplus = bytes - maxBytes;
      let first = 0;
      for (; surplus > 0; first++) surplus -= costOf(rows[first]);
      remove(first);
    },
    drop: (upTo) => remove(Math.min(rows.length, upTo - start)),
    // Sequences of turns follow each other without a gap.
    after: (sequence) => (end >= 0 && sequence >= start ? from(sequence) : undefined),
    clear,
  };
}

function costOf(row: StoredRow | undefined): number {
  return row ? row.parts.length + rowCost : 0;
}
