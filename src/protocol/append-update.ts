import { toUtf8 } from "../base/index.ts";
import { varUintBytes, writeVarUint } from "./frame.ts";
import { pageRoot } from "./gate/index.ts";

// How Yjs says: an item of plain values; and that it follows another.
const valuesItem = 8;
const hasOrigin = 0x80;
// How lib0 says: an array of one element, which is bytes.
const arrayOfBytes = [117, 1, 116];

/**
 * The update that brings a page's batches from a clock on, byte for byte as Yjs encodes what one client pushed to the
 * page's array: a Yjs transaction costs as much as all else about an append together.
 */
export function encodeAppend(
  client: number,
  clock: number,
  batches: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const head = encodeHead(client, clock, batches.length);
  // Without deletions.
  let bytes = head.length + 1;
  for (const { length } of batches) bytes += arrayOfBytes.length + varUintBytes(length) + length;
  const update = new Uint8Array(bytes);
  update.set(head);
  let at = head.length;
  for (const batch of batches) {
    update.set(arrayOfBytes, at);
    at = writeVarUint(update, at + arrayOfBytes.length, batch.length);
    update.set(batch, at);
    at += batch.length;
  }
  return update;
}

/** One struct of one client, and what it follows: the clock before, or nothing in the array of this name. */
function encodeHead(client: number, clock: number, values: number): number[] {
  const head = [1, 1];
  writeVarUint(head, head.length, client);
  writeVarUint(head, head.length, clock);
  if (clock > 0) {
    head.push(valuesItem | hasOrigin);
    writeVarUint(head, head.length, client);
    writeVarUint(head, head.length, clock - 1);
  } else {
    head.push(valuesItem, 1);
    const root = toUtf8(pageRoot);
    writeVarUint(head, head.length, root.length);
    head.push(...root);
  }
  writeVarUint(head, head.length, values);
  return head;
}
