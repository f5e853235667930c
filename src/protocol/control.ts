import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { FlockError, toUtf8 } from "../base/index.ts";
import { varUintBytes, writeVarUint } from "./frame.ts";
import { maxPresenceBytes, maxSignalBytes, maxTokenBytes } from "./limits.ts";
import { parseScopes, type TokenScope } from "./token.ts";

/** The version of the room socket that this code speaks; `join` and `welcome` carry it. */
export const protocolVersion = 1;
/** The WebSocket subprotocol of the room socket. */
export const roomSubprotocol = "flockstate.v1";

/** A presence state as the relay tells it: `state` is undefined once its client is gone. */
export interface PresenceEntry {
  /** Assigned by the relay, one a connection. */
  id: number;
  /** Counts the changes of this entry. */
  clock: number;
  /** JSON text of the state. */
  state: string | undefined;
}

/** Every message of channel 0; `docs/protocol.md` has the grammar. */
export type ControlMessage =
  /** client: the first message; an empty epoch and 0 ask for everything. */
  | { type: "join"; version: number; epoch: string; sequence: number }
  /** Both ways: names a channel, by a client for the rest of this frame, by the relay for the connection. */
  | { type: "name"; channel: number; name: string }
  /** client: asks for `acknowledge` of everything up to and with this frame. Numbers rise by one from 1. */
  | { type: "mark"; number: number }
  /** client: its presence state as JSON text; undefined withdraws it. */
  | { type: "presence"; state: string | undefined }
  /** client: bytes for one presence id, or for all with 0. */
  | { type: "signal"; to: number; bytes: Uint8Array }
  | { type: "ping" }
  /** client: the token to go on with; `granted` answers it. */
  | { type: "token"; token: string }
  /** client: how many bytes of frames it has taken since the connection began. The relay holds back what is too far ahead. */
  | { type: "credit"; bytes: number }
  /** relay: answers `join`; `resumed` tells whether the client's cursor holds. */
  | { type: "welcome"; version: number; epoch: string; sequence: number; resumed: boolean; presence: number }
  /** relay: everything up to the mark is in its storage, or was refused before this message. */
  | { type: "acknowledge"; number: number }
  /** relay: whom the socket speaks for and until when; after `welcome`, and after each token. */
  | { type: "granted"; principal: string; scopes: readonly TokenScope[]; expiresAt: number | undefined }
  /** relay: whether an administrator has halted the room; after `welcome` where it is so, and at each change. */
  | { type: "halted"; halted: boolean }
  /** relay: what came on this channel was not accepted; on channel 0 a presence or signal. A resync follows as sync step 1 for gap and overlap. */
  | { type: "refuse"; channel: number; code: string; message: string }
  /** relay: the client has been sent every row up to this sequence. */
  | { type: "cursor"; sequence: number }
  /** relay: the rows of the join are all sent; what follows is live. */
  | { type: "joined" }
  /** relay: presence that changed; after `joined`, all of it. */
  | { type: "presences"; entries: PresenceEntry[] }
  | { type: "signalled"; from: number; bytes: Uint8Array }
  | { type: "pong" }
  /** relay: why it closes the socket, right before it does. */
  | { type: "problem"; code: string; message: string };

const tags = {
  join: 0,
  name: 1,
  mark: 2,
  presence: 3,
  signal: 4,
  ping: 5,
  token: 6,
  credit: 7,
  welcome: 16,
  acknowledge: 17,
  refuse: 18,
  cursor: 19,
  joined: 20,
  presences: 21,
  signalled: 22,
  pong: 23,
  problem: 24,
  granted: 25,
  halted: 26,
} as const satisfies Record<ControlMessage["type"], number>;

const typesByTag = new Map(
  Object.entries(tags).map(([type, tag]) => [tag as number, type as ControlMessage["type"]]),
);

/** Encodes one control message, the payload of a part on channel 0. */
export function encodeControl(message: ControlMessage): Uint8Array {
  if (message.type === "cursor") return encodeNumber(tags.cursor, message.sequence);
  if (message.type === "acknowledge") return encodeNumber(tags.acknowledge, message.number);
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, tags[message.type]);
  switch (message.type) {
    case "join":
      encoding.writeVarUint(encoder, message.version);
      encoding.writeVarString(encoder, message.epoch);
      encoding.writeVarUint(encoder, message.sequence);
      break;
    case "name":
      encoding.writeVarUint(encoder, message.channel);
      encoding.writeVarString(encoder, message.name);
      break;
    case "mark":
      encoding.writeVarUint(encoder, message.number);
      break;
    case "presence":
      encoding.writeVarString(encoder, message.state ?? "");
      break;
    case "signal":
      encoding.writeVarUint(encoder, message.to);
      encoding.writeVarUint8Array(encoder, message.bytes);
      break;
    case "signalled":
      encoding.writeVarUint(encoder, message.from);
      encoding.writeVarUint8Array(encoder, message.bytes);
      break;
    case "token":
      encoding.writeVarString(encoder, message.token);
      break;
    case "credit":
      encoding.writeVarUint(encoder, message.bytes);
      break;
    case "granted":
      encoding.writeVarString(encoder, message.principal);
      encoding.writeVarString(encoder, message.scopes.join(" "));
      encoding.writeVarUint(encoder, message.expiresAt ?? 0);
      break;
    case "halted":
      encoding.writeVarUint(encoder, message.halted ? 1 : 0);
      break;
    case "welcome":
      encoding.writeVarUint(encoder, message.version);
      encoding.writeVarString(encoder, message.epoch);
      encoding.writeVarUint(encoder, message.sequence);
      encoding.writeVarUint(encoder, message.resumed ? 1 : 0);
      encoding.writeVarUint(encoder, message.presence);
      break;
    case "refuse":
      encoding.writeVarUint(encoder, message.channel);
      encoding.writeVarString(encoder, message.code);
      encoding.writeVarString(encoder, message.message);
      break;
    case "presences":
      encoding.writeVarUint(encoder, message.entries.length);
      for (const { id, clock, state } of message.entries) {
        encoding.writeVarUint(encoder, id);
        encoding.writeVarUint(encoder, clock);
        encoding.writeVarString(encoder, state ?? "");
      }
      break;
    case "problem":
      encoding.writeVarString(encoder, message.code);
      encoding.writeVarString(encoder, message.message);
      break;
    case "ping":
    case "pong":
    case "joined":
      break;
  }
  return encoding.toUint8Array(encoder);
}

