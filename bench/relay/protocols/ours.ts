import * as decoding from "lib0/decoding";
import {
  encodeControl,
  encodeDocumentMessage,
  encodeFrame,
  laneName,
  protocolVersion,
  roomSubprotocol,
  sharedName,
} from "../../../src/protocol/index.ts";
import { clientOf, prepareUpdate } from "../updates.ts";
import { type Messages, type Protocol, prepared } from "./protocol.ts";
import { presenceState } from "./yjs.ts";

/** Where our link's channels of documents without a number begin. */
const localChannel = 2 ** 30;
/** Our link asks for a sign of life in the quiet as often. */
const pingMs = 20_000;

function control(message: Parameters<typeof encodeControl>[0]): { channel: number; payload: Uint8Array } {
  return { channel: 0, payload: encodeControl(message) };
}

/** The frame that our link sends for a message of a writer: the document's name, the update, the mark. */
function framed(name: string, update: Uint8Array, mark: number): Uint8Array {
  return encodeFrame([
    control({ type: "name", channel: localChannel, name }),
    { channel: localChannel, payload: encodeDocumentMessage({ type: "update", update }) },
    control({ type: "mark", number: mark }),
  ]);
}

/** The writer of a client, of the principal that has no token. */
function writerId(writer: number): string {
  return `anon.bench.${String(writer).padStart(11, "0")}`;
}

const laneFrame: Messages = (writer, index) => {
  const { page, update } = prepareUpdate(writer, index, "pages");
  return framed(laneName(writerId(writer), { number: page, client: clientOf(writer) }), update, index + 1);
};

const sharedFrame: Messages = (writer, index) =>
  framed(sharedName(), prepareUpdate(writer, index, "arrays").update, index + 1);

/** Our relay's room socket: each writer in a lane of its own, or all in one shared document. */
export function ourProtocol(name: string, documents: "lanes" | "shared"): Protocol {
  const messages = prepared(documents === "lanes" ? laneFrame : sharedFrame);
  return {
    name,
    path: (room) => `/v1/rooms/${room}/socket`,
    subprotocols: [roomSubprotocol],
    greet: () => [encodeFrame([control({ type: "join", version: protocolVersion, epoch: "", sequence: 0 })])],
    isReady: (frame) => hasJoined(frame),
    credit: (bytes) => encodeFrame([control({ type: "credit", bytes })]),
    message: (_, writer, index) => messages(writer, index),
    presence: (_, client) => encodeFrame([control({ type: "presence", state: ourPresence(client) })]),
    renewal: { everyMs: pingMs, frame: () => encodeFrame([control({ type: "ping" })]) },
    invalid: () => invalidFrames(),
  };
}

function ourPresence(client: number): string {
  const session = String(client).padStart(11, "0");
  return JSON.stringify({ session, writers: [writerId(client)], awareness: presenceState(client) });
}

const joined = Buffer.from(encodeControl({ type: "joined" }));

/** Whether a frame ends the join. It skips what it need not read: the generator shares the machine with the relay. */
function hasJoined(frame: Buffer): boolean {
  const decoder = decoding.createDecoder(frame);
  while (decoding.hasContent(decoder)) {
    const channel = decoding.readVarUint(decoder);
    const end = decoding.readVarUint(decoder) + decoder.pos;
    if (channel === 0 && joined.equals(frame.subarray(decoder.pos, end))) return true;
    decoder.pos = end;
  }
  return false;
}

/** Updates that the gate refuses while the socket stays: cut short, beyond a gap, with deletions, not under the page's root. */
function invalidFrames(): Uint8Array[] {
  const lane = laneName(writerId(63), { number: 0, client: clientOf(1) });
  const { update } = prepareUpdate(1, 0, "pages");
  return [
    update.subarray(0, update.length - 20),
    prepareUpdate(1, 500, "pages").update,
    new Uint8Array([0, 1, 1, 1, 0, 200, 1]),
    prepareUpdate(1, 0, "arrays").update,
  ].map((invalid, index) => framed(lane, invalid, index + 1));
}
