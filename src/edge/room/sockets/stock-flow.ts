import { parseDocumentName } from "../../../protocol/index.ts";
import type { LedgerDocument, LedgerRefusal } from "../ledger/ledger.ts";
import type { RoomState } from "../room-state.ts";
import { answer, clocksFor } from "./answers.ts";
import type { StockSession } from "./session.ts";

/** What a stock client is sent before it is asked how far it has read, in bytes. */
const probeBytes = 256 * 1024;
/** Unanswered questions of one client; past it, it is asked no more. */
const maxAsked = 64;

/** The one document of a stock client; why not, where it does not exist and the client may not begin it. */
export function openStock(room: RoomState, session: StockSession): LedgerDocument | LedgerRefusal {
  if (session.document) return session.document;
  const { document: name, grant } = session.attachment;
  const opened = room.ledger.open(parseDocumentName(name), grant);
  // Kept for good: a shared document is never dropped.
  if (!("code" in opened)) session.document = opened;
  return opened;
}

/** As `openStock`; undefined where there is none. */
export function documentOf(room: RoomState, session: StockSession): LedgerDocument | undefined {
  const document = openStock(room, session);
  return "code" in document ? undefined : document;
}

/** Sends a stock client sync step 1: with what the relay lacks it says that it has read what was sent before. */
export function askStock(room: RoomState, session: StockSession, { isProbe }: { isProbe: boolean }): void {
  if (session.asked.length >= maxAsked) return;
  const message = clocksFor(room, session, documentOf(room, session));
  if (!message) return;
  session.asked.push({ sent: session.sent, isProbe });
  session.askedAt = session.sent;
  answer(room, session, message);
}

/** Asks a stock client, which knows no credit, for a sign that it has read what it was sent, once that is much. */
export function probeStock(room: RoomState, session: StockSession): void {
  if (session.sent - session.askedAt >= probeBytes) askStock(room, session, { isProbe: true });
}

/** Takes the sync step 2 of a stock client as a sign of what it has read; tells whether it may hold anything new. */
export function takeAnswer(room: RoomState, session: StockSession, update: Uint8Array): boolean {
  const asked = session.asked.shift();
  if (asked) room.outflow.take(session, asked.sent);
  room.resume(session);
  // Without structs it lists deletions, and those of a client that is in step were updates before.
  return !asked?.isProbe || update[0] !== 0;
}
