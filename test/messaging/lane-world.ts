import fc from "fast-check";
import type { LoggedPage } from "../../src/crdt/index.ts";
import type { LaneCursor } from "../../src/messaging/consumer/lane-cursor.ts";
import { comparePages, formatPageName, type PageName } from "../../src/protocol/index.ts";

/** A page of so many entries that rests on another. */
export function page(name: PageName, length: number, previous?: LoggedPage): LoggedPage {
  return {
    name,
    entries: Array.from({ length }, (_, index) => ({ index }) as never),
    previous: previous && { page: previous.name, length: previous.entries.length },
  };
}

/** Pages that follow each other. */
export function chain(
  lengths: readonly number[],
  {
    first = 0,
    client = 10,
    before,
  }: { first?: number; client?: number; before?: LoggedPage | undefined } = {},
): LoggedPage[] {
  const pages: LoggedPage[] = [];
  let previous = before;
  for (const [index, length] of lengths.entries()) {
    previous = page({ number: first + index, client: client + index }, length, previous);
    pages.push(previous);
  }
  return pages;
}

const lengths = (options: fc.ArrayConstraints) => fc.array(fc.integer({ min: 1, max: 4 }), options);

/** A lane of one writer. */
export const straightLane: fc.Arbitrary<LoggedPage[]> = lengths({ minLength: 1, maxLength: 5 }).map((drawn) =>
  chain(drawn),
);

/** The lane of two copies of one writer; the copy may have been taken in the middle of a page, which the other goes on with. */
export const clonedLane: fc.Arbitrary<LoggedPage[]> = fc
  .record({
    common: lengths({ minLength: 1, maxLength: 3 }),
    one: lengths({ maxLength: 4 }),
    other: lengths({ maxLength: 4 }),
    cut: fc.nat({ max: 3 }),
  })
  .map(({ common, one, other, cut }) => {
    const shared = chain(common);
    const last = shared.at(-1) as LoggedPage;
    const known = { ...last, entries: last.entries.slice(0, Math.max(1, last.entries.length - cut)) };
    return [
      ...shared,
      ...chain(one, { first: shared.length, before: last }),
      ...chain(other, { first: shared.length, client: 90, before: known }),
    ].sort((a, b) => comparePages(a.name, b.name));
  });

export const placeOf = (name: PageName, index: number): string => `${formatPageName(name)}/${index}`;

export const everything = (pages: readonly LoggedPage[]): string[] =>
  pages.flatMap(({ name, entries }) => entries.map((_, index) => placeOf(name, index)));

/** A lane as it arrives, piece by piece. */
export function arriving(pages: readonly LoggedPage[]) {
  const lengths = pages.map(() => 0);
  return {
    here: (): LoggedPage[] =>
      pages.flatMap((each, at) =>
        lengths[at] ? [{ ...each, entries: each.entries.slice(0, lengths[at]) }] : [],
      ),
    one(drawn: number): void {
      const at = drawn % pages.length;
      lengths[at] = Math.min((lengths[at] ?? 0) + 1, pages[at]?.entries.length ?? 0);
    },
    none(): void {
      lengths.fill(0);
    },
    rest(): void {
      for (const [at, { entries }] of pages.entries()) lengths[at] = entries.length;
    },
  };
}

/** Deals with entries as a consumer that keeps order does, and says which. */
export function handleAll(cursor: LaneCursor, pages: readonly LoggedPage[]): string[] {
  const handled: string[] = [];
  for (const { page, index } of cursor.open(pages)) {
    handled.push(placeOf(page.name, index));
    cursor.pass(pages, page.name, index, index + 1);
  }
  return handled;
}
