import { type Clock, FlockError, toUtf8, type Undo } from "../../../base/index.ts";
import { parseJson } from "../../../protocol/index.ts";
import type { RoomLimits } from "../limits.ts";
import type { Outflow } from "../pacing/outflow.ts";
import { overdrawnMs, spend } from "../pacing/rates.ts";
import {
  awarenessMessage,
  createPresenceNews,
  type PresenceChange,
  type PresenceNews,
  presencePart,
  toRuns,
} from "./presence-messages.ts";
import { presenceOf, type RoomSession, type Session, type StockSession, saveSession } from "./session.ts";

/** A stock client drops who was not renewed in 30 s, and a server that was silent for as long. */
const renewalMs = 10_000;
/** How long changes are gathered, in milliseconds. */
const gatherMs = 40;
/** What the frame that ends a join tells of presence, in bytes; the rest follows as credit comes. */
const joinBytes = 256 * 1024;
/** Departures that are kept for those who lag; whoever has not been told of more than that joins anew. */
const maxDepartures = 1_024;

/**
 * Who is in the room. The states themselves are in the sockets' attachments. Changes are numbered as they are told,
 * and a session knows up to which number it was: a slow one is told the latest of each, not all of them.
 */
export interface PresenceBoard {
  /** Takes the JSON text of a session's state, undefined to withdraw it; others are told shortly. */
  change(session: Session, state: string | undefined): void;
  /** Tells the others that the session is gone. */
  withdraw(session: Session): void;
  /** What a joiner is told first, of every state but its own: encoded parts of at most so many bytes. */
  begin(session: RoomSession, allowanceBytes: number): Uint8Array[];
  /** Sends a stock client every state but its own. */
  show(session: StockSession): void;
  /** Shows them again where the last time is long ago, so that its awareness does not forget them. */
  renew(session: StockSession): void;
  /** Tells one who was held back, or all of them, as far as credit allows. */
  catchUp(session?: Session): void;
  /** Drops what was gathered, and the timer. */
  stop(): void;
}

export interface PresenceBoardOptions {
  /** The sessions that are open, a live view. */
  sessions: Iterable<Session>;
  clock: Clock;
  outflow: Outflow;
  limits: Pick<RoomLimits, "presenceBytes" | "presencesPerSecond">;
  /** The session lags too far to be told who left: it is to join anew. */
  giveUp(session: Session): void;
}

