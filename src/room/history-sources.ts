import { isFlockError, type Timestamp } from "../base/index.ts";
import type { Documents, Entry, LoggedPage } from "../crdt/index.ts";
import { formatPageName } from "../protocol/index.ts";
import { comparePlaces, type HistoryPlace } from "./history-order.ts";

/** What of the lanes is wanted, and in which order. */
export interface HistoryRange {
  isNewestFirst: boolean;
  /** Nothing up to this clock, nothing from that one on. */
  after: Timestamp;
  before: Timestamp;
  /** Only what comes after it in the order. */
  cursor: HistoryPlace | undefined;
}

/** A part of a lane, in order: what is next, or how early it can be. */
export interface HistorySource {
  readonly writer: string;
  /** What is next; undefined where a page must be read to tell, and at the end. */
  readonly head: Entry | undefined;
  /** No entry of it comes before this clock in the order. */
  readonly bound: Timestamp;
  readonly isOver: boolean;
  advance(): void;
  /** Reads the next page. @throws what reading history throws */
  load(): Promise<void>;
  /** Ends it; what is being read rejects with the reason. */
  close(reason: unknown): void;
}

/** Compares in the order of a range. */
export function inOrder({ isNewestFirst }: HistoryRange): (a: HistoryPlace, b: HistoryPlace) => number {
  return isNewestFirst ? (a, b) => comparePlaces(b, a) : comparePlaces;
}

/** The parts of a lane as they are now: what is live, held in memory anyway, and what is sealed, a page at a time. */
export function sourcesOf(
  writer: string,
  documents: Pick<Documents, "log" | "history">,
  range: HistoryRange,
): HistorySource[] {
  const live = documents.log.pages(writer).map((page) => ({ ...page, entries: [...page.entries] }));
  return [createLiveSource(writer, live, range), createSealedSource(writer, live, documents, range)];
}

function isWithin(entry: Entry, range: HistoryRange): boolean {
  if (entry.clock <= range.after || entry.clock >= range.before) return false;
  return !range.cursor || inOrder(range)(entry, range.cursor) > 0;
}

function arrange(entries: readonly Entry[], range: HistoryRange): Entry[] {
  return entries.filter((entry) => isWithin(entry, range)).sort(inOrder(range));
}

function createLiveSource(writer: string, live: readonly LoggedPage[], range: HistoryRange): HistorySource {
  const entries = arrange(
    live.flatMap((page) => page.entries),
    range,
  );
  let at = 0;
  return {
    writer,
    get head() {
      return entries[at];
    },
    get bound() {
      return entries[at]?.clock ?? 0;
    },
    get isOver() {
      return at >= entries.length;
    },
    advance: () => void at++,
    load: async () => undefined,
    close: () => undefined,
  };
}

function createSealedSource(
  writer: string,
  live: readonly LoggedPage[],
  { history }: Pick<Documents, "history">,
  range: HistoryRange,
): HistorySource {
  const { isNewestFirst } = range;
  /** Of its own, because Node warns of a leak where eleven readers listen to one. */
  const lifetime = new AbortController();
  const { signal } = lifetime;
  const marks = history.marks(writer);
  const shown = new Set(live.map(({ name }) => formatPageName(name)));
  const follower = live.find(
    ({ previous }) => previous && formatPageName(previous.page) === marks?.head.page,
  );
  const followedAt = follower?.entries[0]?.clock ?? Number.POSITIVE_INFINITY;
  let pages: AsyncIterator<LoggedPage> | undefined;
  let buffer: Entry[] = [];
  let at = 0;
  let bound = isNewestFirst ? followedAt : 0;
  let isAtEnd =
    marks === undefined || (isNewestFirst ? bound <= range.after : (beginning() ?? 0) >= followedAt);

  /** The clock that reading begins at; undefined where that is the end of the lane. */
  function beginning(): Timestamp | undefined {
    const { cursor, after, before } = range;
    if (!isNewestFirst) return Math.max(cursor?.clock ?? 0, after) || undefined;
    const from = Math.min(cursor?.clock ?? Number.POSITIVE_INFINITY, before);
    return from < followedAt ? from : undefined;
  }

  /** The newest page that begins at or before a clock, by halves; undefined where retention interferes. */
  async function pageAt(clock: Timestamp): Promise<number | undefined> {
    let { first: low, low: high } = marks ?? { first: 0, low: 0 };
    try {
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        const [first] = (await history.page(writer, middle, { signal })).entries;
        if (first && first.clock <= clock) low = middle;
        else high = middle;
      }
      return low;
    } catch (failure) {
      if (isFlockError(failure, "crdt/history-lost")) return undefined;
      throw failure;
    }
  }

  async function open(): Promise<AsyncIterator<LoggedPage>> {
    const clock = beginning();
    const number = clock === undefined ? undefined : await pageAt(clock);
    const opened = isNewestFirst
      ? history.pagesBack(writer, { signal, ...(number !== undefined && { upTo: number }) })
      : history.pagesFrom(writer, { signal, ...(number !== undefined && { from: number }) });
    return opened[Symbol.asyncIterator]();
  }

  async function next(): Promise<LoggedPage | undefined> {
    try {
      pages ??= await open();
      const { done, value } = await pages.next();
      return done ? undefined : value;
    } catch (failure) {
      // Retention has taken it while it was read; what it has left comes after it in time.
      if (!isFlockError(failure, "crdt/history-lost")) throw failure;
      if (isNewestFirst) return undefined;
      pages = history.pagesFrom(writer, { signal })[Symbol.asyncIterator]();
      const { done, value } = await pages.next();
      return done ? undefined : value;
    }
  }

  function close(reason: unknown): void {
    isAtEnd = true;
    lifetime.abort(reason);
    void pages?.return?.().catch(() => undefined);
  }

  return {
    writer,
    get head() {
      return buffer[at];
    },
    get bound() {
      return buffer[at]?.clock ?? bound;
    },
    get isOver() {
      return isAtEnd && at >= buffer.length;
    },
    advance: () => void at++,
    async load() {
      if (isAtEnd) return;
      const page = await next();
      at = 0;
      buffer = [];
      if (!page) {
        isAtEnd = true;
        return;
      }
      if (!shown.has(formatPageName(page.name))) buffer = arrange(page.entries, range);
      const clocks = page.entries.map(({ clock }) => clock);
      bound = isNewestFirst ? Math.min(...clocks) : Math.max(...clocks);
      if (isNewestFirst ? bound <= range.after : Math.min(...clocks) >= range.before) close(undefined);
    },
    close,
  };
}
