import type { LoggedPage } from "../../crdt/index.ts";
import { formatPageName, type LanePosition, type PageName, parsePageName } from "../../protocol/index.ts";
import { filtered, indexOf, pageOf, positionOf } from "./position-union.ts";
import { absorb, contains } from "./ranges.ts";

/** A page of a lane, as its positions see it. */
export interface LanePage extends LoggedPage {
  /**
   * Whether its number is below the low-water mark and the sealed chain has another page of it, or none: a clone's. What
   * passed the chain has not passed it.
   */
  readonly isApart?: boolean;
}

/** Tells whether an entry is done; `pages` are those of its lane that are here. */
export function isDone(
  position: LanePosition,
  page: PageName,
  index: number,
  pages: readonly LanePage[] = [],
): boolean {
  if (index < floorOf(position, page, pages)) return true;
  const above = position.done?.[formatPageName(page)];
  return above !== undefined && contains(above, index);
}

/** Tells whether a page is done up to a length, and all that comes before it too. */
export function isWhole(
  position: LanePosition,
  page: PageName,
  length: number,
  pages: readonly LanePage[] = [],
): boolean {
  return length <= floorOf(position, page, pages);
}

/** Tells whether all that a page rests on is done. */
export function isReached(
  position: LanePosition,
  { previous }: LanePage,
  pages: readonly LanePage[],
): boolean {
  return (
    previous === undefined ||
    previous.length === 0 ||
    isWhole(position, previous.page, previous.length, pages)
  );
}

/**
 * Raises `below` past page numbers whose every known page is done and that a later page says are complete. That later
 * page is marked: it names the pages that the position has passed, should others of their numbers come late. A page that
 * was entered ahead of one that is not done has no mark until it is reached, for the same reason.
 */
export function raise(position: LanePosition, pages: readonly LanePage[]): LanePosition {
  let { below } = position;
  const marks = { ...position.pages };
  const done = { ...position.done };
  // In the lane's order, so that one that is reached shows the next one to be.
  for (const page of pages) {
    const name = formatPageName(page.name);
    const above = done[name];
    if (!above || !(name in marks || isReached({ below, pages: marks }, page, pages))) continue;
    const left = [...above];
    marks[name] = absorb(left, marks[name] ?? 0);
    done[name] = left;
  }
  for (;;) {
    const now = { below, pages: marks };
    const isRead = pages.every(
      ({ name, entries }) => name.number !== below || isWhole(now, name, entries.length, pages),
    );
    const follower = pages.find(
      ({ name, previous }) =>
        name.number > below &&
        previous?.page.number === below &&
        isWhole(now, previous.page, previous.length, pages),
    );
    if (!follower || !isRead) break;
    marks[formatPageName(follower.name)] ??= 0;
    below++;
  }
  return positionOf({ below, pages: marks, done, tries: position.tries ?? {} });
}

/** Leaves out what the pages that are here show to say nothing more. */
export function forget(position: LanePosition, pages: readonly LanePage[]): LanePosition {
  const { below, pages: marks } = position;
  const kept = filtered(marks, (name, mark) => {
    const page = parsePageName(name);
    if (!page || page.number >= below) return page !== undefined;
    const { [name]: _, ...others } = marks;
    return floorOf({ below, pages: others }, page, pages) < mark;
  });
  const done = filtered(position.done ?? {}, (name, bounds) => {
    const page = parsePageName(name);
    return page !== undefined && floorOf(position, page, pages) < (bounds.at(-1) ?? 0);
  });
  const tries = filtered(position.tries ?? {}, (place) => {
    const page = parsePageName(pageOf(place));
    return page !== undefined && !isDone(position, page, indexOf(place), pages);
  });
  return positionOf({ below, pages: kept, done, tries });
}

/** Entries from the first of a page on that are done, with all that they rest on. */
export function floorOf(position: LanePosition, page: PageName, pages: readonly LanePage[]): number {
  const mark = position.pages[formatPageName(page)] ?? 0;
  if (page.number >= position.below || isApart(page, pages)) return mark;
  return isContested(page, pages)
    ? Math.max(mark, passedOf(position, page, pages))
    : Number.POSITIVE_INFINITY;
}

function isApart(page: PageName, pages: readonly LanePage[]): boolean {
  return pageAt(page, pages)?.isApart === true;
}

/** The page of a name, of pages in order. */
export function pageAt(page: PageName, pages: readonly LanePage[]): LanePage | undefined {
  for (let at = firstOf(page.number, pages); pages[at]?.name.number === page.number; at++) {
    if (isSame((pages[at] as LanePage).name, page)) return pages[at];
  }
  return undefined;
}

/**
 * Whether what is here disagrees on the page of this number: copies of a writer number their pages alike, and where one
 * was copied in the middle of a page, the other's goes on.
 */
function isContested(page: PageName, pages: readonly LanePage[]): boolean {
  let shortest = Number.POSITIVE_INFINITY;
  let longest = 0;
  for (let at = firstOf(page.number, pages); at < pages.length; at++) {
    const { name, entries, previous } = pages[at] as LanePage;
    if (name.number > page.number + 1) break;
    if (name.number === page.number) {
      if (!isSame(name, page)) return true;
      longest = Math.max(longest, entries.length);
    } else if (previous?.page.number === page.number) {
      if (!isSame(previous.page, page)) return true;
      shortest = Math.min(shortest, previous.length);
      longest = Math.max(longest, previous.length);
    }
  }
  return longest > shortest;
}

/** As far as the pages that the position has reached say that they rest on this one; all of it where they say nothing. */
function passedOf({ pages: marks }: LanePosition, page: PageName, pages: readonly LanePage[]): number {
  const passed = Object.entries(marks).flatMap(([name, length]) => {
    const reached = parsePageName(name);
    return reached ? [{ page: reached, length }] : [];
  });
  // The newest first, so that each page that was passed names the one before it in time.
  for (const { name, previous } of pages.toReversed()) {
    if (previous && passed.some((each) => isSame(each.page, name))) passed.push(previous);
  }
  const ofNumber = passed.filter((each) => each.page.number === page.number);
  if (ofNumber.length === 0) return Number.POSITIVE_INFINITY;
  return Math.max(0, ...ofNumber.map((each) => (isSame(each.page, page) ? each.length : 0)));
}

/** Where the pages of a number, or past it, begin. */
function firstOf(number: number, pages: readonly LanePage[]): number {
  let [low, high] = [0, pages.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((pages[middle] as LanePage).name.number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isSame(a: PageName, b: PageName): boolean {
  return a.number === b.number && a.client === b.client;
}
