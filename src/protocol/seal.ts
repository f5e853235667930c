import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { FlockError } from "../base/index.ts";

/** The content type of a sealed page. */
export const sealContentType = "application/vnd.flockstate.page";

/** Seals a page: its batches exactly as they are stored, each behind its length. The id of a seal is its SHA-256. */
export function encodeSeal(batches: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const encoder = encoding.createEncoder();
  for (const batch of batches) encoding.writeVarUint8Array(encoder, batch);
  return encoding.toUint8Array(encoder) as Uint8Array<ArrayBuffer>;
}

/**
 * The batches of a seal, as views of its bytes.
 *
 * @throws `protocol/malformed-batch`
 */
export function decodeSeal(bytes: Uint8Array): Uint8Array[] {
  const decoder = decoding.createDecoder(bytes);
  const batches: Uint8Array[] = [];
  try {
    while (decoding.hasContent(decoder)) batches.push(decoding.readVarUint8Array(decoder));
  } catch (cause) {
    throw new FlockError("protocol/malformed-batch", "A sealed page does not follow the format.", { cause });
  }
  return batches;
}
