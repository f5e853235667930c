import { concatBytes } from "../../../base/index.ts";
import { decodeFrame, encodeFrame } from "../../../protocol/index.ts";
import type { LedgerRow } from "../ledger/document-ledger.ts";
import { type Chunk, frameOf, toChunks, unnamedOf } from "../pacing/chunk.ts";
import type { RoomState } from "../room-state.ts";
import { answer, clocksFor } from "./answers.ts";
import { nameOf, namePart } from "./names.ts";
import { controlPart, packFrames } from "./parts.ts";
import { isLive, type RoomSession, type Session, type StockSession } from "./session.ts";
import { askStock, documentOf, probeStock } from "./stock-flow.ts";

/** A committed turn, with what its readers share. */
interface Turn {
  readonly rows: readonly LedgerRow<Session>[];
  /** The sequence before it. */
  readonly before: number;
  readonly chunks: readonly Chunk[];
  readonly documents: readonly number[];
  readonly authors: ReadonlySet<Session>;
  /** Of its rows. */
  readonly bytes: number;
  /** The messages of a row, each as a stock client takes it. */
  messages(row: LedgerRow<Session>): Uint8Array[];
}

/**
 * Sends every session what the committed turn holds for it: to a room socket one frame, to a stock client its messages.
 * Its authors come last: they have what they wrote, and others wait for it.
 */
export function fanOut(room: RoomState, rows: readonly LedgerRow<Session>[]): void {
  const turn = createTurn(room, rows);
  const last: RoomSession[] = [];
  for (const session of room.sessions) {
    if (session.kind === "stock") tellStock(room, session, turn);
    else if (session.attachment.presence) {
      if (hasOwn(session) || turn.authors.has(session)) last.push(session);
      else if (rows.length > 0 && isLive(session)) tellReader(room, session, turn);
    }
  }
  for (const session of last) tellAuthor(room, session, turn);
  room.replays.committed(turn.before, rows);
}

function createTurn(room: RoomState, rows: readonly LedgerRow<Session>[]): Turn {
  const { head } = room.ledger;
  const before = (rows[0]?.sequence ?? head + 1) - 1;
  const authors = new Set<Session>();
  for (const { updates } of rows) for (const { author } of updates) authors.add(author);
  const messages = new Map<LedgerRow<Session>, Uint8Array[]>();
  return {
    rows,
    before,
    chunks: toChunks(rows, { before, head }),
    documents: [...new Set(rows.map(({ document }) => document))],
    authors,
    bytes: rows.reduce((sum, { parts }) => sum + parts.length, 0),
    messages(row) {
      const known = messages.get(row);
      if (known) return known;
      const decoded = decodeFrame(row.parts).map(({ payload }) => payload);
      messages.set(row, decoded);
      return decoded;
    },
  };
}

/** What is personal in a turn: a session's own acknowledgement, refusals and clocks. */
function hasOwn({ mark, refusals, resyncs }: RoomSession): boolean {
  return mark !== undefined || refusals !== undefined || resyncs !== undefined;
}

/** Tells one to whom nothing in the turn is personal; where it comes to lag, it goes on from the last cursor. */
function tellReader(room: RoomState, session: RoomSession, { chunks }: Turn): void {
  for (const chunk of chunks) {
    const unnamed = unnamedOf(session, chunk.documents);
    if (!tellLive(room, session, { chunk, frame: frameOf(room, chunk, unnamed) })) return;
    for (const document of unnamed) session.named.add(document);
  }
}

/** Sends the frame of a chunk, or else lets the session lag from where the chunk begins. */
function tellLive(
  room: RoomState,
  session: RoomSession,
  { chunk, frame }: { chunk: Chunk; frame: Uint8Array },
): boolean {
  const isSent = room.outflow.sendIfAllowed(session, frame);
  if (!isSent) room.replays.begin(session, chunk.from.upTo);
  return isSent;
}

