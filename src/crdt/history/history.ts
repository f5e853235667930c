import { isFlockError } from "../../base/index.ts";
import { type LaneMarks, parseEntryId, parsePageName } from "../../protocol/index.ts";
import type { Entry, LoggedPage } from "../lanes/entry.ts";
import type { EntryLog } from "../lanes/entry-log.ts";
import type { Chains } from "./chains.ts";
import { lostPage } from "./failures.ts";
import { readAhead } from "./read-ahead.ts";
import { assertFollows, type ChainLink, linksOf, type Passed } from "./sealed-page.ts";

export interface ReadOptions {
  signal?: AbortSignal | undefined;
}

/** The sealed part of the lanes: read page by page through their hashes, each page verified before it is believed. */
export interface History {
  /** How far a lane is sealed; undefined where nothing of it is. */
  marks(writer: string): LaneMarks | undefined;
  /**
   * The sealed page of a number; reads a logarithm of the pages between it and the low-water mark.
   *
   * @throws `crdt/history-lost` where retention has taken it or the lane has no such page; `crdt/history-corrupt`;
   * `refstore/not-found`, `refstore/corrupt`, `refstore/unavailable` where nobody within reach has it.
   */
  page(writer: string, number: number, options?: ReadOptions): Promise<LoggedPage>;
  /**
   * The sealed pages of a lane from number `upTo`, by default the newest, back to `downTo`, by default the oldest that
   * is kept. A number that the lane skips is no bound.
   *
   * @throws as `page`; `crdt/history-lost` where `downTo` is named and is past what is kept
   */
  pagesBack(
    writer: string,
    options?: ReadOptions & { upTo?: number; downTo?: number },
  ): AsyncIterable<LoggedPage>;
  /**
   * The sealed pages of a lane from a number on, by default the oldest that is kept, up to the low-water mark; each
   * is fetched about once, and about 16 are held.
   *
   * @throws as `page`; `crdt/history-lost` where `from` is named and is past what is kept
   */
  pagesFrom(writer: string, options?: ReadOptions & { from?: number }): AsyncIterable<LoggedPage>;
  /** An entry by its id, wherever it is; undefined where there is none. @throws as `page` */
  entry(id: string, options?: ReadOptions): Promise<Entry | undefined>;
}

export interface HistoryOptions {
  log: EntryLog;
  chains: Chains;
  /** The marks in a writer's register. */
  marksOf(writer: string): LaneMarks | undefined;
}

/** Pages that a reading forward fetches at once: what hides the way to the relay, and is little to have read in vain. */
const pagesAhead = 4;

/** The newest sealed page that marks name; undefined where its name is none, as one with a leading zero. */
export function headOf({ head: { page, length, hash } }: LaneMarks): ChainLink | undefined {
  const name = parsePageName(page);
  return name && { page: name, length, hash };
}

/** Creates the history of a room's lanes. */
export function createHistory({ log, chains, marksOf }: HistoryOptions): History {
  /** Where the way into the past begins. A lane whose register is not here yet is read from its live pages. */
  function headLink(writer: string): ChainLink | undefined {
    const marks = marksOf(writer);
    if (marks) return headOf(marks);
    for (const { previous } of [...log.pages(writer)].reverse()) {
      const [nearest] = linksOf(previous);
      if (nearest) return nearest;
    }
    return undefined;
  }

  function firstOf(writer: string): number {
    return marksOf(writer)?.first ?? 0;
  }

  function assertKept(writer: string, number: number): void {
    const first = firstOf(writer);
    if (number < first) throw lostPage(writer, number, `retention keeps page ${first} and later ones`);
  }

  /** The link of a sealed page; undefined where the lane has none of this number. */
  async function find(writer: string, number: number, options: ReadOptions): Promise<ChainLink | undefined> {
    assertKept(writer, number);
    const head = headLink(writer);
    const link = head && (await chains.seek(writer, head, number, options));
    if (link === "lost") throw lostPage(writer, number, "the pages before it were never sealed");
    return link === "absent" ? undefined : link;
  }

  /** Reads a page; one that retention took meanwhile is lost rather than not found. */
  async function read(writer: string, link: ChainLink, { signal }: ReadOptions): Promise<LoggedPage> {
    try {
      return await chains.read(writer, link, { signal });
    } catch (failure) {
      if (isFlockError(failure, "refstore/not-found")) assertKept(writer, link.page.number);
      throw failure;
    }
  }

  /** A bound that somebody named is met, or it is said that it is not. */
  function assertReaches(writer: string, { previous }: LoggedPage, bound: number | undefined): void {
    if (bound === undefined || !previous || previous.page.number < bound) return;
    throw lostPage(writer, bound, "the pages before it were never sealed");
  }

  return {
    marks: marksOf,
    async page(writer, number, options = {}) {
      const link = await find(writer, number, options);
      if (!link) throw lostPage(writer, number, "the lane has no sealed page of this number");
      return read(writer, link, options);
    },
    async *pagesBack(writer, { upTo, downTo, ...options } = {}) {
      if (downTo !== undefined) assertKept(writer, downTo);
      const bound = downTo ?? firstOf(writer);
      let link = (upTo === undefined ? undefined : await find(writer, upTo, options)) ?? headLink(writer);
      while (link && link.page.number >= bound) {
        const page = await read(writer, link, options);
        [link] = linksOf(page.previous);
        yield page;
        if (!link) assertReaches(writer, page, downTo);
      }
    },
    async *pagesFrom(writer, { from, ...options } = {}) {
      if (from !== undefined) assertKept(writer, from);
      const head = headLink(writer);
      if (!head) return;
      const bound = from ?? firstOf(writer);
      if (head.page.number < bound) return;
      let passed: Passed | undefined;
      const links = chains.ascend(writer, head, { from: bound, ...options });
      for await (const { item: link, value: page } of readAhead(
        links,
        (each) => read(writer, each, options),
        pagesAhead,
      )) {
        if (passed) assertFollows(writer, page, passed);
        else assertReaches(writer, page, from);
        passed = { link, length: page.entries.length };
        yield page;
      }
    },
    async entry(id, options = {}) {
      const live = log.get(id);
      if (live) return live;
      const address = parseEntryId(id);
      if (!address) return undefined;
      const { writer, page, index } = address;
      const link = await find(writer, page.number, options);
      // Another page of that number is a clone's, and clones seal nothing.
      if (link?.page.client !== page.client) return undefined;
      return (await read(writer, link, options)).entries[index];
    },
  };
}
