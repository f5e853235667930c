import { type Clock, FlockError, toUtf8, type Undo } from "../../base/index.ts";
import {
  encodeDocumentMessage,
  maxPresenceBytes,
  type PresenceEntry,
  parseJson,
  parsePresence,
} from "../../protocol/index.ts";
import { encodeAwareness } from "./awareness.ts";
import { controlPart, packFrames } from "./parts.ts";
import { presenceOf, type Session, type StockSession, saveSession } from "./session.ts";

/** A stock client drops who was not renewed in 30 s, and a server that was silent for as long. */
const renewalMs = 10_000;
/** How long changes are gathered, in milliseconds; a departure is told at once. */
const gatherMs = 40;
/** States in one message: few, since a reader's own is left out of a message that is otherwise everybody's. */
const maxEntries = 32;

/** Who is in the room. The states themselves are in the sockets' attachments. */
export interface PresenceBoard {
  /** Takes the JSON text of a session's state, undefined to withdraw it; others are told shortly. */
  change(session: Session, state: string | undefined): void;
  /** Tells the others that the session is gone. */
  withdraw(session: Session): void;
  /** Encoded parts with every state but the session's own. */
  everyone(session: Session): Uint8Array[];
  /** Sends a stock client every state but its own. */
  show(session: StockSession): void;
  /** Shows them again where the last time is long ago, so that its awareness does not forget them. */
  renew(session: StockSession): void;
  /** Drops what was gathered, and the timer. */
  stop(): void;
}

/** Creates the board over the sessions that are open, a live view. */
export function createPresenceBoard(sessions: Iterable<Session>, clock: Clock): PresenceBoard {
  const changed = new Set<Session>();
  let cancel: Undo | undefined;
  let lastStockClock = 0;

  /** Grows with the wall, so that it needs no memory over a sleep. */
  function nextStockClock(): number {
    lastStockClock = Math.max(clock.now(), lastStockClock + 1);
    return lastStockClock;
  }

  function others(session: Session): PresenceEntry[] {
    const entries: PresenceEntry[] = [];
    for (const other of sessions) {
      const entry = other === session ? undefined : toEntry(other);
      if (entry?.state !== undefined) entries.push(entry);
    }
    return entries;
  }

  function tell(entries: readonly PresenceEntry[]): void {
    const runs = toRuns(entries).map((run) => ({ run, shared: presencePart(run) }));
    for (const session of sessions) {
      const own = presenceOf(session)?.id;
      if (own === undefined) continue;
      if (session.kind === "stock") {
        const foreign = entries.filter(({ id }) => id !== own);
        if (foreign.length > 0) tellStock(session, foreign);
        continue;
      }
      const parts = runs.flatMap(({ run, shared }) => {
        const foreign = run.filter(({ id }) => id !== own);
        if (foreign.length === run.length) return shared;
        return foreign.length > 0 ? presencePart(foreign) : [];
      });
      for (const frame of packFrames(parts)) session.socket.send(frame);
    }
  }

  function tellStock(session: StockSession, entries: readonly PresenceEntry[]): void {
    const stockClock = nextStockClock();
    const states = entries.map(({ id, state }) => ({
      client: id,
      clock: stockClock,
      state: awarenessOf(state),
    }));
    session.socket.send(encodeDocumentMessage({ type: "awareness", update: encodeAwareness(states) }));
  }

  function show(session: StockSession): void {
    session.shownAt = clock.now();
    tellStock(session, others(session));
  }

  function tellChanged(): void {
    cancel = undefined;
    const entries = [...changed].map(toEntry).filter((entry) => entry !== undefined);
    changed.clear();
    tell(entries);
  }

  return {
    change(session, state) {
      const presence = presenceOf(session);
      if (!presence || presence.state === state) return;
      if (state !== undefined) assertState(state);
      presence.clock++;
      if (state === undefined) delete presence.state;
      else presence.state = state;
      saveSession(session);
      changed.add(session);
      cancel ??= clock.after(gatherMs, tellChanged);
    },
    withdraw(session) {
      const unheard = changed.delete(session);
      const presence = presenceOf(session);
      if (!presence || (presence.state === undefined && !unheard)) return;
      presence.clock++;
      delete presence.state;
      saveSession(session);
      tell([{ id: presence.id, clock: presence.clock, state: undefined }]);
    },
    everyone(session) {
      const entries = others(session);
      return entries.length === 0 ? [presencePart([])] : toRuns(entries).map(presencePart);
    },
    show,
    renew(session) {
      if (session.shownAt === undefined || clock.now() - session.shownAt >= renewalMs) show(session);
    },
    stop() {
      changed.clear();
      cancel?.();
      cancel = undefined;
    },
  };
}

function toEntry(session: Session): PresenceEntry | undefined {
  const presence = presenceOf(session);
  return presence && { id: presence.id, clock: presence.clock, state: presence.state };
}

function toRuns(entries: readonly PresenceEntry[]): PresenceEntry[][] {
  const runs: PresenceEntry[][] = [];
  for (let from = 0; from < entries.length; from += maxEntries)
    runs.push(entries.slice(from, from + maxEntries));
  return runs;
}

function presencePart(entries: PresenceEntry[]): Uint8Array {
  return controlPart({ type: "presences", entries });
}

/** What a stock client is shown of a state: of a replica of ours, the application's awareness alone. */
function awarenessOf(state: string | undefined): string {
  if (state === undefined) return "null";
  const ours = parsePresence(state);
  return ours ? JSON.stringify(ours.awareness) : state;
}

function assertState(state: string): void {
  const bytes = toUtf8(state).length;
  if (bytes > maxPresenceBytes) {
    throw new FlockError(
      "protocol/presence-too-large",
      `A presence state of ${bytes} bytes is past the limit of ${maxPresenceBytes}.`,
    );
  }
  const value = parseJson(state);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FlockError("protocol/malformed-frame", "A presence state is no JSON object.");
  }
}
