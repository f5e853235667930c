import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LoggedPage } from "../../src/crdt/index.ts";
import {
  advance,
  isDone,
  laneStart,
  nextAt,
  samePosition,
  union,
} from "../../src/messaging/consumer/position.ts";
import { formatPageName, type LanePosition, type PageName } from "../../src/protocol/index.ts";

function page(name: PageName, length: number, previous?: LoggedPage): LoggedPage {
  return {
    name,
    entries: Array.from({ length }, (_, index) => ({ index }) as never),
    previous: previous && { page: previous.name, length: previous.entries.length },
  };
}

/** Pages that follow each other. */
function chain(
  lengths: readonly number[],
  { first, client, before }: { first: number; client: number; before?: LoggedPage | undefined },
): LoggedPage[] {
  const pages: LoggedPage[] = [];
  let previous = before;
  for (const [index, length] of lengths.entries()) {
    previous = page({ number: first + index, client: client + index }, length, previous);
    pages.push(previous);
  }
  return pages;
}

/** A lane of full pages, each of which names the one before; some numbers are forked by a cloned writer. */
const lane: fc.Arbitrary<LoggedPage[]> = fc
  .array(fc.record({ length: fc.integer({ min: 1, max: 4 }), forked: fc.boolean() }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((drawn) => {
    const pages: LoggedPage[] = [];
    let before: LoggedPage | undefined;
    for (const [number, { length, forked }] of drawn.entries()) {
      const main = page({ number, client: 10 + number }, length, before);
      pages.push(main);
      if (forked) pages.push(page({ number, client: 90 + number }, 1, before));
      before = main;
    }
    return pages;
  });

/** Handles entries as a consumer does, one after another, and says which. */
function handleAll(pages: readonly LoggedPage[], from: LanePosition = laneStart) {
  let position = from;
  const handled: string[] = [];
  for (let next = nextAt(position, pages); next; next = nextAt(position, pages)) {
    handled.push(`${formatPageName(next.page.name)}/${next.index}`);
    position = advance(position, pages, next.page.name, next.index);
  }
  return { position, handled };
}

const everything = (pages: readonly LoggedPage[]) =>
  pages.flatMap(({ name, entries }) => entries.map((_, index) => `${formatPageName(name)}/${index}`));

const position: fc.Arbitrary<LanePosition> = fc.record({
  below: fc.nat({ max: 3 }),
  pages: fc.dictionary(
    fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 2 })).map(([number, client]) => `${number}-${client}`),
    fc.nat({ max: 9 }),
    { maxKeys: 4 },
  ),
});