/** Creates the board of a room that begins, or that wakes. */
export function createPresenceBoard(options: PresenceBoardOptions): PresenceBoard {
  const { sessions, clock, outflow, limits, giveUp } = options;
  /** Sessions with a change that has no number yet, and when it gets one. */
  const gathered = new Map<Session, number>();
  /** Sessions that are behind, because they lag. */
  const held = new Set<Session>();
  /** Those who are gone; kept while somebody may not have been told. */
  let departures: PresenceChange[] = [];
  let lastChange = 0;
  let lastStockClock = 0;
  let cancel: Undo | undefined;
  let cancelAt = 0;

  for (const session of sessions) session.presenceChange = ++lastChange;
  for (const session of sessions) {
    if (session.attachment.presenceHeld) held.add(session);
    else session.presenceTold = lastChange;
  }

  /** Grows with the wall, so that it needs no memory over a sleep. */
  function nextStockClock(): number {
    lastStockClock = Math.max(clock.now(), lastStockClock + 1);
    return lastStockClock;
  }

  /** What changed after a number, in order; who is told from the beginning need not hear who left. */
  function changesAfter(told: number): PresenceChange[] {
    const changes = told === 0 ? [] : departures.filter(({ change }) => change > told);
    for (const session of sessions) {
      const presence = session.presenceChange > told ? presenceOf(session) : undefined;
      if (!presence || (told === 0 && presence.state === undefined)) continue;
      const { id, clock: count, state } = presence;
      changes.push({ change: session.presenceChange, entry: { id, clock: count, state } });
    }
    return changes.sort((a, b) => a.change - b.change);
  }

  function othersAfter(told: number, session: Session): PresenceChange[] {
    const own = presenceOf(session)?.id;
    return changesAfter(told).filter(({ entry }) => entry.id !== own);
  }

  /** Tells everybody what is new; those who stand at one number share the very same frames. */
  function tell(): void {
    const groups = new Map<number, PresenceNews>();
    for (const session of sessions) {
      const { presenceTold, attachment } = session;
      const isListening = session.kind === "stock" || attachment.caughtUp;
      if (!isListening || presenceTold === lastChange || held.has(session)) continue;
      const news = groups.get(presenceTold) ?? createPresenceNews(changesAfter(presenceTold));
      groups.set(presenceTold, news);
      if (session.kind === "stock") tellInRuns(session, othersAfter(presenceTold, session));
      else if (
        news.framesFor(attachment.presence?.id ?? 0).every((frame) => outflow.sendIfAllowed(session, frame))
      )
        settle(session);
      else hold(session);
    }
    if (held.size === 0) departures = [];
    else if (departures.length > maxDepartures) giveUpSlowest();
  }

  /** Tells one session, and remembers how far it came. */
  function tellInRuns(session: Session, changes: readonly PresenceChange[]): void {
    for (const run of toRuns(changes, session.kind)) {
      const message = session.kind === "room" ? presencePart(run) : awarenessMessage(run, nextStockClock());
      if (!outflow.sendIfAllowed(session, message)) {
        hold(session);
        return;
      }
      session.presenceTold = run.at(-1)?.change ?? session.presenceTold;
    }
    settle(session);
  }

  function hold(session: Session): void {
    held.add(session);
    if (session.attachment.presenceHeld) return;
    session.attachment.presenceHeld = true;
    saveSession(session);
  }

  function settle(session: Session): void {
    session.presenceTold = lastChange;
    held.delete(session);
    if (!session.attachment.presenceHeld) return;
    delete session.attachment.presenceHeld;
    saveSession(session);
  }

  function giveUpSlowest(): void {
    departures = departures.slice(-maxDepartures);
    const oldest = departures[0]?.change ?? 0;
    for (const session of [...held]) if (session.presenceTold < oldest) giveUp(session);
  }

  /** A window of gathering ends: what is due in it is numbered and told. */
  function endWindow(): void {
    cancel = undefined;
    const now = clock.now();
    for (const [session, dueAt] of gathered) {
      if (dueAt > now) continue;
      gathered.delete(session);
      session.presenceChange = ++lastChange;
      spend(session.presences, 1, limits.presencesPerSecond, now);
    }
    tell();
    if (gathered.size > 0) openWindow(Math.min(...gathered.values()));
  }

  function openWindow(until: number): void {
    if (cancel && cancelAt <= until) return;
    cancel?.();
    cancelAt = until;
    cancel = clock.after(until - clock.now(), endWindow);
  }

  function show(session: StockSession): void {
    session.shownAt = clock.now();
    session.presenceTold = 0;
    const others = othersAfter(0, session);
    // A client that is alone hears from the relay as well, or it would take it for dead.
    if (others.length === 0) outflow.sendIfAllowed(session, awarenessMessage([], nextStockClock()));
    tellInRuns(session, others);
  }

  return {
    change(session, state) {
      const presence = presenceOf(session);
      if (!presence || presence.state === state) return;
      if (state !== undefined) assertState(state, limits.presenceBytes);
      presence.clock++;
      if (state === undefined) delete presence.state;
      else presence.state = state;
      saveSession(session);
      const now = clock.now();
      const dueAt = gathered.get(session) ?? now + Math.max(gatherMs, overdrawnMs(session.presences, now));
      gathered.set(session, dueAt);
      openWindow(dueAt);
    },
    withdraw(session) {
      const isUnheard = gathered.delete(session);
      held.delete(session);
      const presence = presenceOf(session);
      if (!presence || (presence.state === undefined && !isUnheard)) return;
      const entry = { id: presence.id, clock: presence.clock + 1, state: undefined };
      departures.push({ change: ++lastChange, entry });
      // The first is told at once; those who leave right after it are told together.
      if (!cancel) tell();
      openWindow(clock.now() + gatherMs);
    },
    begin(session, allowanceBytes) {
      const parts: Uint8Array[] = [];
      let left = Math.min(joinBytes, allowanceBytes);
      session.presenceTold = 0;
      for (const run of toRuns(othersAfter(0, session), session.kind)) {
        const part = presencePart(run);
        left -= part.length;
        if (left < 0) {
          hold(session);
          return parts;
        }
        parts.push(part);
        session.presenceTold = run.at(-1)?.change ?? 0;
      }
      settle(session);
      return parts.length > 0 ? parts : [presencePart([])];
    },
    show,
    renew(session) {
      if (session.shownAt === undefined || clock.now() - session.shownAt >= renewalMs) show(session);
    },
    catchUp(only) {
      for (const session of only ? [only] : [...held]) {
        if (!held.has(session) || outflow.allowance(session) === 0) continue;
        tellInRuns(session, othersAfter(session.presenceTold, session));
      }
    },
    stop() {
      gathered.clear();
      cancel?.();
      cancel = undefined;
    },
  };
}

function assertState(state: string, limit: number): void {
  const bytes = toUtf8(state).length;
  if (bytes > limit) {
    throw new FlockError(
      "protocol/presence-too-large",
      `A presence state of ${bytes} bytes is past the limit of ${limit}.`,
    );
  }
  const value = parseJson(state);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FlockError("protocol/malformed-frame", "A presence state is no JSON object.");
  }
}
