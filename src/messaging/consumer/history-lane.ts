import { isFlockError, timestampToMs } from "../../base/index.ts";
import type { Documents, LoggedPage } from "../../crdt/index.ts";
import {
  comparePages,
  formatPageName,
  type LaneMarks,
  type LanePosition,
  type PageName,
  parsePageName,
} from "../../protocol/index.ts";
import type { Turns } from "./history-turns.ts";
import { isWhole, type LanePage } from "./position.ts";

/** Pages of a lane that retention took before a consumer had read them. */
export interface LaneGap {
  /** The writer of the lane. */
  readonly lane: string;
  /** The number of the first page that is lost; a part of it may have been handled. */
  readonly from: number;
  /** The number of the last page that is lost. */
  readonly to: number;
  /** How many pages that is: of at most 1,024 entries each, most of them perhaps for others. */
  readonly pages: number;
}

/** What there is to a position next, besides what is at hand: another page, or a way past what is lost. */
export type Brought = { kind: "page" } | { kind: "jump"; below: number; gap: LaneGap | undefined };

/** One lane as a consumer reads it: its live pages, and those sealed ones that it has at hand. */
export interface LaneReading {
  /** What is at hand, in order. */
  pages(): readonly LanePage[];
  /** Whether a position, with nothing next at hand, lacks something of the sealed part. */
  lacks(position: LanePosition): boolean;
  /** A page has come; below both the mark and the position it is a clone's, or what the position has passed. */
  arrived(page: PageName, position: LanePosition): void;
  /** Whether it is known of every page which of the two it is. */
  readonly isJudged: boolean;
  /** Finds it out. @throws what reading history throws */
  judge(): Promise<void>;
  /**
   * Brings what a position lacks. A consumer that `beganAt` a time has no gap in what was said before.
   *
   * @throws what reading history throws; the next call begins anew
   */
  bring(position: LanePosition, beganAt?: number): Promise<Brought>;
  /** Sealed pages at hand of which something is not done. */
  ahead(position: LanePosition): number;
  /** Lets go of what was read; tells whether there was something. */
  rest(): boolean;
}

export interface LaneReadingOptions {
  lane: string;
  documents: Pick<Documents, "log" | "history">;
  /** Shared among lanes, so that many of them do not fetch at once. */
  turns: Turns;
  /** Of the lane's own, because Node warns of a leak where eleven lanes listen to one; made when history is read. */
  signal(): AbortSignal;
}

