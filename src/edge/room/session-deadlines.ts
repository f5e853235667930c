import type { FlockError } from "../../base/index.ts";
import { refusalOfTime } from "./access.ts";
import type { Alarms } from "./alarms.ts";
import type { RoomState } from "./room-state.ts";
import { takesNothing } from "./sockets/answers.ts";
import type { Session } from "./sockets/session.ts";

/** How long a socket may hold more than its share of what is in flight without a word on what it has taken. */
const stallMs = 60_000;

/** The moments at which sockets are closed: when their tokens expire, and when others have waited for them for long. */
export interface SessionDeadlines {
  /** The earliest expiry may be another: a session came, went, or goes on with another token. */
  watchExpiry(): void;
  /** Somebody may owe more than the share by now. Cheap enough for every event. */
  watchStalls(): void;
  /** Closes whose token has expired. */
  closeExpired(): void;
  /** Closes whom others have waited for. */
  closeStalled(): void;
}

export interface SessionDeadlinesOptions {
  room: Pick<RoomState, "clock" | "sessions" | "outflow" | "replays" | "resume">;
  alarms: Pick<Alarms, "set">;
  /** Closes a session after what it has sent is stored and told. */
  dismiss(session: Session, problem: FlockError): void;
}

/** Creates the deadlines of a room's sessions; nothing is watched before it is asked for. */
export function createSessionDeadlines({ room, alarms, dismiss }: SessionDeadlinesOptions): SessionDeadlines {
  const { clock, sessions, outflow, replays } = room;
  let isWatchingStalls = false;

  /** Those whom others wait for, should they owe too much. */
  function inTheWay(): Iterable<Session> {
    return outflow.isExhausted ? sessions : replays.sessions;
  }

  function watchExpiry(): void {
    let earliest: number | undefined;
    for (const { attachment } of sessions) {
      const { expiresAt } = attachment.grant;
      if (expiresAt !== undefined) earliest = Math.min(expiresAt, earliest ?? expiresAt);
    }
    alarms.set("expiry", earliest);
  }

  return {
    watchExpiry,
    /** The moment is that of the slowest reader, whenever it is looked for, so that waking does not put it off. */
    watchStalls() {
      if (isWatchingStalls) return;
      let earliest: number | undefined;
      for (const session of inTheWay()) {
        const since = outflow.owesSince(session);
        if (since !== undefined) earliest = Math.min(since, earliest ?? since);
      }
      isWatchingStalls = earliest !== undefined;
      if (earliest !== undefined) alarms.set("stalled", earliest + stallMs);
    },
    closeExpired() {
      const now = clock.now();
      for (const session of sessions) {
        const expired = refusalOfTime(session.attachment.grant, now);
        if (expired) dismiss(session, expired);
      }
      room.resume();
      watchExpiry();
    },
    closeStalled() {
      isWatchingStalls = false;
      const now = clock.now();
      for (const session of [...inTheWay()]) {
        const since = outflow.owesSince(session);
        if (since !== undefined && since + stallMs <= now) dismiss(session, takesNothing());
      }
      room.resume();
    },
  };
}