describe("positions in a lane", () => {
  it("MSG-1: every entry is handled once, pages in order, and then nothing is next", () => {
    fc.assert(
      fc.property(lane, (pages) => {
        const { position: end, handled } = handleAll(pages);
        expect(handled).toEqual(everything(pages));
        expect(nextAt(end, pages)).toBeUndefined();
        expect(
          pages.every(({ name, entries }) => entries.every((_, index) => isDone(end, name, index))),
        ).toBe(true);
      }),
    );
  });

  it("MSG-1: however a lane of one writer arrives, piece by piece, nothing is skipped or repeated", () => {
    fc.assert(
      fc.property(lane, fc.array(fc.nat({ max: 1_000 }), { maxLength: 12 }), (drawn, cuts) => {
        const pages = drawn.filter(({ name }) => name.client < 90);
        const lengths = pages.map(() => 0);
        const handled: string[] = [];
        let at = laneStart;
        const arrived = () =>
          pages.flatMap((each, number) => {
            const length = lengths[number] ?? 0;
            return length > 0 ? [{ ...each, entries: each.entries.slice(0, length) }] : [];
          });
        for (const cut of [...cuts, -1]) {
          if (cut < 0) for (const [number, { entries }] of pages.entries()) lengths[number] = entries.length;
          else {
            const number = cut % pages.length;
            lengths[number] = Math.min((lengths[number] ?? 0) + 1, pages[number]?.entries.length ?? 0);
          }
          const step = handleAll(arrived(), at);
          handled.push(...step.handled);
          at = step.position;
        }
        expect(handled).toEqual(everything(pages));
      }),
    );
  });

  it("MSG-1: however the lanes of two copies of one writer arrive, nothing is skipped or repeated", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
        lengths,
        lengths,
        fc.nat({ max: 3 }),
        fc.array(fc.nat({ max: 1_000 }), { maxLength: 30 }),
        (common, one, other, cut, arrivals) => {
          const shared = chain(common, { first: 0, client: 10 });
          const last = shared.at(-1);
          // The copy was taken in the middle of the last page, which the other goes on with.
          const known = last && {
            ...last,
            entries: last.entries.slice(0, Math.max(1, last.entries.length - cut)),
          };
          const pages = [
            ...shared,
            ...chain(one, { first: shared.length, client: 10, before: last }),
            ...chain(other, { first: shared.length, client: 90, before: known }),
          ].sort((a, b) => a.name.number - b.name.number || a.name.client - b.name.client);
          const here = pages.map(() => 0);
          const handled: string[] = [];
          let at = laneStart;
          const arrive = (): void => {
            const arrived = pages.flatMap((each, index) =>
              here[index] ? [{ ...each, entries: each.entries.slice(0, here[index]) }] : [],
            );
            const step = handleAll(arrived, at);
            handled.push(...step.handled);
            at = step.position;
          };
          for (const drawn of arrivals) {
            const index = drawn % pages.length;
            here[index] = Math.min((here[index] ?? 0) + 1, pages[index]?.entries.length ?? 0);
            arrive();
          }
          for (const [index, { entries }] of pages.entries()) here[index] = entries.length;
          arrive();
          expect(handled.toSorted()).toEqual(everything(pages).toSorted());
          expect(Object.keys(at.pages).length).toBeLessThanOrEqual(3);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("MSG-2: what comes after a page that is not all here waits", () => {
    const first = page({ number: 0, client: 1 }, 3);
    const second = page({ number: 1, client: 2 }, 2, first);
    const cut = { ...first, entries: first.entries.slice(0, 2) };
    expect(handleAll([second]).handled).toEqual([]);
    const { handled, position: at } = handleAll([cut, second]);
    expect(handled).toEqual(["0-1/0", "0-1/1"]);
    expect(handleAll([first, second], at).handled).toEqual(["0-1/2", "1-2/0", "1-2/1"]);
  });

  it("MSG-3: a position's bytes do not grow with the lane", () => {
    let before: LoggedPage | undefined;
    const pages: LoggedPage[] = [];
    for (let number = 0; number < 200; number++) {
      before = page({ number, client: number + 1 }, 3, before);
      pages.push(before);
    }
    const { position: end } = handleAll(pages);
    expect(end.below).toBe(199);
    expect(JSON.stringify(end).length).toBeLessThan(60);
  });

  it("MSG-4: the union of positions is commutative, associative and idempotent, and past whatever either is past", () => {
    fc.assert(
      fc.property(
        position,
        position,
        position,
        fc.nat({ max: 6 }),
        fc.nat({ max: 2 }),
        fc.nat({ max: 9 }),
        (a, b, c, number, client, index) => {
          expect(union(a, b)).toEqual(union(b, a));
          expect(union(union(a, b), c)).toEqual(union(a, union(b, c)));
          expect(union(union(a, b), union(a, b))).toEqual(union(a, b));
          expect(samePosition(union(a, b), union(b, a))).toBe(true);
          const place = { number, client };
          expect(isDone(union(a, b), place, index)).toBe(isDone(a, place, index) || isDone(b, place, index));
        },
      ),
    );
  });

  it("MSG-4: positions are the same by what they say", () => {
    const one = { below: 1, pages: { "1-1": 2 } };
    expect(samePosition(one, { below: 1, pages: { "1-1": 2 } })).toBe(true);
    expect(samePosition(one, { below: 1, pages: { "1-1": 3 } })).toBe(false);
    expect(samePosition(one, { below: 1, pages: { "1-2": 2 } })).toBe(false);
    expect(samePosition(one, { below: 0, pages: { "1-1": 2 } })).toBe(false);
    expect(samePosition(one, { below: 1, pages: {} })).toBe(false);
  });
});
