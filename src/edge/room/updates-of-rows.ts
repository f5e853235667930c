import { concatBytes } from "../../base/index.ts";
import {
  decodeDocumentMessage,
  decodeFrame,
  encodeDocumentMessage,
  encodeFrame,
  maxUpdateBytes,
} from "../../protocol/index.ts";

/** A row leaves room in its frame for a name and a cursor; the largest update with its headers fits one. */
const maxRowBytes = maxUpdateBytes + 64;

/** An update as the part of a frame that readers are sent. */
export function partOf(document: number, update: Uint8Array): Uint8Array {
  return encodeFrame([{ channel: document, payload: encodeDocumentMessage({ type: "update", update }) }]);
}

/** The updates in the parts of a row. */
export function* updatesOf(parts: Uint8Array): Iterable<Uint8Array> {
  for (const { payload } of decodeFrame(parts)) {
    const message = decodeDocumentMessage(payload);
    if (message.type === "update") yield message.update;
  }
}

/** Groups what has parts, in order, into rows of at most so many bytes, or of one part. */
export function intoRows<T extends { part: Uint8Array }>(
  updates: readonly T[],
  rowBytes = maxRowBytes,
): { parts: Uint8Array; updates: T[] }[] {
  const rows: { parts: Uint8Array; updates: T[] }[] = [];
  let run: T[] = [];
  let bytes = 0;
  const close = () => {
    if (run.length > 0) rows.push({ parts: concatBytes(run.map(({ part }) => part)), updates: run });
    run = [];
    bytes = 0;
  };
  for (const update of updates) {
    if (bytes + update.part.length > rowBytes) close();
    run.push(update);
    bytes += update.part.length;
  }
  close();
  return rows;
}
