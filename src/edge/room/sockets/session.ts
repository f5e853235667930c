import type { ErrorCode } from "../../../base/index.ts";
import type { DocumentName } from "../../../protocol/index.ts";
import type { LedgerDocument } from "../ledger/ledger.ts";
import { createMeter, type Meter } from "../pacing/rates.ts";
import type { HeldPresence, RoomAttachment, RoomSocket, StockAttachment } from "../ports.ts";
import { createDocumentSet, type DocumentSet } from "./document-set.ts";

/** What was refused on a channel: that of the document or, where it has none, the one that the client used. */
export interface SessionRefusal {
  channel: number;
  document: LedgerDocument | undefined;
  code: ErrorCode;
  message: string;
}

/** What sockets of both kinds have while the room is awake. */
interface CommonSession {
  readonly socket: RoomSocket;
  /** Whether the room has closed it or seen it close: it is sent nothing more. */
  isGone: boolean;
  /** Bytes sent since the socket opened or, unless it lagged then, since the room woke. */
  sent: number;
  /** How many of them it has taken, as far as it said. */
  taken: number;
  /** Whether `sent` counts from the connection's beginning: then it cannot have taken more. */
  readonly isCounted: boolean;
  /** When it last said what it has taken, or began to owe it, in milliseconds. */
  heardAt: number;
  /** The last row that it was told of a sequence which has more. */
  midway: { sequence: number; piece: number } | undefined;
  /** The number of its own last change of presence, in the order of the room's. */
  presenceChange: number;
  /** The number of the last change of presence that it was told. */
  presenceTold: number;
  /** Of its own presence, as others are told it. */
  readonly presences: Meter;
}

/** A room socket that is open. */
export interface RoomSession extends CommonSession {
  readonly kind: "room";
  readonly attachment: RoomAttachment;
  /** Documents whose name this socket was sent since the room woke. */
  readonly named: DocumentSet;
  /** Documents whose clocks this socket is to be sent at the end of the turn. */
  resyncs: Set<LedgerDocument> | undefined;
  /** What it named last, since it names its own documents in every frame. */
  lastNamed: { payload: Uint8Array; channel: number; name: DocumentName } | undefined;
  /** What was refused in this turn. */
  refusals: SessionRefusal[] | undefined;
  /** The highest mark of this turn. */
  mark: number | undefined;
  /** What its join is answered with before the rows. */
  greeting: Uint8Array[] | undefined;
  /** The token that it goes on with, while one before it is being checked. */
  renewal: { next: string | undefined } | undefined;
}

/** A stock client's socket that is open. */
export interface StockSession extends CommonSession {
  readonly kind: "stock";
  readonly attachment: StockAttachment;
  /** Whether it is to be sent the document's clocks at the end of the turn. */
  wantsClocks: boolean;
  /** Its document, once it is found. */
  document: LedgerDocument | undefined;
  /** When it was last sent everybody's presence, in milliseconds; undefined where this is not known. */
  shownAt: number | undefined;
  /** The sync steps 1 that it was sent and has not answered, oldest first: what was sent to it before each. */
  asked: { sent: number; isProbe: boolean }[];
  /** What was sent to it before the newest of them. */
  askedAt: number;
}

export type Session = RoomSession | StockSession;

/** Opens the session of a socket, new or found again after the room slept. */
export function openSession(socket: RoomSocket, { isNew = false } = {}): Session {
  const attachment = socket.readAttachment();
  const flow = (attachment.kind === "room" && attachment.flow) || { sent: 0, taken: 0, heardAt: 0 };
  const common: CommonSession = {
    ...flow,
    socket,
    isGone: false,
    isCounted: isNew,
    midway: undefined,
    presenceChange: 0,
    presenceTold: 0,
    presences: createMeter(),
  };
  return attachment.kind === "room"
    ? {
        ...common,
        kind: "room",
        attachment,
        named: createDocumentSet(),
        resyncs: undefined,
        lastNamed: undefined,
        refusals: undefined,
        mark: undefined,
        greeting: undefined,
        renewal: undefined,
      }
    : {
        ...common,
        kind: "stock",
        attachment,
        wantsClocks: false,
        document: undefined,
        shownAt: undefined,
        asked: [],
        askedAt: 0,
      };
}

/** The presence that the session holds; undefined before it has joined. */
export function presenceOf(session: Session): HeldPresence | undefined {
  return session.attachment.presence;
}

/** Whether the session is told of rows as they are written. */
export function isLive({ attachment }: Session): boolean {
  return attachment.caughtUp && attachment.toldUpTo === undefined;
}

/** Only a reader that lags: writing the attachment of all others with each frame would cost more than it tells. */
function rememberFlow({ attachment, sent, taken, heardAt }: RoomSession): void {
  if (attachment.toldUpTo === undefined) delete attachment.flow;
  else attachment.flow = { sent, taken, heardAt };
}

/** Writes what the session must remember while the room sleeps. */
export function saveSession(session: Session): void {
  if (session.kind === "room") rememberFlow(session);
  session.socket.writeAttachment(session.attachment);
}
