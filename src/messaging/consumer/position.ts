import type { LoggedPage } from "../../crdt/index.ts";
import { formatPageName, type LanePosition, type PageName, parsePageName } from "../../protocol/index.ts";

/** A page of a lane, as its positions see it. */
export interface LanePage extends LoggedPage {
  /**
   * Whether its number is below the low-water mark and the sealed chain has another page of it, or none: a clone's. What
   * passed the chain has not passed it.
   */
  readonly isApart?: boolean;
}

/** The position before a lane's first entry. */
export const laneStart: LanePosition = { below: 0, pages: {} };

/** The position before every page from a number on; it keeps what it says of those. */
export function jump({ pages }: LanePosition, below: number): LanePosition {
  const kept = Object.entries(pages).filter(([name]) => (parsePageName(name)?.number ?? 0) >= below);
  return { below, pages: Object.fromEntries(kept) };
}

/** Tells whether an entry is behind the position; `pages` are those of its lane that are here. */
export function isDone(
  position: LanePosition,
  page: PageName,
  index: number,
  pages: readonly LanePage[] = [],
): boolean {
  return index < floorOf(position, page, pages);
}

/** The entry to handle next; undefined where none is here, or one before it is still to come. */
export function nextAt(
  position: LanePosition,
  pages: readonly LanePage[],
): { page: LanePage; index: number } | undefined {
  for (const page of pages) {
    const floor = floorOf(position, page.name, pages);
    if (floor < page.entries.length) {
      return isPrecededWhole(position, page, pages) ? { page, index: floor } : undefined;
    }
  }
  return undefined;
}

function isPrecededWhole(
  position: LanePosition,
  { previous }: LanePage,
  pages: readonly LanePage[],
): boolean {
  return (
    previous === undefined ||
    previous.length === 0 ||
    isDone(position, previous.page, previous.length - 1, pages)
  );
}

/** The position past an entry; pages that are done for good are forgotten. */
export function advance(
  position: LanePosition,
  pages: readonly LanePage[],
  page: PageName,
  index: number,
): LanePosition {
  const marked = { ...position.pages, [formatPageName(page)]: index + 1 };
  return forget({ below: position.below, pages: marked }, pages);
}

/**
 * Raises `below` past page numbers whose every known page is done and that a later page says are complete. That later
 * page is marked: it names the pages that the position has passed, should others of their numbers come late.
 */
function forget(position: LanePosition, pages: readonly LanePage[]): LanePosition {
  let { below } = position;
  const marks = { ...position.pages };
  for (;;) {
    const here = pages.filter(({ name }) => name.number === below);
    const follower = pages.find(
      ({ name, previous }) =>
        name.number > below &&
        previous?.page.number === below &&
        isDone(position, previous.page, previous.length - 1, pages),
    );
    const isRead = here.every(({ name, entries }) => isDone(position, name, entries.length - 1, pages));
    if (!follower || !isRead) break;
    marks[formatPageName(follower.name)] ??= 0;
    below++;
  }
  const kept = Object.entries(marks).filter(([name, mark]) => {
    const page = parsePageName(name);
    if (!page || page.number >= below) return page !== undefined;
    const { [name]: _, ...others } = marks;
    return floorOf({ below, pages: others }, page, pages) < mark;
  });
  return { below, pages: Object.fromEntries(kept) };
}

/** Entries of a page that are behind the position. */
function floorOf(position: LanePosition, page: PageName, pages: readonly LanePage[]): number {
  const mark = position.pages[formatPageName(page)] ?? 0;
  if (page.number >= position.below || isApart(page, pages)) return mark;
  return isContested(page, pages)
    ? Math.max(mark, passedOf(position, page, pages))
    : Number.POSITIVE_INFINITY;
}

function isApart(page: PageName, pages: readonly LanePage[]): boolean {
  for (let at = firstOf(page.number, pages); pages[at]?.name.number === page.number; at++) {
    const each = pages[at] as LanePage;
    if (each.isApart && isSame(each.name, page)) return true;
  }
  return false;
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

/** The position that is past whatever either is past. */
export function union(a: LanePosition, b: LanePosition): LanePosition {
  const pages: Record<string, number> = {};
  for (const [name, floor] of [...Object.entries(a.pages), ...Object.entries(b.pages)]) {
    pages[name] = Math.max(floor, pages[name] ?? 0);
  }
  return { below: Math.max(a.below, b.below), pages };
}

/** Tells whether two positions are the same. */
export function samePosition(a: LanePosition, b: LanePosition): boolean {
  const names = Object.keys(a.pages);
  return (
    a.below === b.below &&
    names.length === Object.keys(b.pages).length &&
    names.every((name) => a.pages[name] === b.pages[name])
  );
}
