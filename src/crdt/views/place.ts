import type { Timestamp } from "../../base/index.ts";
import { comparePages, formatPageName, type PageName } from "../../protocol/index.ts";
import type { Entry } from "../lanes/entry.ts";

/** Where an entry folds. */
export interface Place {
  /** The later of the entry's own clock and one past its parents'. */
  readonly effective: Timestamp;
  readonly entry: Pick<Entry, "writer" | "page" | "index">;
}

/** An entry, and where it folds. */
export interface Placed extends Place {
  readonly entry: Entry;
}

/** The order of a room: effective clock, writer, page, index. */
export function comparePlaces(a: Place, b: Place): number {
  if (a.effective !== b.effective) return a.effective - b.effective;
  if (a.entry.writer !== b.entry.writer) return a.entry.writer < b.entry.writer ? -1 : 1;
  return comparePages(a.entry.page, b.entry.page) || a.entry.index - b.entry.index;
}

/** Where in a sorted list, from an index on, an entry belongs. */
export function positionOf(placed: readonly Placed[], wanted: Place, from = 0): number {
  let low = from;
  let high = placed.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comparePlaces(placed[middle] as Placed, wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Names a page among those of all lanes: what the ids of its entries begin with. */
export function pageKey({ writer, page }: { writer: string; page: PageName }): string {
  return `${writer}/${formatPageName(page)}`;
}