/** Tells one to whom the turn is personal: what others wrote, then what is its own, then the cursor. */
function tellAuthor(room: RoomState, session: RoomSession, turn: Turn): void {
  const { chunks, rows } = turn;
  const isTold = rows.length > 0 && isLive(session);
  const [only] = chunks;
  const isOneFrame = isTold && chunks.length === 1 && room.outflow.allowance(session) >= turn.bytes;
  if (isOneFrame && only) {
    const { parts, unnamed } = foreignParts(room, session, only, rows);
    for (const document of unnamed) session.named.add(document);
    tellOwn(room, session, [...parts, ...ownParts(room, session), cursorOf(only)]);
    return;
  }
  if (isTold) tellForeign(room, session, turn);
  tellOwn(room, session, ownParts(room, session));
}

function tellOwn(room: RoomState, session: RoomSession, parts: readonly Uint8Array[]): void {
  for (const frame of packFrames(parts)) answer(room, session, frame);
}

/** Tells an author what others wrote, chunk by chunk. */
function tellForeign(room: RoomState, session: RoomSession, { chunks, rows }: Turn): void {
  for (const chunk of chunks) {
    const { parts, unnamed } = foreignParts(room, session, chunk, rows);
    const frame = concatBytes([...parts, cursorOf(chunk)]);
    if (!tellLive(room, session, { chunk, frame })) return;
    for (const document of unnamed) session.named.add(document);
  }
}

function cursorOf({ to }: Chunk): Uint8Array {
  return controlPart({ type: "cursor", sequence: to.upTo });
}

/** What others wrote of a chunk, after the names that the session lacks. */
function foreignParts(
  room: RoomState,
  session: RoomSession,
  { from, to }: Chunk,
  rows: readonly LedgerRow<Session>[],
): { parts: Uint8Array[]; unnamed: readonly number[] } {
  const parts: Uint8Array[] = [];
  const documents = new Set<number>();
  for (const { sequence, document, parts: whole, updates, ends } of rows) {
    if (sequence <= from.upTo || sequence > to.upTo) continue;
    if (updates.every(({ author }) => author === session)) continue;
    documents.add(document);
    if (!updates.some(({ author }) => author === session)) parts.push(whole);
    else {
      updates.forEach(({ author }, index) => {
        if (author !== session) parts.push(whole.subarray(ends[index - 1] ?? 0, ends[index]));
      });
    }
  }
  const unnamed = unnamedOf(session, [...documents]);
  return { parts: [...unnamed.flatMap((document) => nameOf(room, document)), ...parts], unnamed };
}

/** The refusals, clocks and acknowledgement that are this socket's alone. */
function ownParts(room: RoomState, session: RoomSession): Uint8Array[] {
  const { refusals = [], resyncs = [], mark } = session;
  session.refusals = undefined;
  session.resyncs = undefined;
  session.mark = undefined;
  const parts: Uint8Array[] = [];
  for (const { channel, document, code, message } of refusals) {
    if (document) parts.push(...namePart(session, document));
    parts.push(controlPart({ type: "refuse", channel, code, message }));
  }
  for (const document of resyncs) {
    const payload = clocksFor(room, session, document);
    if (!payload) return [];
    parts.push(...namePart(session, document), encodeFrame([{ channel: document.id, payload }]));
  }
  if (mark !== undefined) parts.push(controlPart({ type: "acknowledge", number: mark }));
  return parts;
}

/** A stock client takes one y-websocket message a WebSocket message, and knows no other. */
function tellStock(room: RoomState, session: StockSession, turn: Turn): void {
  if (turn.rows.length > 0 && isLive(session)) {
    const id = documentOf(room, session)?.id;
    const messages = id !== undefined && turn.documents.includes(id) ? stockMessages(session, turn, id) : [];
    // As long as the allowance lasts; the rest is told from storage.
    const isTold = messages.every((message) => room.outflow.sendIfAllowed(session, message));
    if (!isTold) room.replays.begin(session, turn.before);
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
