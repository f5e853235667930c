import * as encoding from "lib0/encoding";
import { emptyStateVector, encodeDocumentMessage } from "../../../src/protocol/index.ts";
import { clientOf, prepareUpdate } from "../updates.ts";
import { type Messages, type Protocol, prepared } from "./protocol.ts";

/** A writer's messages as y-websocket carries them. */
export function prepareYjsMessages(): Messages {
  return prepared((writer, index) =>
    encodeDocumentMessage({ type: "update", update: prepareUpdate(writer, index, "arrays").update }),
  );
}

/** An awareness update of one client, as y-protocols encodes it. */
export function awarenessMessage(client: number, clock: number): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, 1);
  encoding.writeVarUint(encoder, clientOf(client));
  encoding.writeVarUint(encoder, clock);
  encoding.writeVarString(encoder, JSON.stringify(presenceState(client)));
  return encodeDocumentMessage({ type: "awareness", update: encoding.toUint8Array(encoder) });
}

/** What an editor binding announces of its user. */
export function presenceState(client: number): Record<string, unknown> {
  return { user: { name: `agent ${client}`, color: "#3366cc" }, cursor: { anchor: 10, head: 12 } };
}

/** Stock clients renew their awareness as often. */
export const renewalMs = 15_000;

const [syncMessage, step2] = [0, 1];

/** Relays that speak y-websocket's protocol. */
export function yjsProtocol(name: string, messages: Messages, path: (room: string) => string): Protocol {
  return {
    name,
    path,
    subprotocols: [],
    greet: () => [encodeDocumentMessage({ type: "step1", stateVector: emptyStateVector })],
    isReady: (frame) => frame[0] === syncMessage && frame[1] === step2,
    message: (_, writer, index) => messages(writer, index),
    presence: (_, client) => awarenessMessage(client, 1),
    renewal: { everyMs: renewalMs, frame: (_, client, round) => awarenessMessage(client, round + 2) },
  };
}

/** Broadcasts that read nothing: the same bytes, without any join. */
export function opaqueProtocol(name: string, messages: Messages, path: (room: string) => string): Protocol {
  return {
    name,
    path,
    subprotocols: [],
    greet: () => [],
    isReady: () => true,
    message: (_, writer, index) => messages(writer, index),
    presence: (_, client) => awarenessMessage(client, 1),
  };
}
