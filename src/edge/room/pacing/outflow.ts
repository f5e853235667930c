import type { Clock } from "../../../base/index.ts";
import { maxFrameBytes } from "../../../protocol/index.ts";
import type { Session } from "../sockets/session.ts";

/** A socket with this much unacknowledged is sent no more rows. */
export const windowBytes = maxFrameBytes;
/** All sockets of a room together: what is past it by a frame is the most that a room keeps for its readers. */
export const budgetBytes = 32 * 1024 * 1024;
/** What cannot wait may go this far past the window; a socket that asks on and takes nothing is closed there. */
const urgentBytes = windowBytes;
/** What rows and presence leave of the budget for what cannot wait: acknowledgements first of all. */
const reserveBytes = 4 * 1024 * 1024;
/** The sessions of one principal may hold this part of what is past the shares, so that something is left for who comes ... */
const alonePart = 3 / 4;
/** ... and this while others wait. */
const contestedPart = 1 / 4;

/** What cannot wait: the answer to what a session sent, or a signal, which may be lost and leaves room for answers. */
export type Urgency = "answer" | "signal";

/**
 * How much was sent and not taken, of each socket and of the room. workerd does not tell it, so readers do. Half of
 * the budget is split into one share for each socket that the limits allow, so that those who take nothing cannot
 * keep others waiting; what is past a share comes from the other half, first come, first served: to one principal at
 * most three quarters of it, and one while others wait.
 */
export interface Outflow {
  /** How many bytes that can wait may be sent to a session: none, up to what is left of its share, or any one frame. */
  allowance(session: Session): number;
  /** Sends what the allowance was asked for. */
  send(session: Session, bytes: Uint8Array): void;
  /** Sends what can wait, where the allowance has room for it; tells whether it had. */
  sendIfAllowed(session: Session, bytes: Uint8Array): boolean;
  /** Sends what cannot wait; false, and nothing is sent, where the session is too far behind even for that. */
  sendNow(session: Session, bytes: Uint8Array, urgency: Urgency): boolean;
  /** A session has taken this much of all that it was sent. */
  take(session: Session, total: number): void;
  /** A session is gone. */
  release(session: Session): void;
  /** When a session that holds more than its share last said what it has taken; undefined where it holds no more. */
  owesSince(session: Session): number | undefined;
  /** The frames and bytes sent since the last call. */
  takeCounts(): { frames: number; bytes: number };
  /** Everything that was sent and not taken, in bytes. */
  readonly unacknowledgedBytes: number;
  /** Whether only shares are left. */
  readonly isExhausted: boolean;
}

export interface OutflowOptions {
  /** The number of connections that the room takes. */
  connections: number;
  clock: Pick<Clock, "now">;
  /** Whether others than this principal wait to be told rows. */
  othersWait(principal: string): boolean;
}

/** Creates the account of a room, with what its sockets owed when it fell asleep. */
export function createOutflow(
  sleepers: Iterable<Session>,
  { connections, clock, othersWait }: OutflowOptions,
): Outflow {
  const share = Math.floor(budgetBytes / 2 / Math.max(1, connections));
  const total = budgetBytes - share * Math.max(1, connections);
  const common = total - reserveBytes;
  const limits = { answer: total, signal: total - reserveBytes / 2 };
  let unacknowledged = 0;
  let excess = 0;
  /** The same by principal, where it is not 0. */
  const excesses = new Map<string, number>();
  let frames = 0;
  let sentBytes = 0;
  for (const session of sleepers) {
    unacknowledged += owed(session);
    exceed(session, Math.max(0, owed(session) - share));
  }

  function change(session: Session, by: { sent?: number; taken?: number }): void {
    const before = owed(session);
    session.sent += by.sent ?? 0;
    session.taken += by.taken ?? 0;
    const after = owed(session);
    unacknowledged += after - before;
    exceed(session, Math.max(0, after - share) - Math.max(0, before - share));
    if (by.taken !== undefined || (before <= share && after > share)) session.heardAt = clock.now();
  }

  function exceed({ attachment }: Session, by: number): void {
    if (by === 0) return;
    const { principal } = attachment.grant;
    const own = (excesses.get(principal) ?? 0) + by;
    excess += by;
    if (own === 0) excesses.delete(principal);
    else excesses.set(principal, own);
  }

  function mayExceed({ attachment }: Session): boolean {
    if (excess >= common) return false;
    const { principal } = attachment.grant;
    const own = excesses.get(principal) ?? 0;
    return own < common * contestedPart || (own < common * alonePart && !othersWait(principal));
  }

  function send(session: Session, bytes: Uint8Array): void {
    if (session.isGone) return;
    frames++;
    sentBytes += bytes.length;
    change(session, { sent: bytes.length });
    session.socket.send(bytes);
  }

  function allowance(session: Session): number {
    if (owed(session) >= windowBytes) return 0;
    return mayExceed(session) ? Number.POSITIVE_INFINITY : Math.max(0, share - owed(session));
  }

  return {
    allowance,
    send,
    sendIfAllowed(session, bytes) {
      if (allowance(session) < bytes.length) return false;
      send(session, bytes);
      return true;
    },
    sendNow(session, bytes, urgency) {
      const owes = owed(session);
      const fits = excess < limits[urgency] || owes + bytes.length <= share;
      if (!fits || owes >= windowBytes + urgentBytes) return false;
      send(session, bytes);
      return true;
    },
    take(session, total) {
      // A room that slept knows no totals: what is told to it is what was sent.
      if (total > session.sent) change(session, { sent: total - session.sent });
      if (total > session.taken) change(session, { taken: total - session.taken });
    },
    release(session) {
      session.isGone = true;
      change(session, { taken: owed(session) });
    },
    owesSince: (session) => (owed(session) > share ? session.heardAt : undefined),
    takeCounts() {
      const counts = { frames, bytes: sentBytes };
      frames = 0;
      sentBytes = 0;
      return counts;
    },
    get unacknowledgedBytes() {
      return unacknowledged;
    },
    get isExhausted() {
      return excess >= common;
    },
  };
}

/** What a session was sent and has not taken, in bytes. */
function owed({ sent, taken }: Session): number {
  return sent - taken;
}
