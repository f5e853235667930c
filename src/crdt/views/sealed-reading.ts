import { comparePages, parsePageName } from "../../protocol/index.ts";
import { isUnreadable } from "../history/failures.ts";
import type { ReadOptions } from "../history/history.ts";
import type { Entry, LoggedPage } from "../lanes/entry.ts";
import { allWriters, type Lanes } from "./lanes.ts";
import type { Order } from "./order.ts";
import type { Placed } from "./place.ts";

/** What was read back of some keys. */
export interface ReadBack {
  /** The sealed entries that have a place, by key and id. */
  readonly placed: Map<string, Map<string, Placed>>;
  /** Ids of those that wait for a parent. */
  readonly waiting: string[];
  /** The entries that were live when the reading ended. */
  readonly live: Map<string, Map<string, Placed>>;
}

export interface ReadBackOptions extends ReadOptions {
  keyOf(entry: Entry): string | undefined;
  wants(key: string): boolean;
  /** The pages to look in; default all that are sealed. */
  pages?: Iterable<string>;
}

/**
 * Reads entries of some keys from the sealed pages, and from those that were let go of meanwhile; what nobody can read is
 * left out.
 *
 * @throws what reading history throws of pages that are out of reach
 */
export async function readBack(
  lanes: Lanes,
  order: Order,
  { keyOf, wants, pages, signal }: ReadBackOptions,
): Promise<ReadBack> {
  const options = signal ? { signal } : {};
  const placed = new Map<string, Map<string, Placed>>();
  const waiting: string[] = [];

  async function take({ entries }: LoggedPage): Promise<void> {
    for (const entry of entries) {
      if (lanes.log.get(entry.id)) continue;
      const key = keyOf(entry);
      if (key === undefined || !wants(key)) continue;
      const effective = await order.effectiveOfSealed(entry, options);
      if (effective === undefined) {
        waiting.push(entry.id);
        continue;
      }
      const others = placed.get(key) ?? new Map<string, Placed>();
      placed.set(key, others.set(entry.id, { entry, effective }));
    }
  }

  async function readSealed(): Promise<void> {
    if (pages) {
      for (const name of pages) {
        const page = await sealedPage(lanes, name, options);
        if (page) await take(page);
      }
      return;
    }
    for (const writer of allWriters(lanes)) {
      if (!lanes.history.marks(writer)) continue;
      await skipUnreadable(async () => {
        for await (const page of lanes.history.pagesFrom(writer, options)) await take(page);
      });
    }
  }

  const released: LoggedPage[] = [];
  const undo = lanes.log.released.on(({ page }) => released.push(page));
  try {
    await readSealed();
    // What was live, and skipped, when its turn came; more may be let go of while they are taken.
    for (const page of released) await take(page);
    return { placed, waiting, live: liveEntries(lanes, order, { keyOf, wants }) };
  } finally {
    undo();
  }
}

/** The sealed page of this name; undefined where the chain has none, and where nobody can read it. */
async function sealedPage(
  { history }: Lanes,
  key: string,
  options: ReadOptions,
): Promise<LoggedPage | undefined> {
  const [writer = "", name = ""] = key.split("/");
  const page = parsePageName(name);
  if (!page || page.number >= (history.marks(writer)?.low ?? 0)) return undefined;
  const read = await skipUnreadable(() => history.page(writer, page.number, options));
  return read && comparePages(read.name, page) === 0 ? read : undefined;
}

/** What was read; undefined where nobody can read it. A lane that lies keeps nobody from reading the others. */
export async function skipUnreadable<Read>(read: () => Promise<Read>): Promise<Read | undefined> {
  try {
    return await read();
  } catch (failure) {
    if (isUnreadable(failure)) return undefined;
    throw failure;
  }
}

/** Whether an entry's page is live here. */
export function isLivePage({ log }: Lanes, page: string): boolean {
  return log.get(`${page}/0`) !== undefined;
}

/** The entries of some keys that are live and have a place. */
export function liveEntries(
  { log }: Lanes,
  order: Order,
  { keyOf, wants }: Pick<ReadBackOptions, "keyOf" | "wants">,
): Map<string, Map<string, Placed>> {
  const placed = new Map<string, Map<string, Placed>>();
  for (const writer of log.writers()) {
    for (const page of log.pages(writer)) {
      for (const entry of page.entries) {
        const key = keyOf(entry);
        const effective = key !== undefined && wants(key) ? order.effectiveOf(entry.id) : undefined;
        if (key === undefined || effective === undefined) continue;
        const others = placed.get(key) ?? new Map<string, Placed>();
        placed.set(key, others.set(entry.id, { entry, effective }));
      }
    }
  }
  return placed;
}
