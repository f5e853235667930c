import {
  decodeFrame,
  encodeClocks,
  encodeDocumentMessage,
  encodeFrame,
  parseDocumentName,
} from "../../protocol/index.ts";
import type { LedgerRow } from "./document-ledger.ts";
import type { Ledger } from "./ledger.ts";
import { controlPart, packFrames } from "./parts.ts";
import type { RoomSocket } from "./ports.ts";
import type { RoomSession, Session, StockSession } from "./session.ts";

/** Sends every session what the committed turn holds for it: to a room socket one frame, to a stock client its messages. */
export function fanOut(
  ledger: Ledger<Session>,
  sessions: Iterable<Session>,
  rows: readonly LedgerRow<Session>[],
): void {
  const frames = createSharedFrames(ledger, rows);
  for (const session of sessions) {
    if (session.kind === "stock") sendStock(ledger, session, rows);
    else if (session.attachment.presence) {
      for (const frame of frames(session)) session.socket.send(frame);
    }
  }
}

/** A stock client takes one y-websocket message a WebSocket message, and knows no other. */
function sendStock(
  ledger: Ledger<Session>,
  session: StockSession,
  rows: readonly LedgerRow<Session>[],
): void {
  const { socket, attachment, resyncs } = session;
  const { id } = ledger.documentNamed(parseDocumentName(attachment.document));
  for (const row of attachment.caughtUp ? rows : []) {
    if (row.document !== id) continue;
    for (const { author, part } of row.updates) if (author !== session) sendMessages(socket, part);
  }
  for (const document of resyncs) socket.send(clocksMessage(ledger, document));
  resyncs.clear();
}

/** Sends the document messages of encoded parts, each by itself. */
export function sendMessages(socket: RoomSocket, parts: Uint8Array): void {
  for (const { payload } of decodeFrame(parts)) socket.send(payload);
}

/** Readers to whom nothing in the turn is personal share the very same frames. */
function createSharedFrames(ledger: Ledger<Session>, rows: readonly LedgerRow<Session>[]) {
  const shared = new Map<string, Uint8Array[]>();
  const authors = new Set(rows.flatMap((row) => row.updates.map(({ author }) => author)));

  return (session: RoomSession): Uint8Array[] => {
    const unnamed = namesDue(session, rows);
    const personal =
      authors.has(session) ||
      session.mark !== undefined ||
      session.resyncs.size > 0 ||
      session.refusals.length > 0;
    if (personal) {
      return packFrames([...rowParts(ledger, session, rows, unnamed), ...ownParts(ledger, session, rows)]);
    }
    if (rows.length === 0) return [];
    const key = unnamed.join();
    let frames = shared.get(key);
    if (!frames) {
      frames = packFrames([...rowParts(ledger, session, rows, unnamed), cursorPart(ledger)]);
      shared.set(key, frames);
    }
    for (const document of unnamed) session.named.add(document);
    return frames;
  };
}

/** The documents in these rows whose name the socket has not been sent. */
function namesDue(session: RoomSession, rows: readonly LedgerRow<Session>[]): number[] {
  return [...new Set(rows.map(({ document }) => document))].filter(
    (document) => !session.named.has(document),
  );
}

function* rowParts(
  ledger: Ledger<Session>,
  session: RoomSession,
  rows: readonly LedgerRow<Session>[],
  unnamed: readonly number[],
): Iterable<Uint8Array> {
  for (const row of rows) {
    const foreign = row.updates.filter(({ author }) => author !== session);
    if (foreign.length === 0) continue;
    if (unnamed.includes(row.document)) yield* namePart(ledger, session, row.document);
    if (foreign.length === row.updates.length) yield row.parts;
    else for (const { part } of foreign) yield part;
  }
}

/** The refusals, clocks and acknowledgement that are this socket's alone, then the cursor. */
function* ownParts(
  ledger: Ledger<Session>,
  session: RoomSession,
  rows: readonly LedgerRow<Session>[],
): Iterable<Uint8Array> {
  const { refusals, resyncs, mark } = session;
  session.refusals = [];
  session.mark = undefined;
  for (const { document, code, message } of refusals) {
    yield* namePart(ledger, session, document);
    yield controlPart({ type: "refuse", channel: document, code, message });
  }
  for (const document of resyncs) {
    yield* namePart(ledger, session, document);
    yield encodeFrame([{ channel: document, payload: clocksMessage(ledger, document) }]);
  }
  resyncs.clear();
  if (mark !== undefined) yield controlPart({ type: "acknowledge", number: mark });
  if (rows.length > 0) yield cursorPart(ledger);
}

function cursorPart(ledger: Ledger<Session>): Uint8Array {
  return controlPart({ type: "cursor", sequence: ledger.head });
}

/** The part that names a document, the first time that this socket meets it. */
export function* namePart(
  ledger: Ledger<Session>,
  session: RoomSession,
  document: number,
): Iterable<Uint8Array> {
  if (session.named.has(document)) return;
  session.named.add(document);
  const name = ledger.documentNumbered(document)?.name.name;
  if (name !== undefined) yield controlPart({ type: "name", channel: document, name });
}

/** Sync step 1 with the relay's clocks of a document. */
export function clocksMessage(ledger: Ledger<Session>, document: number): Uint8Array {
  const known = ledger.documentNumbered(document);
  const clocks = known ? ledger.clocks(known) : new Map<number, number>();
  return encodeDocumentMessage({ type: "step1", stateVector: encodeClocks(clocks) });
}
