import type { LoggedPage } from "../crdt/index.ts";
import { formatPageName, type LanePosition, type PageName, parsePageName } from "../protocol/index.ts";

/** The position before a lane's first entry. */
export const laneStart: LanePosition = { below: 0, pages: {} };

/** Tells whether an entry is behind the position. */
export function isDone(position: LanePosition, page: PageName, index: number): boolean {
  return page.number < position.below || index < (position.pages[formatPageName(page)] ?? 0);
}

/** The entry to handle next; undefined where none is here, or one before it is still to come. */
export function nextAt(
  position: LanePosition,
  pages: readonly LoggedPage[],
): { page: LoggedPage; index: number } | undefined {
  for (const page of pages) {
    if (page.name.number < position.below) continue;
    const floor = position.pages[formatPageName(page.name)] ?? 0;
    if (floor < page.entries.length)
      return isPrecededWhole(position, page) ? { page, index: floor } : undefined;
  }
  return undefined;
}

function isPrecededWhole(position: LanePosition, { previous }: LoggedPage): boolean {
  return (
    previous === undefined || previous.length === 0 || isDone(position, previous.page, previous.length - 1)
  );
}

/** The position past an entry; pages that are done for good are forgotten. */
export function advance(
  position: LanePosition,
  pages: readonly LoggedPage[],
  page: PageName,
  index: number,
): LanePosition {
  const marked = { ...position.pages, [formatPageName(page)]: index + 1 };
  return forget({ below: position.below, pages: marked }, pages);
}

/** Raises `below` past page numbers whose every known page is done and that a later page says are complete. */
function forget(position: LanePosition, pages: readonly LoggedPage[]): LanePosition {
  let { below } = position;
  for (;;) {
    const here = pages.filter(({ name }) => name.number === below);
    const isFollowed = pages.some(
      ({ name, previous }) =>
        name.number > below &&
        previous?.page.number === below &&
        isDone(position, previous.page, previous.length - 1),
    );
    const isRead = here.every(({ name, entries }) => isDone(position, name, entries.length - 1));
    if (!isFollowed || !isRead) break;
    below++;
  }
  if (below === position.below) return position;
  const kept = Object.entries(position.pages).filter(([name]) => (parsePageName(name)?.number ?? 0) >= below);
  return { below, pages: Object.fromEntries(kept) };
}

/** The position that is past whatever either is past. */
export function union(a: LanePosition, b: LanePosition): LanePosition {
  const below = Math.max(a.below, b.below);
  const pages: Record<string, number> = {};
  for (const [name, floor] of [...Object.entries(a.pages), ...Object.entries(b.pages)]) {
    const page = parsePageName(name);
    if (page && page.number >= below) pages[name] = Math.max(floor, pages[name] ?? 0);
  }
  return { below, pages };
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
