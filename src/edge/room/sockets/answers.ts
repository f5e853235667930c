import { FlockError } from "../../../base/index.ts";
import { encodeClocks, encodeDocumentMessage, maxUpdateBytes } from "../../../protocol/index.ts";
import type { LedgerDocument } from "../ledger/ledger.ts";
import type { RoomState } from "../room-state.ts";
import type { Session } from "./session.ts";

/** Sends what a session asked for, which cannot wait; one that asks on and takes nothing is closed. */
export function answer(room: RoomState, session: Session, bytes: Uint8Array): void {
  if (!room.outflow.sendNow(session, bytes, "answer")) room.expel(session, takesNothing());
}

/** Why a session is closed that is too far behind. */
export function takesNothing(): FlockError {
  return new FlockError(
    "edge/rate-limited",
    "This socket does not take what it is sent: connect again, and go on from the cursor.",
  );
}

/**
 * Sync step 1 with the relay's clocks of a document, to be sent to this session; undefined where its principal has
 * asked for too much, and the session is closed.
 */
export function clocksFor(
  room: RoomState,
  session: Session,
  document: LedgerDocument | undefined,
): Uint8Array | undefined {
  const { principal } = session.attachment.grant;
  const stateVector = encodeClocks(document ? room.ledger.clocks(document) : new Map());
  if (room.egress.waitMs(principal) > 0) {
    const message = `${principal} asks for more than ${room.limits.bytesOutPerSecond} bytes a second: connect again later.`;
    room.expel(session, new FlockError("edge/rate-limited", message));
    return undefined;
  }
  if (stateVector.length > maxUpdateBytes) {
    const message = `${document?.name.name} has more clients than one frame can name.`;
    room.expel(session, new FlockError("protocol/frame-too-large", message));
    return undefined;
  }
  room.egress.charge(principal, stateVector.length);
  return encodeDocumentMessage({ type: "step1", stateVector });
}
