import type { Grant } from "./grant.ts";
import type { HeldPresence, RoomAttachment, RoomSocket, StockAttachment } from "./ports.ts";

/** A room socket that is open. */
export interface RoomSession {
  readonly kind: "room";
  readonly socket: RoomSocket;
  readonly grant: Grant;
  readonly attachment: RoomAttachment;
  /** Documents whose name this socket was sent since the room woke. */
  readonly named: Set<number>;
  /** What was refused in this turn. */
  refusals: { document: number; code: string; message: string }[];
  /** Documents whose clocks this socket is to be sent at the end of the turn. */
  readonly resyncs: Set<number>;
  /** The highest mark of this turn. */
  mark: number | undefined;
}

/** A stock client's socket that is open. */
export interface StockSession {
  readonly kind: "stock";
  readonly socket: RoomSocket;
  readonly grant: Grant;
  readonly attachment: StockAttachment;
  /** Documents whose clocks this socket is to be sent at the end of the turn: its own, or none. */
  readonly resyncs: Set<number>;
  /** When it was last sent everybody's presence, in milliseconds; undefined where this is not known. */
  shownAt: number | undefined;
}

export type Session = RoomSession | StockSession;

/** Opens the session of a socket, new or found again after the room slept. */
export function openSession(socket: RoomSocket): Session {
  const attachment = socket.readAttachment();
  const common = { socket, grant: attachment.grant, resyncs: new Set<number>() };
  return attachment.kind === "room"
    ? { ...common, kind: "room", attachment, named: new Set(), refusals: [], mark: undefined }
    : { ...common, kind: "stock", attachment, shownAt: undefined };
}

/** The presence that the session holds; undefined before it has joined. */
export function presenceOf(session: Session): HeldPresence | undefined {
  return session.attachment.presence;
}

/** Writes what the session must remember while the room sleeps. */
export function saveSession(session: Session): void {
  session.socket.writeAttachment(session.attachment);
}
