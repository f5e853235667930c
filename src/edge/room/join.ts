import { FlockError } from "../../base/index.ts";
import {
  type ControlMessage,
  frameOverheadBytes,
  maxFrameBytes,
  protocolVersion,
} from "../../protocol/index.ts";
import { namePart } from "./fan-out.ts";
import { controlPart, packFrames } from "./parts.ts";
import type { RoomState } from "./room-state.ts";
import { type RoomSession, saveSession } from "./session.ts";

type Join = Extract<ControlMessage, { type: "join" }>;

/**
 * Answers a join with every committed row that is newer than its cursor, then with who is present. All of it
 * in one turn: what is staged meanwhile has later sequences, and reaches the joiner with everybody else.
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
  saveSession(session);
  session.named.clear();

  const welcome = {
    type: "welcome",
    version: protocolVersion,
    epoch,
    sequence: head,
    resumed,
    presence,
  } as const;
  const last = sendRows(room, session, [controlPart(welcome)], resumed ? join.sequence : 0);
  const parts = [
    ...last,
    controlPart({ type: "cursor", sequence: head }),
    controlPart({ type: "joined" }),
    ...room.presence.everyone(session),
  ];
  for (const frame of packFrames(parts)) session.socket.send(frame);
}

/** Sends whole frames of rows, each ended by its cursor; returns the parts of the last, unended one. */
function sendRows(room: RoomState, session: RoomSession, first: Uint8Array[], after: number): Uint8Array[] {
  let parts = first;
  let bytes = 0;
  let sequence = after;
  for (const row of room.storage.rowsAfter(after)) {
    if (bytes > 0 && bytes + row.parts.length > maxFrameBytes - frameOverheadBytes) {
      for (const frame of packFrames([...parts, controlPart({ type: "cursor", sequence })])) {
        session.socket.send(frame);
      }
      parts = [];
      bytes = 0;
    }
    const added = [...namePart(room.ledger, session, row.document), row.parts];
    parts.push(...added);
    bytes += added.reduce((sum, part) => sum + part.length, 0);
    sequence = row.sequence;
  }
  return parts;
}
