import { FlockError } from "../../base/index.ts";
import {
  type ControlMessage,
  controlChannel,
  decodeControl,
  decodeDocumentMessage,
  decodeFrame,
  parseDocumentName,
} from "../../protocol/index.ts";
import { answerJoin } from "./join.ts";
import type { LedgerDocument } from "./ledger.ts";
import { controlPart } from "./parts.ts";
import type { RoomState } from "./room-state.ts";
import type { RoomSession } from "./session.ts";

/**
 * Takes one frame of a room socket: answers at once what may not wait, stages the rest.
 *
 * @throws the `FlockError` to close the socket with; what preceded it in the frame stays staged
 */
export function receiveFrame(room: RoomState, session: RoomSession, frame: Uint8Array): void {
  const channels = new Map<number, LedgerDocument>();
  for (const { channel, payload } of decodeFrame(frame)) {
    if (channel !== controlChannel) {
      assertJoined(session);
      receiveDocument(room, session, channels.get(channel) ?? numbered(room, channel), payload);
      continue;
    }
    const message = decodeControl(payload);
    if (message.type !== "join") assertJoined(session);
    if (message.type === "name") {
      channels.set(nameable(message.channel), room.ledger.documentNamed(parseDocumentName(message.name)));
    } else receiveControl(room, session, message);
  }
}

function assertJoined(session: RoomSession): void {
  if (session.attachment.presence) return;
  throw new FlockError("protocol/not-joined", "The first message of a room socket must be `join`.");
}

function nameable(channel: number): number {
  if (channel !== controlChannel) return channel;
  throw new FlockError(
    "protocol/malformed-frame",
    "Channel 0 is that of control messages: it names no document.",
  );
}

function numbered(room: RoomState, channel: number): LedgerDocument {
  const document = room.ledger.documentNumbered(channel);
  if (document) return document;
  throw new FlockError(
    "protocol/unknown-channel",
    `The channel ${channel} has no name in this frame and is no document's number: send \`name\` first.`,
  );
}

function receiveDocument(
  room: RoomState,
  session: RoomSession,
  document: LedgerDocument,
  payload: Uint8Array,
): void {
  const message = decodeDocumentMessage(payload);
  switch (message.type) {
    case "step1":
      session.resyncs.add(document.id);
      break;
    case "step2":
    case "update": {
      const refusal = room.ledger.offer(document, message.update, { author: session, grant: session.grant });
      if (!refusal) break;
      const { code, resync } = refusal;
      // A gap makes everything after it in the document a gap too: it is told once.
      const told =
        resync && session.refusals.some((other) => other.document === document.id && other.code === code);
      if (!told) session.refusals.push({ document: document.id, code, message: refusal.message });
      if (resync) session.resyncs.add(document.id);
      break;
    }
    case "awareness":
    case "query-awareness":
      // A provider behind a channel sends these on its own; presence goes by channel 0.
      break;
  }
}

function receiveControl(
  room: RoomState,
  session: RoomSession,
  message: Exclude<ControlMessage, { type: "name" }>,
): void {
  switch (message.type) {
    case "join":
      answerJoin(room, session, message);
      break;
    case "mark":
      session.mark = message.number;
      break;
    case "presence":
      room.presence.change(session, message.state);
      break;
    case "signal":
      passOn(room, session, message.to, message.bytes);
      break;
    case "ping":
      session.socket.send(controlPart({ type: "pong" }));
      break;
    default:
      throw new FlockError("protocol/malformed-frame", `Only the relay sends \`${message.type}\`.`);
  }
}

/** Signals are told at once, to one presence id or with 0 to all others, and are never stored. */
function passOn(room: RoomState, session: RoomSession, to: number, bytes: Uint8Array): void {
  const from = session.attachment.presence?.id ?? 0;
  const frame = controlPart({ type: "signalled", from, bytes });
  for (const other of room.sessions) {
    const id = other.kind === "room" ? other.attachment.presence?.id : undefined;
    if (id !== undefined && id !== from && (to === 0 || to === id)) other.socket.send(frame);
  }
}
