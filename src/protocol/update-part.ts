import { partBytes, varUintBytes, writeVarUint } from "./frame.ts";

/** Sync, update: what `encodeDocumentMessage` writes before an update. */
const messageHead = [0, 2] as const;

function messageBytes(updateBytes: number): number {
  return messageHead.length + varUintBytes(updateBytes) + updateBytes;
}

/** The bytes that an update takes in a frame, as the part of its document's channel. */
export function updatePartBytes(channel: number, updateBytes: number): number {
  return partBytes(channel, messageBytes(updateBytes));
}

/** Writes an update as the part of its document's channel, and returns the offset after it. */
export function writeUpdatePart(
  into: Uint8Array,
  offset: number,
  { channel, update }: { channel: number; update: Uint8Array },
): number {
  let at = writeVarUint(into, offset, channel);
  at = writeVarUint(into, at, messageBytes(update.length));
  into.set(messageHead, at);
  at = writeVarUint(into, at + messageHead.length, update.length);
  into.set(update, at);
  return at + update.length;
}
