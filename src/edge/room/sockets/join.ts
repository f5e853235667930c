import { FlockError } from "../../../base/index.ts";
import { type ControlMessage, protocolVersion } from "../../../protocol/index.ts";
import { conditionOf } from "../condition.ts";
import type { Grant } from "../grant.ts";
import { frameOf, partsOf, unnamedOf } from "../pacing/chunk.ts";
import type { Delivery } from "../pacing/replay.ts";
import type { RoomState } from "../room-state.ts";
import { answer } from "./answers.ts";
import { bytesOf, controlPart, packFrames } from "./parts.ts";
import type { RoomSession } from "./session.ts";

type Join = Extract<ControlMessage, { type: "join" }>;

/**
 * Answers a join: the session is a reader that lags at its cursor, and has joined when it has caught up. What is
 * staged meanwhile has later sequences, and reaches it like everybody.
 *
 * @throws `protocol/not-joined` for a second join, `protocol/unsupported-version`
 */
export function answerJoin(room: RoomState, session: RoomSession, join: Join): void {
  if (session.attachment.presence) {
    throw new FlockError("protocol/not-joined", "This socket has joined already: open another one.");
  }
  if (join.version !== protocolVersion) {
    const message = `The relay speaks version ${protocolVersion} of the room socket, not ${join.version}: update.`;
    throw new FlockError("protocol/unsupported-version", message);
  }
  const { head } = room.ledger;
  const epoch = room.epoch();
  const resumed = join.epoch === epoch && join.sequence <= head;
  const presence = room.presenceIds.next();
  session.attachment.presence = { id: presence, clock: 0 };
  const welcome = {
    type: "welcome",
    version: protocolVersion,
    epoch,
    sequence: head,
    resumed,
    presence,
  } as const;
  session.greeting = [controlPart(welcome), grantedPart(session.attachment.grant)];
  if (conditionOf(room.storage) === "halted") {
    session.greeting.push(controlPart({ type: "halted", halted: true }));
  }
  room.observer.count("joins");
  room.replays.begin(session, resumed ? join.sequence : 0);
  room.replays.pump();
  // In a storm the rows wait; the welcome does not.
  for (const frame of packFrames(takeGreeting(session))) answer(room, session, frame);
}

/** Whom the socket speaks for and until when. */
export function grantedPart({ principal, scopes, expiresAt }: Grant): Uint8Array {
  return controlPart({ type: "granted", principal, scopes, expiresAt });
}

/** Sends rows that end with a cursor, and to a session that has them all for the first time that it has joined. */
export function sendRoomChunk(room: RoomState, session: RoomSession, { chunk, isLast }: Delivery): void {
  const unnamed = unnamedOf(session, chunk.documents);
  for (const document of unnamed) session.named.add(document);
  const hasCaughtUp = isLast && !session.attachment.caughtUp;
  if (!hasCaughtUp && !session.greeting) {
    room.outflow.send(session, frameOf(room, chunk, unnamed));
    return;
  }
  const parts = [...takeGreeting(session), ...partsOf(room, chunk, unnamed)];
  if (hasCaughtUp) {
    parts.push(controlPart({ type: "joined" }));
    parts.push(...room.presence.begin(session, room.outflow.allowance(session) - bytesOf(parts)));
  }
  for (const frame of packFrames(parts)) room.outflow.send(session, frame);
}

function takeGreeting(session: RoomSession): Uint8Array[] {
  const { greeting = [] } = session;
  session.greeting = undefined;
  return greeting;
}
