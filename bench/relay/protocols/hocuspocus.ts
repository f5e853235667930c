import * as encoding from "lib0/encoding";
import { emptyStateVector, encodeDocumentMessage } from "../../../src/protocol/index.ts";
import { type Protocol, prepared } from "./protocol.ts";
import { awarenessMessage, prepareYjsMessages, renewalMs } from "./yjs.ts";

const authMessage = 2;
const [syncMessage, step2] = [0, 1];
/** Names of rooms are padded to it, so that a frame is prepared for any room. */
const nameBytes = 16;

/** Hocuspocus: each message behind the name of its document. */
export function hocuspocusProtocol(name: string): Protocol {
  const yjsMessages = prepareYjsMessages();
  const messages = prepared((writer, index) => addressed("", yjsMessages(writer, index)));
  const names = new Map<string, Uint8Array>();

  function nameOf(room: string): Uint8Array {
    const known = names.get(room) ?? toName(room);
    names.set(room, known);
    return known;
  }

  return {
    name,
    path: () => "/",
    subprotocols: [],
    greet: (room) => [
      addressed(room, authentication()),
      addressed(room, encodeDocumentMessage({ type: "step1", stateVector: emptyStateVector })),
    ],
    isReady: (frame) => frame[1 + nameBytes] === syncMessage && frame[2 + nameBytes] === step2,
    message(room, writer, index) {
      const frame = messages(writer, index);
      frame.set(nameOf(room), 1);
      return frame;
    },
    presence: (room, client) => addressed(room, awarenessMessage(client, 1)),
    renewal: {
      everyMs: renewalMs,
      frame: (room, client, round) => addressed(room, awarenessMessage(client, round + 2)),
    },
  };
}

function toName(room: string): Uint8Array {
  return Buffer.from(room.padEnd(nameBytes, "-"));
}

function addressed(room: string, payload: Uint8Array): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint8Array(encoder, toName(room));
  encoding.writeUint8Array(encoder, payload);
  return encoding.toUint8Array(encoder);
}

function authentication(): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, authMessage);
  encoding.writeVarUint(encoder, 0);
  encoding.writeVarString(encoder, "");
  return encoding.toUint8Array(encoder);
}
