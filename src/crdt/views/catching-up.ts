import type { Timestamp } from "../../base/index.ts";
import type { Entry, LoggedPage } from "../lanes/entry.ts";
import type { Coverage } from "./coverage.ts";
import { fullLength, type Lanes } from "./lanes.ts";
import type { Order } from "./order.ts";
import { comparePlaces, type Placed } from "./place.ts";

/** Sealed pages that a view has not dealt with: from which number on, by default all that are kept, and up to which mark. */
export interface Gap {
  readonly from: number | undefined;
  readonly low: number;
}

/** The gaps of a view, by writer. */
export type Gaps = ReadonlyMap<string, Gap>;

/** Finds them; pages that were live here whole are closed on the way. */
export function findGaps(lanes: Lanes, coverage: Coverage, writers: Iterable<string>): Gaps {
  const gaps = new Map<string, Gap>();
  for (const writer of writers) {
    const marks = lanes.history.marks(writer);
    if (!marks) continue;
    for (const { name } of lanes.log.pages(writer)) {
      if (name.number < marks.low) closeIfWhole(lanes, coverage, writer, name);
    }
    let from = Math.max(marks.first, coverage.firstOpen(writer));
    while (from < marks.low && coverage.isClosed(writer, from)) from++;
    // Lanes that are older than seals have pages that were never sealed: then the oldest that was is the first.
    if (from < marks.low) gaps.set(writer, { from: from > marks.first ? from : undefined, low: marks.low });
  }
  return gaps;
}

/** Notes that a view needs nothing more of a page, where it is known to be of the lane's chain and dealt with whole. */
export function closeIfWhole(
  lanes: Lanes,
  coverage: Coverage,
  writer: string,
  page: LoggedPage["name"],
): void {
  const length = fullLength(lanes, writer, page);
  if (length !== undefined && coverage.length(writer, page) >= length) coverage.close(writer, page.number);
}

export interface CatchUpOptions {
  lanes: Lanes;
  order: Order;
  coverage: Coverage;
  gaps: Gaps;
  signal: AbortSignal;
  /** Told with each entry that the coverage lacks, about in the order of the room; without a clock it has to wait. */
  onEntry(entry: Entry, effective: Timestamp | undefined): void;
  /** Told now and then, when others may go on. */
  onPause(): void;
  /** A lane could not be read to its end; the others go on. */
  onFailed(writer: string, failure: unknown): void;
}

/** Where the reading of one lane is. */
interface Cursor {
  writer: string;
  low: number;
  pages: AsyncIterator<LoggedPage>;
  page: LoggedPage | undefined;
  index: number;
  head: Placed | undefined;
  /** The parents of the next entry, being read. */
  parents: Promise<unknown> | undefined;
}

/** Reads what a view lacks of the sealed pages, lane beside lane, so that little comes out of order. */
export async function catchUp(options: CatchUpOptions): Promise<void> {
  const { lanes, gaps, signal, onFailed } = options;
  let cursors: Cursor[] = [];
  for (const [writer, { from, low }] of gaps) {
    const bounds = { signal, ...(from !== undefined && { from }) };
    const pages = lanes.history.pagesFrom(writer, bounds)[Symbol.asyncIterator]();
    cursors.push({ writer, low, pages, page: undefined, index: 0, head: undefined, parents: undefined });
  }
  for (const cursor of cursors) await tryAdvance(cursor);
  while (cursors.length > 0 && !signal.aborted) {
    cursors = cursors.filter(({ head }) => head !== undefined);
    const [first, second] = cursors.sort((a, b) => comparePlaces(a.head as Placed, b.head as Placed));
    while (first?.head && (!second?.head || comparePlaces(first.head, second.head) < 0)) {
      options.onEntry(first.head.entry, first.head.effective);
      if (!advanceInPage(first, options)) await tryAdvance(first);
    }
  }
  options.onPause();

  async function tryAdvance(cursor: Cursor): Promise<void> {
    try {
      await advance(cursor, options);
    } catch (failure) {
      cursor.head = undefined;
      if (!signal.aborted) onFailed(cursor.writer, failure);
    }
  }
}

/** Moves to the next entry of the page at hand; false where that takes reading. */
function advanceInPage(cursor: Cursor, { order, coverage, signal, onEntry }: CatchUpOptions): boolean {
  const { page } = cursor;
  cursor.head = undefined;
  while (page && !cursor.parents && cursor.index < page.entries.length) {
    const entry = page.entries[cursor.index] as Entry;
    if (entry.index < coverage.length(entry.writer, entry.page)) {
      cursor.index++;
      continue;
    }
    const effective = order.effectiveOfSealed(entry, { signal });
    if (effective instanceof Promise) {
      cursor.parents = effective;
      return false;
    }
    cursor.index++;
    if (effective === undefined) {
      onEntry(entry, undefined);
      continue;
    }
    cursor.head = { entry, effective };
    return true;
  }
  return false;
}

async function advance(cursor: Cursor, options: CatchUpOptions): Promise<void> {
  const { lanes, coverage, onPause } = options;
  while (!advanceInPage(cursor, options)) {
    if (cursor.parents) {
      await cursor.parents;
      cursor.parents = undefined;
      continue;
    }
    if (cursor.page) coverage.close(cursor.writer, cursor.page.name.number);
    onPause();
    // Reading begins with the first page: up to the marks of that moment, which a register that went back has lowered.
    if (!cursor.page) cursor.low = Math.min(cursor.low, lanes.history.marks(cursor.writer)?.low ?? 0);
    const next = await cursor.pages.next();
    if (next.done) {
      coverage.closeBelow(cursor.writer, cursor.low);
      return;
    }
    const { value: page } = next;
    if (coverage.isClosed(cursor.writer, page.name.number)) continue;
    cursor.page = page;
    cursor.index = 0;
  }
}
