import { decodeFrame, encodeFrame, maxFrameBytes } from "../../protocol/index.ts";
import { answer, clocksFor } from "./answers.ts";
import type { LedgerRow } from "./document-ledger.ts";
import { nameOf, namePart } from "./names.ts";
import { bytesOf, controlPart, packFrames } from "./parts.ts";
import type { RoomState } from "./room-state.ts";
import { isLive, type RoomSession, type Session, type StockSession } from "./session.ts";
import { askStock, documentOf, probeStock } from "./stock-flow.ts";

/** What names and a cursor add to a turn's rows, by document. */
const overheadBytes = 256;

/** A committed turn, with what its readers share. */
interface Turn {
  readonly rows: readonly LedgerRow<Session>[];
  /** The sequence before it. */
  readonly before: number;
  readonly documents: readonly number[];
  readonly authors: ReadonlySet<Session>;
  /** Of its rows, and what goes with them. */
  readonly bytes: number;
  cursor(): Uint8Array;
  /** The frames of everybody who lacks these names, and to whom nothing else in the turn is personal. */
  frames(unnamed: readonly number[]): Uint8Array[];
  /** The messages of a row, each as a stock client takes it. */
  messages(row: LedgerRow<Session>): Uint8Array[];
}

/** Sends every session what the committed turn holds for it: to a room socket one frame, to a stock client its messages. */
export function fanOut(room: RoomState, rows: readonly LedgerRow<Session>[]): void {
  const turn = createTurn(room, rows);
  for (const session of room.sessions) {
    if (session.kind === "stock") tellStock(room, session, turn);
    else if (session.attachment.presence) tellRoom(room, session, turn);
  }
}

function createTurn(room: RoomState, rows: readonly LedgerRow<Session>[]): Turn {
  const documents = [...new Set(rows.map(({ document }) => document))];
  const authors = new Set<Session>();
  for (const { updates } of rows) for (const { author } of updates) authors.add(author);
  const shared = new Map<string, Uint8Array[]>();
  const messages = new Map<LedgerRow<Session>, Uint8Array[]>();
  let cursor: Uint8Array | undefined;
  const turn: Turn = {
    rows,
    before: (rows[0]?.sequence ?? room.ledger.head + 1) - 1,
    documents,
    authors,
    bytes: bytesOf(rows.map(({ parts }) => parts)) + documents.length * overheadBytes,
    cursor() {
      cursor ??= controlPart({ type: "cursor", sequence: room.ledger.head });
      return cursor;
    },
    frames(unnamed) {
      const key = unnamed.join();
      let frames = shared.get(key);
      if (!frames) {
        const names = unnamed.flatMap((document) => nameOf(room, document));
        frames = packFrames([...names, ...rows.map(({ parts }) => parts), turn.cursor()]);
        shared.set(key, frames);
      }
      return frames;
    },
    messages(row) {
      const known = messages.get(row);
      if (known) return known;
      const decoded = decodeFrame(row.parts).map(({ payload }) => payload);
      messages.set(row, decoded);
      return decoded;
    },
  };
  return turn;
}

function tellRoom(room: RoomState, session: RoomSession, turn: Turn): void {
  const hasOwn = session.mark !== undefined || session.refusals || session.resyncs;
  const isTold = turn.rows.length > 0 && isLive(session);
  if (!isTold) {
    if (hasOwn) for (const frame of packFrames(ownParts(room, session))) answer(room, session, frame);
    return;
  }
  if (!hasOwn && !turn.authors.has(session)) {
    const unnamed = turn.documents.filter((document) => !session.named.has(document));
    if (!sendAll(room, session, turn.frames(unnamed))) room.replays.begin(session, turn.before);
    else for (const document of unnamed) session.named.add(document);
    return;
  }
  tellAuthor(room, session, turn);
}

/** Tells one to whom the turn is personal: what others wrote, then what is its own, then the cursor. */
function tellAuthor(room: RoomState, session: RoomSession, turn: Turn): void {
  const foreign = foreignParts(session, turn);
  const unnamed = foreign.documents.filter((document) => !session.named.has(document));
  const names = unnamed.flatMap((document) => nameOf(room, document));
  const isOneFrame = turn.bytes <= maxFrameBytes / 2 && room.outflow.allowance(session) >= turn.bytes;
  const parts = [...names, ...foreign.parts];
  const isTold = isOneFrame || sendAll(room, session, packFrames([...parts, turn.cursor()]));
  if (isTold) for (const document of unnamed) session.named.add(document);
  else room.replays.begin(session, turn.before);
  const own = ownParts(room, session);
  const last = isOneFrame ? [...parts, ...own, turn.cursor()] : own;
  for (const frame of packFrames(last)) answer(room, session, frame);
}

/** Sends frames as long as the allowance lasts, and tells whether all of them went. */
function sendAll(room: RoomState, session: Session, frames: readonly Uint8Array[]): boolean {
  return frames.every((frame) => {
    const isAllowed = room.outflow.allowance(session) >= frame.length;
    if (isAllowed) room.outflow.send(session, frame);
    return isAllowed;
  });
}

function foreignParts(session: RoomSession, { rows }: Turn): { parts: Uint8Array[]; documents: number[] } {
  const parts: Uint8Array[] = [];
  const documents = new Set<number>();
  for (const row of rows) {
    const foreign = row.updates.filter(({ author }) => author !== session);
    if (foreign.length === 0) continue;
    documents.add(row.document);
    if (foreign.length === row.updates.length) parts.push(row.parts);
    else for (const { part } of foreign) parts.push(part);
  }
  return { parts, documents: [...documents] };
}

/** The refusals, clocks and acknowledgement that are this socket's alone. */
function ownParts(room: RoomState, session: RoomSession): Uint8Array[] {
  const { refusals = [], resyncs = [], mark } = session;
  session.refusals = undefined;
  session.resyncs = undefined;
  session.mark = undefined;
  const parts: Uint8Array[] = [];
  for (const { channel, code, message } of refusals) {
    parts.push(...namePart(room, session, channel), controlPart({ type: "refuse", channel, code, message }));
  }
  for (const document of resyncs) {
    const payload = clocksFor(room, session, document);
    if (!payload) return [];
    parts.push(...namePart(room, session, document.id), encodeFrame([{ channel: document.id, payload }]));
  }
  if (mark !== undefined) parts.push(controlPart({ type: "acknowledge", number: mark }));
  return parts;
}

/** A stock client takes one y-websocket message a WebSocket message, and knows no other. */
function tellStock(room: RoomState, session: StockSession, turn: Turn): void {
  if (turn.rows.length > 0 && isLive(session)) {
    const id = documentOf(room, session)?.id;
    const messages = id !== undefined && turn.documents.includes(id) ? stockMessages(session, turn, id) : [];
    if (!sendAll(room, session, messages)) room.replays.begin(session, turn.before);
    else if (messages.length > 0) probeStock(room, session);
  }
  if (!session.wantsClocks) return;
  session.wantsClocks = false;
  askStock(room, session, { isProbe: false });
}

function stockMessages(session: StockSession, turn: Turn, document: number): Uint8Array[] {
  return turn.rows.flatMap((row) => {
    if (row.document !== document) return [];
    const messages = turn.messages(row);
    return messages.filter((_, index) => row.updates[index]?.author !== session);
  });
}
