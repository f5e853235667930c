import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { FlockError } from "../base/index.ts";

/** The messages that a document's channel carries: y-protocols sync, stock clients' awareness, and one of our own. */
export type DocumentMessage =
  | { type: "step1"; stateVector: Uint8Array }
  | { type: "step2"; update: Uint8Array }
  | { type: "update"; update: Uint8Array }
  | { type: "awareness"; update: Uint8Array }
  | { type: "query-awareness" }
  /** client: the document, a page or register of its own, is to be no more; acknowledged also where there is none. */
  | { type: "drop" };

const syncMessage = 0;
const awarenessMessage = 1;
const queryAwarenessMessage = 3;
/** Far from what y-websocket numbers. */
const dropMessage = 64;
const syncTypes = ["step1", "step2", "update"] as const;

/** An update that holds nothing: no structs, no deletions. */
export const emptyUpdate: Uint8Array = new Uint8Array([0, 0]);
/** The state vector of an empty document. */
export const emptyStateVector: Uint8Array = new Uint8Array([0]);

/** Encodes a message as y-websocket does. */
export function encodeDocumentMessage(message: DocumentMessage): Uint8Array {
  const encoder = encoding.createEncoder();
  switch (message.type) {
    case "awareness":
      encoding.writeVarUint(encoder, awarenessMessage);
      encoding.writeVarUint8Array(encoder, message.update);
      break;
    case "query-awareness":
      encoding.writeVarUint(encoder, queryAwarenessMessage);
      break;
    case "drop":
      encoding.writeVarUint(encoder, dropMessage);
      break;
    default:
      encoding.writeVarUint(encoder, syncMessage);
      encoding.writeVarUint(encoder, syncTypes.indexOf(message.type));
      encoding.writeVarUint8Array(encoder, message.type === "step1" ? message.stateVector : message.update);
  }
  return encoding.toUint8Array(encoder);
}

/**
 * Decodes a y-websocket message; trailing bytes are refused.
 *
 * @throws `protocol/malformed-frame`
 */
export function decodeDocumentMessage(payload: Uint8Array): DocumentMessage {
  const decoder = decoding.createDecoder(payload);
  try {
    const message = read(decoder);
    if (decoding.hasContent(decoder)) throw new RangeError("trailing bytes");
    return message;
  } catch (cause) {
    throw new FlockError("protocol/malformed-frame", "A document message is none that the protocol knows.", {
      cause,
    });
  }
}

function read(decoder: decoding.Decoder): DocumentMessage {
  const kind = decoding.readVarUint(decoder);
  if (kind === awarenessMessage) return { type: "awareness", update: decoding.readVarUint8Array(decoder) };
  if (kind === queryAwarenessMessage) return { type: "query-awareness" };
  if (kind === dropMessage) return { type: "drop" };
  const type = kind === syncMessage ? syncTypes[decoding.readVarUint(decoder)] : undefined;
  if (type === undefined) throw new RangeError(`unknown message ${kind}`);
  const bytes = decoding.readVarUint8Array(decoder);
  return type === "step1" ? { type, stateVector: bytes } : { type, update: bytes };
}

/** The clocks of a state vector, by Yjs client. */
export function decodeClocks(stateVector: Uint8Array): Map<number, number> {
  const decoder = decoding.createDecoder(stateVector);
  const clocks = new Map<number, number>();
  for (let left = decoding.readVarUint(decoder); left > 0; left--) {
    const client = decoding.readVarUint(decoder);
    clocks.set(client, decoding.readVarUint(decoder));
  }
  return clocks;
}

/** The state vector that says these clocks, highest client first as Yjs writes it. */
export function encodeClocks(clocks: ReadonlyMap<number, number>): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, clocks.size);
  for (const [client, clock] of [...clocks].sort((a, b) => b[0] - a[0])) {
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, clock);
  }
  return encoding.toUint8Array(encoder);
}
