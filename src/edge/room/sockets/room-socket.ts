import { type ErrorCode, equalBytes, FlockError } from "../../../base/index.ts";
import {
  type ControlMessage,
  controlChannel,
  type DocumentName,
  decodeControl,
  decodeDocumentMessage,
  decodeFrame,
  parseDocumentName,
} from "../../../protocol/index.ts";
import { allows } from "../grant.ts";
import type { LedgerDocument, LedgerRefusal } from "../ledger/ledger.ts";
import type { RoomState } from "../room-state.ts";
import { answer } from "./answers.ts";
import { foreignWriter } from "./claims.ts";
import { answerJoin } from "./join.ts";
import { controlPart } from "./parts.ts";
import type { RoomSession, SessionRefusal } from "./session.ts";

const pongPart = controlPart({ type: "pong" });

/**
 * Takes one frame of a room socket: answers at once what may not wait, stages the rest.
 *
 * @throws the `FlockError` to close the socket with; what preceded it in the frame stays staged
 */
export function receiveFrame(room: RoomState, session: RoomSession, frame: Uint8Array): void {
  let channels: Map<number, DocumentName> | undefined;
  for (const { channel, payload } of decodeFrame(frame)) {
    if (session.isGone) return;
    if (channel !== controlChannel) {
      assertJoined(session);
      receiveDocument(room, session, { channel, name: channels?.get(channel) }, payload);
      continue;
    }
    const known = session.lastNamed;
    if (known && equalBytes(known.payload, payload)) {
      channels ??= new Map();
      channels.set(known.channel, known.name);
      continue;
    }
    const message = decodeControl(payload);
    if (message.type !== "join") assertJoined(session);
    if (message.type === "name") {
      const name = parseDocumentName(message.name);
      channels ??= new Map();
      channels.set(nameable(message.channel), name);
      session.lastNamed = { payload: payload.slice(), channel: message.channel, name };
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

/** Where a message came: on a document's number or, with a name, on a channel that the client chose for its frame. */
interface Address {
  channel: number;
  name: DocumentName | undefined;
}

function receiveDocument(room: RoomState, session: RoomSession, address: Address, payload: Uint8Array): void {
  const message = decodeDocumentMessage(payload);
  switch (message.type) {
    case "step1": {
      const document = opened(room, session, address);
      if (document) resync(session, document);
      break;
    }
    case "step2":
    case "update": {
      const document = opened(room, session, address);
      if (!document) break;
      const { grant } = session.attachment;
      const isRefill = message.type === "step2" && allows(grant, "admin");
      const refusal = room.ledger.offer(document, message.update, { author: session, grant, isRefill });
      if (!refusal) break;
      refuse(room, session, { channel: document.id, document }, refusal);
      if (refusal.resync) resync(session, document);
      break;
    }
    case "drop": {
      const { channel } = address;
      const document = address.name ? undefined : numbered(room, channel);
      const name = address.name ?? document?.name;
      const refusal = name && room.ledger.drop(name, session.attachment.grant);
      if (refusal) refuse(room, session, { channel, document }, refusal);
      break;
    }
    case "awareness":
    case "query-awareness":
      // A provider behind a channel sends these on its own; presence goes by channel 0.
      break;
  }
}

/** The document of a channel, begun where need be; undefined where it may not be, which is told. */
function opened(
  room: RoomState,
  session: RoomSession,
  { channel, name }: Address,
): LedgerDocument | undefined {
  const document = name
    ? room.ledger.open(name, session.attachment.grant)
    : (numbered(room, channel) ?? goneFrom(channel));
  if (!("code" in document)) return document;
  refuse(room, session, { channel, document: undefined }, document);
  return undefined;
}

/** The document of a number; undefined where it is gone. */
function numbered(room: RoomState, channel: number): LedgerDocument | undefined {
  const document = room.ledger.documentNumbered(channel);
  if (document || room.ledger.wasGiven(channel)) return document;
  throw new FlockError(
    "protocol/unknown-channel",
    `The channel ${channel} has no name in this frame and is no document's number: send \`name\` first.`,
  );
}

/** Whoever still knows a number may not have heard yet that its document went: no reason to close the socket. */
function goneFrom(channel: number): LedgerRefusal {
  const message = `The document of channel ${channel} was dropped: send \`name\` to begin it anew.`;
  return { code: "protocol/unknown-channel", message, resync: false };
}

function resync(session: RoomSession, document: LedgerDocument): void {
  session.resyncs ??= new Set();
  session.resyncs.add(document);
}

/** Refuses what came on a channel. A gap makes everything after it in the document a gap too: it is told once a turn. */
function refuse(
  room: RoomState,
  session: RoomSession,
  { channel, document }: Pick<SessionRefusal, "channel" | "document">,
  refusal: LedgerRefusal,
): void {
  const { code, message, resync: isRepeated } = refusal;
  room.observer.count("updates_refused", 1, code);
  session.refusals ??= [];
  const isTold = session.refusals.some((other) => other.channel === channel && other.code === code);
  if (!isRepeated || !isTold) session.refusals.push({ channel, document, code, message });
  assertFewRefusals(room, session, code);
}

function assertFewRefusals(room: RoomState, session: RoomSession, code: ErrorCode): void {
  const excess = room.intake.refused(session.attachment.grant.principal, code);
  if (excess) throw excess;
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
    case "credit":
      takeCredit(room, session, message.bytes);
      break;
    case "token":
      room.renew(session, message.token);
      break;
    case "presence":
      // What it has no scope for it cannot have announced either: to withdraw nothing is no fault.
      if (message.state === undefined || mayShow(room, session, message.state)) {
        room.presence.change(session, message.state);
        room.observer.count("presences");
      }
      break;
    case "signal":
      if (mayTell(room, session, "signal")) passOn(room, session, message.to, message.bytes);
      break;
    case "ping":
      answer(room, session, pongPart);
      break;
    default:
      throw new FlockError("protocol/malformed-frame", `Only the relay sends \`${message.type}\`.`);
  }
}

function mayTell(room: RoomState, session: RoomSession, what: string): boolean {
  if (allows(session.attachment.grant, "presence")) return true;
  forbid(room, session, `A ${what} takes the scope \`presence\`.`);
  return false;
}

/** Others take a presence's word for which writers are open in it, and so for who speaks: it may name its principal's alone. */
function mayShow(room: RoomState, session: RoomSession, state: string): boolean {
  if (!mayTell(room, session, "presence")) return false;
  const { principal } = session.attachment.grant;
  const foreign = foreignWriter(state, principal);
  if (foreign === undefined) return true;
  forbid(room, session, `A presence of ${principal} names ${foreign.slice(0, 200)}, which is not its own.`);
  return false;
}

/** Refuses what came on channel 0. */
function forbid(room: RoomState, session: RoomSession, message: string): void {
  const code = "edge/forbidden";
  answer(room, session, controlPart({ type: "refuse", channel: controlChannel, code, message }));
  assertFewRefusals(room, session, code);
}

function takeCredit(room: RoomState, session: RoomSession, bytes: number): void {
  if (session.isCounted && bytes > session.sent) {
    const message = `A credit of ${bytes} bytes is more than the ${session.sent} that were sent.`;
    throw new FlockError("protocol/malformed-frame", message);
  }
  room.outflow.take(session, bytes);
  room.resume(session);
}

/**
 * Signals are told at once, to one presence id or with 0 to all others, and are never stored. One is lost past its
 * principal's rate, and where its reader is too far behind even for that: whoever signals must not get others closed.
 */
function passOn(room: RoomState, session: RoomSession, to: number, bytes: Uint8Array): void {
  const from = session.attachment.presence?.id ?? 0;
  const { principal } = session.attachment.grant;
  if (!room.intake.maySignal(principal)) return;
  const frame = controlPart({ type: "signalled", from, bytes });
  room.observer.count("signals");
  let readers = 0;
  for (const other of room.sessions) {
    const id = other.kind === "room" ? other.attachment.presence?.id : undefined;
    if (id === undefined || id === from || (to !== 0 && to !== id)) continue;
    room.outflow.sendNow(other, frame, "signal");
    readers++;
    if (to !== 0) break;
  }
  room.intake.signalled(principal, readers);
}
