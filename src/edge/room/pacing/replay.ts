import type { Clock, Undo } from "../../../base/index.ts";
import { frameOverheadBytes } from "../../../protocol/index.ts";
import type { StoredRow } from "../ports.ts";
import { type Session, saveSession } from "../sockets/session.ts";
import { type Chunk, chunkBytes, takeChunk } from "./chunk.ts";
import { createChunkCache } from "./chunk-cache.ts";
import type { Outflow } from "./outflow.ts";
import { createRecentRows } from "./recent-rows.ts";
import { createWaiting, type Waiting } from "./waiting.ts";

/** What is read before the room does something else, in bytes ... */
const pumpBytes = 2 * 1024 * 1024;
/** ... of which each row counts for this much more: small ones cost time, not bytes. */
const rowCost = 256;

/** Whoever is told the rows of all documents. */
export const everyDocument = 0;

/** A chunk for one reader. */
export interface Delivery {
  chunk: Chunk;
  /** Whether there are no more. */
  isLast: boolean;
}

/**
 * The readers that are told rows from storage: who joins, and who was too slow to be told live. Their
 * principals take turns, a chunk each, as far as credit allows; with many of them the room does other things in between.
 */
export interface Replays {
  /** From here on a session is told the rows after a sequence, from storage. */
  begin(session: Session, after: number): void;
  /** A turn was committed after this sequence; what it wrote may be told from memory. */
  committed(before: number, rows: readonly StoredRow[]): void;
  /** Rows up to a sequence were replaced by a snapshot there: whoever was told some of it is told that, not the rows. */
  compacted(upTo: number): void;
  /** Forgets what is in memory, after documents were dropped or somebody else wrote rows. */
  forget(): void;
  /** Goes on with everybody who may be told more, or with one of them. */
  pump(only?: Session): void;
  release(session: Session): void;
  readonly sessions: Pick<Waiting, "size" | "has" | "isBeside" | typeof Symbol.iterator>;
  stop(): void;
}

export interface ReplaysOptions {
  clock: Clock;
  outflow: Outflow;
  /** The sequence of the newest committed row. */
  head(): number;
  /** The one document that a session is told of, or `everyDocument`; undefined where it does not exist. */
  documentFor(session: Session): number | undefined;
  /** The rows of one document, or of `everyDocument`, after a sequence. */
  stored(document: number, after: number): Iterable<StoredRow>;
  /** How long a session is to wait, in milliseconds, for its principal to be sent more. */
  waitMs(session: Session): number;
  /** Sends a chunk; it has been told to go ahead. */
  send(session: Session, delivery: Delivery): void;
  /** Runs a timer's task as an event of the room. */
  guarded(task: () => void): () => void;
}

/** Creates the replays of a room, with those of its sessions that were reading when it fell asleep. */
export function createReplays(sleepers: Iterable<Session>, options: ReplaysOptions): Replays {
  const { clock, outflow, head, documentFor, stored, waitMs, send, guarded } = options;
  const recent = createRecentRows();
  const chunks = createChunkCache();
  const sessions = createWaiting();
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
      for (const line of only ? [[only]] : sessions.lines()) {
        if (left <= 0) break;
        const wait = line[0] ? waitMs(line[0]) : 0;
        if (wait > 0) waiting = Math.min(waiting, wait);
        const cost = wait > 0 ? 0 : advanceOne(line);
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

  function forget(): void {
    recent.clear();
    chunks.clear();
  }

  function rest(): void {
    forget();
    cancel?.();
    cancel = undefined;
    isPaced = false;
  }

  /** Sends the first of these sessions that need not wait its next chunk, and returns what that cost. */
  function advanceOne(line: readonly Session[]): number {
    for (const session of line) {
      const cost = advance(session);
      if (cost > 0) return cost;
    }
    return 0;
  }

  /** Sends a session its next chunk, and returns what that cost; 0 where it has to wait. */
  function advance(session: Session): number {
    const { attachment } = session;
    const allowance = outflow.allowance(session);
    const chunk = attachment.toldUpTo === undefined ? undefined : nextChunk(session, allowance);
    if (!chunk || !sessions.delete(session)) return 0;
    // What ends a replay needs room in the frame.
    const isLast = chunk.to.upTo === head() && !chunk.to.midway && chunk.bytes <= chunkBytes;
    send(session, { chunk, isLast });
    session.midway = chunk.to.midway;
    if (isLast) delete attachment.toldUpTo;
    else {
      attachment.toldUpTo = chunk.to.upTo;
      sessions.add(session);
    }
    attachment.caughtUp ||= isLast;
    saveSession(session);
    // Nobody lags: what is in memory would serve nobody.
    if (sessions.size === 0) forget();
    return rowCost + chunk.bytes + chunk.rows.length * rowCost;
  }

  /** The next chunk that the allowance has room for: a whole one, shared by all who stand there, or its beginning. */
  function nextChunk(session: Session, allowance: number): Chunk | undefined {
    const bytes = Math.min(chunkBytes, allowance - frameOverheadBytes);
    if (bytes <= 0) return undefined;
    const mayExceed = allowance === Number.POSITIVE_INFINITY;
    const chunk = wholeChunk(session);
    if (!chunk || mayExceed || chunk.bytes <= bytes) return chunk;
    return takeChunk(chunk.rows, chunk.from, { bytes, head: chunk.to.upTo, mayExceed });
  }

  function wholeChunk(session: Session): Chunk | undefined {
    const from = { upTo: session.attachment.toldUpTo ?? 0, midway: session.midway };
    const document = documentFor(session);
    if (document === undefined) return takeChunk([], from, { bytes: 0, head: head(), mayExceed: false });
    const known = chunks.find(document, from, head());
    if (known) return known;
    const isRecent = document === everyDocument && !from.midway;
    const rows = isRecent ? recent.after(from.upTo) : undefined;
    const chunk = takeChunk(rows ?? stored(document, from.upTo), from, {
      bytes: chunkBytes,
      head: head(),
      mayExceed: true,
    });
    if (chunk && chunk.bytes > 0) chunks.put(document, chunk);
    return chunk;
  }

  return {
    begin(session, after) {
      session.attachment.toldUpTo = after;
      session.midway = undefined;
      saveSession(session);
      sessions.add(session);
    },
    committed(before, rows) {
      if (sessions.size > 0) recent.add(before, rows);
    },
    compacted(upTo) {
      recent.drop(upTo);
      chunks.drop(upTo);
    },
    forget,
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
