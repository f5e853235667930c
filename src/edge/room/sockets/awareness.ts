import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { FlockError } from "../../../base/index.ts";

/** One client's state in an awareness update of y-protocols; the text `null` says that it left. */
export interface AwarenessEntry {
  client: number;
  clock: number;
  /** JSON text. */
  state: string;
}

/** Encodes an awareness update as y-protocols does, whose own code would bring Yjs along. */
export function encodeAwareness(entries: readonly AwarenessEntry[]): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, entries.length);
  for (const { client, clock, state } of entries) {
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, clock);
    encoding.writeVarString(encoder, state);
  }
  return encoding.toUint8Array(encoder);
}

/**
 * Decodes an awareness update. The states stay text.
 *
 * @throws `protocol/malformed-frame`
 */
export function decodeAwareness(update: Uint8Array): AwarenessEntry[] {
  const decoder = decoding.createDecoder(update);
  const entries: AwarenessEntry[] = [];
  try {
    for (let left = decoding.readVarUint(decoder); left > 0; left--) {
      const client = decoding.readVarUint(decoder);
      const clock = decoding.readVarUint(decoder);
      entries.push({ client, clock, state: decoding.readVarString(decoder) });
    }
    return entries;
  } catch (cause) {
    throw new FlockError("protocol/malformed-frame", "An awareness update does not follow the grammar.", {
      cause,
    });
  }
}
