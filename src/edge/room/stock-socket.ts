import { FlockError } from "../../base/index.ts";
import {
  decodeDocumentMessage,
  emptyUpdate,
  encodeDocumentMessage,
  maxFrameBytes,
  parseDocumentName,
  parseJson,
} from "../../protocol/index.ts";
import { decodeAwareness } from "./awareness.ts";
import { clocksMessage, sendMessages } from "./fan-out.ts";
import type { LedgerDocument } from "./ledger.ts";
import type { RoomState } from "./room-state.ts";
import { type StockSession, saveSession } from "./session.ts";

function documentOf(room: RoomState, session: StockSession): LedgerDocument {
  return room.ledger.documentNamed(parseDocumentName(session.attachment.document));
}

/** Asks a stock client for what the relay lacks: sync step 1, and who is present. */
export function greetStock(room: RoomState, session: StockSession): void {
  session.socket.send(clocksMessage(room.ledger, documentOf(room, session).id));
  room.presence.show(session);
}

/**
 * Takes one message of a stock y-websocket client.
 *
 * @throws the `FlockError` to close the socket with
 */
export function receiveStock(room: RoomState, session: StockSession, bytes: Uint8Array): void {
  if (bytes.length > maxFrameBytes) {
    const message = `A message of ${bytes.length} bytes is past the limit of ${maxFrameBytes}.`;
    throw new FlockError("protocol/frame-too-large", message);
  }
  const message = decodeDocumentMessage(bytes);
  switch (message.type) {
    case "step1":
      catchUp(room, session);
      break;
    case "step2":
    case "update": {
      const document = documentOf(room, session);
      const refusal = room.ledger.offerWhole(document, message.update, {
        author: session,
        grant: session.grant,
      });
      if (refusal && !refusal.resync) throw new FlockError(refusal.code, refusal.message);
      if (refusal) session.resyncs.add(document.id);
      break;
    }
    case "awareness":
      receiveAwareness(room, session, message.update);
      break;
    case "query-awareness":
      room.presence.show(session);
      break;
  }
}

/** Sends the committed rows once a connection; an empty step 2 then tells the client that it is synced. */
function catchUp(room: RoomState, session: StockSession): void {
  const { socket, attachment } = session;
  if (!attachment.caughtUp) {
    for (const { parts } of room.storage.rowsOf(documentOf(room, session).id)) sendMessages(socket, parts);
    attachment.caughtUp = true;
    saveSession(session);
  }
  socket.send(encodeDocumentMessage({ type: "step2", update: emptyUpdate }));
}

/** A stock client re-sends what it is told of others: only the client that it announced first is its own. */
function receiveAwareness(room: RoomState, session: StockSession, update: Uint8Array): void {
  const { attachment } = session;
  const entries = decodeAwareness(update);
  const own = entries.find(({ client }) =>
    attachment.awarenessClient === undefined
      ? !room.presenceIds.mayBeGiven(client)
      : client === attachment.awarenessClient,
  );
  if (own) {
    if (attachment.awarenessClient === undefined) {
      attachment.awarenessClient = own.client;
      saveSession(session);
    }
    room.presence.change(session, parseJson(own.state) === null ? undefined : own.state);
  }
  room.presence.renew(session);
}
