import {
  decodeDocumentMessage,
  decodeFrame,
  maxUpdateBytes,
  updatePartBytes,
  writeUpdatePart,
} from "../../../protocol/index.ts";

/** A row leaves room in its frame for a name and a cursor; the largest update with its headers fits one. */
const maxRowBytes = maxUpdateBytes + 64;

/** The updates in the parts of a row. */
export function* updatesOf(parts: Uint8Array): Iterable<Uint8Array> {
  for (const { payload } of decodeFrame(parts)) {
    const message = decodeDocumentMessage(payload);
    if (message.type === "update") yield message.update;
  }
}

/** Updates as the parts of a frame that readers are sent. */
export interface UpdateRow<T> {
  parts: Uint8Array;
  updates: readonly T[];
  /** Where in `parts` each update's part ends. */
  ends: readonly number[];
}

/** Groups updates of a document, in order, into rows of at most so many bytes, or of one update. */
export function intoRows<T extends { update: Uint8Array }>(
  document: number,
  updates: readonly T[],
  rowBytes = maxRowBytes,
): UpdateRow<T>[] {
  const rows: UpdateRow<T>[] = [];
  let first = 0;
  let ends: number[] = [];
  let bytes = 0;
  const close = (end: number) => {
    if (end > first) rows.push(writeRow(document, updates.slice(first, end), ends));
    first = end;
    ends = [];
    bytes = 0;
  };
  updates.forEach(({ update }, index) => {
    const length = updatePartBytes(document, update.length);
    if (bytes + length > rowBytes) close(index);
    bytes += length;
    ends.push(bytes);
  });
  close(updates.length);
  return rows;
}

function writeRow<T extends { update: Uint8Array }>(
  document: number,
  updates: readonly T[],
  ends: readonly number[],
): UpdateRow<T> {
  const parts = new Uint8Array(ends.at(-1) ?? 0);
  let at = 0;
  for (const { update } of updates) at = writeUpdatePart(parts, at, { channel: document, update });
  return { parts, updates, ends };
}
