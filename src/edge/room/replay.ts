import type { Clock, Undo } from "../../base/index.ts";
import { frameOverheadBytes } from "../../protocol/index.ts";
import type { Outflow } from "./outflow.ts";
import type { StoredRow } from "./ports.ts";
import { type Session, saveSession } from "./session.ts";

/** What one reader is sent of rows before it is the next one's turn, in bytes. */
export const chunkBytes = 256 * 1024;
/** What is read before the room does something else, in bytes ... */
const pumpBytes = 2 * 1024 * 1024;
/** ... of which each row counts for this much more: small ones cost time, not bytes. */
const rowCost = 256;

/** A run of rows that a reader has not been told. */
export interface Chunk {
  rows: readonly StoredRow[];
  /** Of the rows. */
  bytes: number;
  /** What the reader has been told once it has this: no sequence of which it lacks a piece. */
  toldUpTo: number;
  /** Whether there are no more. */
  isLast: boolean;
}

/**
 * The readers that are told rows from storage: who joins, and who was too slow to be told live. They take turns, a
 * chunk each, as far as credit allows; with many of them the room does other things in between.
 */
export interface Replays {
  /** From here on a session is told the rows after a sequence, from storage. */
  begin(session: Session, after: number): void;
  /** Goes on with everybody who may be told more, or with one of them. */
  pump(only?: Session): void;
  release(session: Session): void;
  readonly sessions: ReadonlySet<Session>;
  stop(): void;
}

export interface ReplaysOptions {
  clock: Clock;
  outflow: Outflow;
  /** The sequence of the newest committed row. */
  head(): number;
  /** The rows that concern a session after what it was told, in order. */
  rowsFor(session: Session, after: number): Iterable<StoredRow>;
  /** How long a session is to wait, in milliseconds, for its principal to be sent more. */
  waitMs(session: Session): number;
  /** Sends a chunk; it has been told to go ahead. */
  send(session: Session, chunk: Chunk): void;
  /** Runs a timer's task as an event of the room. */
  guarded(task: () => void): () => void;
}

/** Creates the replays of a room, with those of its sessions that were reading when it fell asleep. */
export function createReplays(sleepers: Iterable<Session>, options: ReplaysOptions): Replays {
  const { clock, outflow, head, rowsFor, waitMs, send, guarded } = options;
  const sessions = new Set<Session>();
  let cancel: Undo | undefined;
  let isPaced = false;
  for (const session of sleepers) if (session.attachment.toldUpTo !== undefined) sessions.add(session);

  function pump(only?: Session): void {
    // What is left of a long round goes on at the next tick, whatever comes meanwhile.
    if (isPaced) return;
    let left = pumpBytes;
    let waiting = Number.POSITIVE_INFINITY;
    let progress = sessions.size > 0;
    while (progress && left > 0) {
      progress = false;
      for (const session of only ? [only] : [...sessions]) {
        if (left <= 0) break;
        const wait = waitMs(session);
        if (wait > 0) waiting = Math.min(waiting, wait);
        const cost = wait > 0 ? 0 : advance(session);
        left -= cost;
        if (cost > 0) progress = true;
      }
    }
    isPaced = left <= 0;
    if (isPaced || waiting < Number.POSITIVE_INFINITY) wakeIn(isPaced ? 0 : Math.ceil(waiting));
  }

  function wakeIn(delayMs: number): void {
    cancel?.();
    const task = guarded(() => {
      isPaced = false;
      pump();
    });
    cancel = clock.after(delayMs, task);
  }

  function rest(): void {
    cancel?.();
    cancel = undefined;
    isPaced = false;
  }

  /** Sends a session its next chunk, and returns what that cost; 0 where it has to wait. */
  function advance(session: Session): number {
    const { attachment } = session;
    const allowance = outflow.allowance(session);
    const chunk = attachment.toldUpTo === undefined ? undefined : readChunk(session, allowance);
    if (!chunk || !sessions.delete(session)) return 0;
    send(session, chunk);
    if (chunk.isLast) delete attachment.toldUpTo;
    else {
      attachment.toldUpTo = chunk.toldUpTo;
      sessions.add(session);
    }
    attachment.caughtUp ||= chunk.isLast;
    saveSession(session);
    return rowCost + chunk.bytes + chunk.rows.length * rowCost;
  }

  function readChunk(session: Session, allowance: number): Chunk | undefined {
    const limit = Math.min(chunkBytes, allowance - frameOverheadBytes);
    if (limit <= 0) return undefined;
    const told = session.attachment.toldUpTo ?? 0;
    const { midway } = session;
    const rows: StoredRow[] = [];
    let bytes = 0;
    let next: StoredRow | undefined;
    for (const row of rowsFor(session, told)) {
      if (midway && row.sequence === midway.sequence && row.piece <= midway.piece) continue;
      // A row past a chunk goes alone, where more than a share is left.
      const isAlone = rows.length === 0 && allowance === Number.POSITIVE_INFINITY;
      if (bytes + row.parts.length > limit && !isAlone) {
        next = row;
        break;
      }
      rows.push(row);
      bytes += row.parts.length;
    }
    if (next && rows.length === 0) return undefined;
    // What ends a replay needs room in the frame.
    if (!next && bytes <= chunkBytes) {
      session.midway = undefined;
      return { rows, bytes, toldUpTo: head(), isLast: true };
    }
    const last = rows.at(-1);
    const isMidway = last !== undefined && next?.sequence === last.sequence;
    session.midway = isMidway ? { sequence: last.sequence, piece: last.piece } : undefined;
    const toldUpTo = isMidway
      ? (rows.findLast(({ sequence }) => sequence < last.sequence)?.sequence ?? told)
      : (last?.sequence ?? told);
    return { rows, bytes, toldUpTo, isLast: false };
  }

  return {
    begin(session, after) {
      session.attachment.toldUpTo = after;
      session.midway = undefined;
      saveSession(session);
      sessions.add(session);
    },
    pump,
    release(session) {
      sessions.delete(session);
      if (sessions.size === 0) rest();
    },
    sessions,
    stop() {
      sessions.clear();
      rest();
    },
  };
}