/** Creates the reading of a lane; it fetches nothing before it is asked to. */
export function createLaneReading({ lane, documents, turns, signal }: LaneReadingOptions): LaneReading {
  const { log, history } = documents;
  let source: AsyncIterator<LoggedPage> | undefined;
  /** What was brought of it that is not done yet, in order. */
  let sealed: LoggedPage[] = [];
  /** The low-water mark when the source was opened: it reads up to there. */
  let openedAt = 0;
  /** The low-water mark up to which everything was read; a chain that does not hold together is not read for ever. */
  let readUpTo = 0;
  let suspects: PageName[] = [];
  const apart = new Set<string>();

  function pages(): readonly LanePage[] {
    const live = log.pages(lane);
    const shown =
      apart.size === 0
        ? live
        : live.map((page) => (apart.has(formatPageName(page.name)) ? { ...page, isApart: true } : page));
    if (sealed.length === 0) return shown;
    return [...shown.filter(({ name }) => !isBrought(name)), ...sealed].sort((a, b) =>
      comparePages(a.name, b.name),
    );
  }

  function notDone(position: LanePosition): LoggedPage[] {
    return sealed.filter(({ name, entries }) => !isWhole(position, name, entries.length));
  }

  function isBrought(page: PageName): boolean {
    return sealed.some(({ name }) => comparePages(name, page) === 0);
  }

  function isPastHead(position: LanePosition, { low, head }: LaneMarks): boolean {
    const name = parsePageName(head.page);
    return position.below >= low || (name !== undefined && isWhole(position, name, head.length));
  }

  function rest(): boolean {
    const wasReading = source !== undefined || sealed.length > 0;
    void source?.return?.().catch(() => undefined);
    source = undefined;
    sealed = [];
    return wasReading;
  }

  async function next(from: number): Promise<LoggedPage | undefined> {
    if (!source) {
      openedAt = history.marks(lane)?.low ?? 0;
      source = history.pagesFrom(lane, { from, signal: signal() })[Symbol.asyncIterator]();
    }
    const open = source;
    const { done, value } = await turns.run(() => open.next());
    if (done) source = undefined;
    return done ? undefined : value;
  }

  /** The way past what retention has taken: to the first page that can be read, be it live or sealed. */
  async function jumpFrom(
    position: LanePosition,
    first: number,
    beganAt: number | undefined,
  ): Promise<Brought> {
    rest();
    const live = log.pages(lane).find((page) => {
      const { number } = page.name;
      const isAhead = number > position.below && number < first;
      return isAhead && !isWhole(position, page.name, page.entries.length);
    });
    const below = live?.name.number ?? first;
    const before = await pageBefore(position, { below, live });
    const isRead = before !== undefined && isWhole(position, before.page, before.length);
    const isOfBefore = beganAt !== undefined && (await startsBefore(beganAt, live, below));
    const gap = { lane, from: position.below, to: below - 1, pages: below - position.below };
    return { kind: "jump", below, gap: isRead || isOfBefore ? undefined : gap };
  }

  /** Whether what is kept begins before a time, and so all that is lost was said before it. */
  async function startsBefore(ms: number, live: LoggedPage | undefined, number: number): Promise<boolean> {
    const page = live ?? log.pages(lane).find(({ name }) => name.number === number);
    const { entries } = page ?? (await turns.run(() => history.page(lane, number, { signal: signal() })));
    return entries[0] !== undefined && timestampToMs(entries[0].clock) < ms;
  }

  /** What the page at the other side says of the one before it; only asked where that one may have been read whole. */
  async function pageBefore(
    { pages: marks }: LanePosition,
    { below, live }: { below: number; live: LoggedPage | undefined },
  ): Promise<{ page: PageName; length: number } | undefined> {
    const isTouched = Object.keys(marks).some((name) => parsePageName(name)?.number === below - 1);
    if (!isTouched) return undefined;
    const { low = 0, head } = history.marks(lane) ?? {};
    const headName = head && parsePageName(head.page);
    if (headName && headName.number === below - 1) return { page: headName, length: head.length };
    if (live) return live.previous;
    if (below >= low) return log.pages(lane).find(({ name }) => name.number === below)?.previous;
    return (await turns.run(() => history.page(lane, below, { signal: signal() }))).previous;
  }

  async function isOfChain(name: PageName): Promise<boolean> {
    try {
      const page = await turns.run(() => history.page(lane, name.number, { signal: signal() }));
      return comparePages(page.name, name) === 0;
    } catch (failure) {
      if (!isFlockError(failure, "crdt/history-lost")) throw failure;
      return name.number < (history.marks(lane)?.first ?? 0);
    }
  }

  /** A chain that does not reach back to the position, although retention did not take it, was not sealed from there. */
  async function firstReachable(from: number): Promise<number | undefined> {
    for await (const { name } of history.pagesFrom(lane, { signal: signal() }))
      if (name.number > from) return name.number;
    return undefined;
  }

  return {
    pages,
    lacks(position) {
      const marks = history.marks(lane);
      return marks !== undefined && marks.low > readUpTo && !isPastHead(position, marks);
    },
    arrived(page, position) {
      const { low = 0, first = 0 } = history.marks(lane) ?? {};
      // Past retention nothing is left to tell by: it counts as passed.
      if (page.number < Math.min(low, position.below) && page.number >= first) suspects.push(page);
    },
    get isJudged() {
      return suspects.length === 0;
    },
    async judge() {
      for (const name of suspects) {
        if (await isOfChain(name)) apart.delete(formatPageName(name));
        else apart.add(formatPageName(name));
        suspects = suspects.filter((each) => each !== name);
      }
    },
    async bring(position, beganAt) {
      const marks = history.marks(lane);
      try {
        if (marks && position.below < marks.first) return await jumpFrom(position, marks.first, beganAt);
        // Another writer of the agent has read on.
        const last = sealed.at(-1);
        if (last && position.below > last.name.number + 1) rest();
        sealed = notDone(position);
        let page = await next(position.below);
        // A reading that began anew comes past those that are still at hand.
        while (page && isBrought(page.name)) page = await next(position.below);
        if (page) sealed.push(page);
        else readUpTo = openedAt;
        return { kind: "page" };
      } catch (failure) {
        rest();
        if (!isFlockError(failure, "crdt/history-lost")) throw failure;
        // Retention took it while it was read.
        const { first = 0 } = history.marks(lane) ?? {};
        if (position.below < first) return await jumpFrom(position, first, beganAt);
        const reachable = await firstReachable(position.below);
        if (reachable === undefined) throw failure;
        return jumpFrom(position, reachable, beganAt);
      }
    },
    ahead: (position) => notDone(position).length,
    rest,
  };
}