/** What a relay says every turn, without an encoder. */
function encodeNumber(tag: number, value: number): Uint8Array {
  const bytes = new Uint8Array(varUintBytes(tag) + varUintBytes(value));
  writeVarUint(bytes, writeVarUint(bytes, 0, tag), value);
  return bytes;
}

/**
 * Decodes one control message; trailing bytes are refused.
 *
 * @throws `protocol/malformed-frame`, `protocol/presence-too-large`
 */
export function decodeControl(payload: Uint8Array): ControlMessage {
  const decoder = decoding.createDecoder(payload);
  let message: ControlMessage;
  try {
    message = readControl(decoder);
    if (decoding.hasContent(decoder)) throw new RangeError(`trailing bytes after ${message.type}`);
  } catch (cause) {
    throw new FlockError("protocol/malformed-frame", "A control message does not follow the grammar.", {
      cause,
    });
  }
  if (message.type === "presence" && toUtf8(message.state ?? "").length > maxPresenceBytes) {
    throw new FlockError(
      "protocol/presence-too-large",
      `A presence state is past ${maxPresenceBytes} bytes.`,
    );
  }
  if (message.type === "token" && message.token.length > maxTokenBytes) {
    throw new FlockError("protocol/frame-too-large", `A token is past ${maxTokenBytes} characters.`);
  }
  if (message.type === "signal" && message.bytes.length > maxSignalBytes) {
    throw new FlockError("protocol/frame-too-large", `A signal is past ${maxSignalBytes} bytes.`);
  }
  return message;
}

function readControl(decoder: decoding.Decoder): ControlMessage {
  const tag = decoding.readVarUint(decoder);
  const type = typesByTag.get(tag);
  switch (type) {
    case "join":
      return {
        type,
        version: decoding.readVarUint(decoder),
        epoch: decoding.readVarString(decoder),
        sequence: decoding.readVarUint(decoder),
      };
    case "name":
      return { type, channel: decoding.readVarUint(decoder), name: decoding.readVarString(decoder) };
    case "mark":
    case "acknowledge":
      return { type, number: decoding.readVarUint(decoder) };
    case "presence":
      return { type, state: decoding.readVarString(decoder) || undefined };
    case "signal":
      return { type, to: decoding.readVarUint(decoder), bytes: decoding.readVarUint8Array(decoder) };
    case "signalled":
      return { type, from: decoding.readVarUint(decoder), bytes: decoding.readVarUint8Array(decoder) };
    case "token":
      return { type, token: decoding.readVarString(decoder) };
    case "credit":
      return { type, bytes: decoding.readVarUint(decoder) };
    case "granted":
      return {
        type,
        principal: decoding.readVarString(decoder),
        scopes: parseScopes(decoding.readVarString(decoder)),
        expiresAt: decoding.readVarUint(decoder) || undefined,
      };
    case "halted":
      return { type, halted: decoding.readVarUint(decoder) === 1 };
    case "welcome":
      return {
        type,
        version: decoding.readVarUint(decoder),
        epoch: decoding.readVarString(decoder),
        sequence: decoding.readVarUint(decoder),
        resumed: decoding.readVarUint(decoder) === 1,
        presence: decoding.readVarUint(decoder),
      };
    case "refuse":
      return {
        type,
        channel: decoding.readVarUint(decoder),
        code: decoding.readVarString(decoder),
        message: decoding.readVarString(decoder),
      };
    case "cursor":
      return { type, sequence: decoding.readVarUint(decoder) };
    case "presences": {
      const entries: PresenceEntry[] = [];
      for (let left = decoding.readVarUint(decoder); left > 0; left--) {
        entries.push({
          id: decoding.readVarUint(decoder),
          clock: decoding.readVarUint(decoder),
          state: decoding.readVarString(decoder) || undefined,
        });
      }
      return { type, entries };
    }
    case "problem":
      return { type, code: decoding.readVarString(decoder), message: decoding.readVarString(decoder) };
    case "ping":
    case "pong":
    case "joined":
      return { type };
    case undefined:
      throw new RangeError(`unknown control message ${tag}`);
  }
}
