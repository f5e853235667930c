import { FlockError } from "../../../base/index.ts";
import {
  decodeDocumentMessage,
  decodeFrame,
  emptyUpdate,
  encodeDocumentMessage,
  maxFrameBytes,
  parseJson,
} from "../../../protocol/index.ts";
import { allows } from "../grant.ts";
import type { Delivery } from "../pacing/replay.ts";
import type { RoomState } from "../room-state.ts";
import { answer } from "./answers.ts";
import { decodeAwareness } from "./awareness.ts";
import { foreignWriter } from "./claims.ts";
import { type StockSession, saveSession } from "./session.ts";
import { askStock, openStock, probeStock, takeAnswer } from "./stock-flow.ts";

const syncedMessage = encodeDocumentMessage({ type: "step2", update: emptyUpdate });

/** Asks a stock client for what the relay lacks, where it may write: sync step 1; and shows who is present. */
export function greetStock(room: RoomState, session: StockSession): void {
  if (allows(session.attachment.grant, "write:shared")) askStock(room, session, { isProbe: false });
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
      if (takeAnswer(room, session, message.update)) takeUpdate(room, session, message.update);
      break;
    case "update":
      takeUpdate(room, session, message.update);
      break;
    case "awareness":
      if (allows(session.attachment.grant, "presence")) announce(room, session, message.update);
      room.presence.renew(session);
      break;
    case "query-awareness":
      room.presence.renew(session);
      break;
    case "drop":
      throw new FlockError("edge/forbidden", "A shared document is everybody's: it cannot be dropped.");
  }
}

function takeUpdate(room: RoomState, session: StockSession, update: Uint8Array): void {
  const { grant } = session.attachment;
  const document = openStock(room, session);
  const refusal =
    "code" in document ? document : room.ledger.offerWhole(document, update, { author: session, grant });
  if (!refusal) return;
  room.observer.count("updates_refused", 1, refusal.code);
  if (!refusal.resync) throw new FlockError(refusal.code, refusal.message);
  const excess = room.intake.refused(grant.principal, refusal.code);
  if (excess) throw excess;
  session.wantsClocks = true;
}

/** Sends the rows once a connection; an empty step 2 then tells the client that it is synced. */
function catchUp(room: RoomState, session: StockSession): void {
  if (session.attachment.caughtUp) answer(room, session, syncedMessage);
  else if (session.attachment.toldUpTo === undefined) {
    room.replays.begin(session, 0);
    room.replays.pump();
  }
}

/** Sends the messages of these rows, and to a client that has them all for the first time that it is synced. */
export function sendStockChunk(
  room: RoomState,
  session: StockSession,
  { chunk: { rows }, isLast }: Delivery,
): void {
  for (const { parts } of rows) {
    for (const { payload } of decodeFrame(parts)) room.outflow.send(session, payload);
  }
  if (isLast && !session.attachment.caughtUp) room.outflow.send(session, syncedMessage);
  if (rows.length > 0) probeStock(room, session);
}

/**
 * A stock client re-sends what it is told of others: only the client that it announced first is its own. One that passes
 * for a replica speaks for its own principal's writers alone.
 */
function announce(room: RoomState, session: StockSession, update: Uint8Array): void {
  const { attachment } = session;
  const entries = decodeAwareness(update);
  const own = entries.find(({ client }) =>
    attachment.awarenessClient === undefined
      ? !room.presenceIds.mayBeGiven(client)
      : client === attachment.awarenessClient,
  );
  if (!own) return;
  const foreign = foreignWriter(own.state, attachment.grant.principal);
  if (foreign !== undefined) {
    const message = `A presence names ${foreign.slice(0, 200)}, which is not its own: leave out \`writers\`.`;
    throw new FlockError("edge/forbidden", message);
  }
  if (attachment.awarenessClient === undefined) {
    attachment.awarenessClient = own.client;
    saveSession(session);
  }
  room.presence.change(session, parseJson(own.state) === null ? undefined : own.state);
}
