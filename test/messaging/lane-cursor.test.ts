import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LoggedPage } from "../../src/crdt/index.ts";
import { createLaneCursor, type LaneCursor } from "../../src/messaging/consumer/lane-cursor.ts";
import { laneStart, union } from "../../src/messaging/consumer/position-union.ts";
import { absorb, contains, include } from "../../src/messaging/consumer/ranges.ts";
import { type LanePosition, maxAhead, registerRecordSchema } from "../../src/protocol/index.ts";
import {
  arriving,
  chain,
  clonedLane,
  everything,
  handleAll,
  page,
  placeOf,
  straightLane,
} from "./lane-world.ts";

type Make = (from?: LanePosition) => LaneCursor;

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom("arrive", "arrive", "pass", "pass", "pass", "begin", "tell", "reload"),
    who: fc.nat({ max: 1 }),
    at: fc.nat({ max: 1_000 }),
    length: fc.integer({ min: 1, max: 3 }),
  }),
  { maxLength: 60 },
);

/** Two writers of an agent deal with what is open in any order, tell each other, and begin anew from their registers. */
function assertCursors(make: Make, lanes: fc.Arbitrary<LoggedPage[]>): void {
  fc.assert(
    fc.property(lanes, steps, (lane, drawn) => {
      const arrival = arriving(lane);
      const cursors = [make(), make()];
      const done = [new Set<string>(), new Set<string>()];
      const tries = [new Map<string, number>(), new Map<string, number>()];
      const cursorOf = (who: number) => cursors[who] as LaneCursor;

      function check(who: number): void {
        const pages = arrival.here();
        const mine = done[who] as Set<string>;
        const cursor = cursorOf(who);
        for (const { name, entries } of pages) {
          for (const index of entries.keys()) {
            const place = placeOf(name, index);
            expect([place, cursor.isDone(name, index, pages)]).toEqual([place, mine.has(place)]);
            if (!mine.has(place)) expect(cursor.tries(name, index)).toBe(tries[who]?.get(place) ?? 0);
          }
        }
        for (const { page, index } of cursor.open(pages)) {
          expect(mine.has(placeOf(page.name, index))).toBe(false);
        }
        expect(cursor.record()).toBe(cursor.record());
      }

      function step({ kind, who, at, length }: (typeof drawn)[number]): void {
        const cursor = cursorOf(who);
        if (kind === "arrive") {
          arrival.one(at);
          return;
        }
        if (kind === "reload") {
          cursors[who] = make(structuredClone(cursor.record()));
          return;
        }
        if (kind === "tell") {
          cursorOf(1 - who).learn(cursor.record());
          for (const place of done[who] ?? []) done[1 - who]?.add(place);
          for (const [place, count] of tries[who] ?? []) {
            tries[1 - who]?.set(place, Math.max(count, tries[1 - who]?.get(place) ?? 0));
          }
          return;
        }
        const pages = arrival.here();
        const open = [...cursor.open(pages)];
        const chosen = open[at % open.length];
        if (!chosen) return;
        const { page: each, index } = chosen;
        if (kind === "begin") {
          cursor.begin(each.name, index);
          const place = placeOf(each.name, index);
          tries[who]?.set(place, (tries[who]?.get(place) ?? 0) + 1);
          return;
        }
        const to = Math.min(index + length, each.entries.length);
        cursor.pass(pages, each.name, index, to);
        for (let next = index; next < to; next++) done[who]?.add(placeOf(each.name, next));
      }

      for (const each of drawn) {
        step(each);
        check(0);
        check(1);
      }
      arrival.rest();
      const pages = arrival.here();
      const rest = handleAll(cursorOf(0), pages);
      const expected = everything(lane).filter((place) => !done[0]?.has(place));
      expect(rest.toSorted()).toEqual(expected.toSorted());
      expect(Object.keys(cursorOf(0).record().pages).length).toBeLessThanOrEqual(3);
      expect(cursorOf(0).record()).toEqual({
        below: expect.any(Number),
        pages: expect.any(Object),
      });
    }),
    { numRuns: 1_500, seed: 32 },
  );
}

/** Pages go and come again, as after a restart: then nothing is left out, in whatever order they come. */
function assertRestarts(make: Make): void {
  fc.assert(
    fc.property(clonedLane, steps, (lane, drawn) => {
      const arrival = arriving(lane);
      let cursor = make();
      const done = new Set<string>();
      for (const { kind, at, length } of drawn) {
        if (kind === "arrive" || kind === "tell") arrival.one(at);
        else if (kind === "reload") {
          cursor = make(structuredClone(cursor.record()));
          arrival.none();
        } else {
          const pages = arrival.here();
          const open = [...cursor.open(pages)];
          const chosen = open[at % open.length];
          if (!chosen) continue;
          const to = Math.min(chosen.index + length, chosen.page.entries.length);
          cursor.pass(pages, chosen.page.name, chosen.index, to);
          for (let next = chosen.index; next < to; next++) done.add(placeOf(chosen.page.name, next));
        }
      }
      arrival.rest();
      const rest = new Set(handleAll(cursor, arrival.here()));
      expect(everything(lane).filter((place) => !done.has(place) && !rest.has(place))).toEqual([]);
    }),
    { numRuns: 3_000, seed: 33 },
  );
}

/** The parts of a cursor that a broken variant does otherwise. */
function broken(
  over: (cursor: LaneCursor) => Partial<LaneCursor>,
  load?: (from: LanePosition) => LanePosition,
): Make {
  return (from = laneStart) => {
    const cursor = createLaneCursor(load ? load(from) : from);
    return { ...cursor, ...over(cursor) };
  };
}

/** As though all that an entered page rests on were done. */
const marksAhead = broken(
  () => ({}),
  ({ below, pages, done = {}, tries }) => ({
    below,
    pages: {
      ...Object.fromEntries(Object.keys(done).map((name) => [name, done[name]?.at(-1) ?? 0])),
      ...pages,
    },
    ...(tries && { tries }),
  }),
);

describe("cursors", () => {
  it("MSG-1: however the lane of a writer arrives, and in whatever order it is dealt with, each entry is open until it is done, and then never", () => {
    assertCursors(createLaneCursor, straightLane);
  });

  it("MSG-1: so it is with the lanes of two copies of one writer", () => {
    assertCursors(createLaneCursor, clonedLane);
  });

  it("MSG-32: so it is where pages go and come again", () => {
    assertRestarts(createLaneCursor);
  });

  it.each<[string, Make]>([
    [
      "passes all of a page with its first entries",
      broken((cursor) => ({ pass: (pages, at, from) => cursor.pass(pages, at, from, from + 4) })),
    ],
    [
      "begins anew past the page that it is in",
      broken(
        () => ({}),
        ({ below, ...rest }) => ({ ...rest, below: below + 1 }),
      ),
    ],
  ])("MSG-32: there too one that %s is found out", (_, make) => {
    expect(() => assertRestarts(make)).toThrow();
  });

  it.each<[string, Make]>([
    [
      "passes what is before too",
      broken((cursor) => ({ pass: (pages, at, _, to) => cursor.pass(pages, at, 0, to) })),
    ],
    [
      "takes no heed of where a range begins",
      broken((cursor) => ({
        pass: (pages, at, from, to) => cursor.pass(pages, at, from === 0 ? 0 : from - 1, to),
      })),
    ],
    [
      "learns floors alone",
      broken((cursor) => ({ learn: ({ below, pages }) => cursor.learn({ below, pages }) })),
    ],
    [
      "begins anew without what is done above a floor",
      broken(
        () => ({}),
        ({ below, pages, tries }) => ({ below, pages, ...(tries && { tries }) }),
      ),
    ],
    [
      "begins anew without its tries",
      broken(
        () => ({}),
        ({ below, pages, done }) => ({ below, pages, ...(done && { done }) }),
      ),
    ],
    ["has marked pages that it entered ahead", marksAhead],
    [
      "counts a page as done once its last entry is",
      broken((cursor) => ({
        isDone: (at, index, pages) => cursor.isDone(at, index, pages) || cursor.isDone(at, index + 1, pages),
      })),
    ],
  ])("MSG-32: a cursor that %s is found out", (_, make) => {
    expect(() => assertCursors(make, clonedLane)).toThrow();
  });

  it("MSG-1: every entry is handled once, pages in order, and then nothing is open", () => {
    fc.assert(
      fc.property(fc.oneof(straightLane, clonedLane), (pages) => {
        const cursor = createLaneCursor();
        expect(handleAll(cursor, pages)).toEqual(everything(pages));
        expect([...cursor.open(pages)]).toEqual([]);
      }),
    );
  });

  it("MSG-2: what comes after a page that is not all here waits", () => {
    const [first, second] = chain([3, 2]) as [LoggedPage, LoggedPage];
    const cut = { ...first, entries: first.entries.slice(0, 2) };
    const cursor = createLaneCursor();
    expect(handleAll(cursor, [second])).toEqual([]);
    expect(handleAll(cursor, [cut, second])).toEqual(["0-10/0", "0-10/1"]);
    expect(handleAll(cursor, [first, second])).toEqual(["0-10/2", "1-11/0", "1-11/1"]);
  });

  it("MSG-132: however much others say that they have passed, a position stays one that a register may have", () => {
    const pages = chain([1_000]);
    const every = (count: number, from: number): number[] =>
      Array.from({ length: 2 * count }, (_, index) => from + index);
    const cursor = createLaneCursor();
    for (let index = 1; index < maxAhead; index += 2) {
      cursor.pass(pages, { number: 0, client: 10 }, index, index + 1);
    }
    const own = cursor.record();
    let unbounded = own;
    for (let round = 0; round < 50; round++) {
      const far = { below: 0, pages: {}, done: { "0-10": every(maxAhead, round * 1_000) } };
      unbounded = union(unbounded, far);
      cursor.learn(far);
      cursor.learn({ below: 0, pages: {}, done: { [`${round}-3`]: every(maxAhead, 0) } });
      cursor.learn({
        below: 0,
        pages: Object.fromEntries(every(40, 0).map((client) => [`${round}-${client}`, 1])),
        tries: Object.fromEntries(every(40, 0).map((client) => [`${round}-${client}/5`, 1])),
      });
      cursor.learn({ below: 0, pages: { "007-3": 1, "1-9999999999": 1 } });
    }
    const record = cursor.record();
    const fits = (position: LanePosition): boolean => {
      const consumers = { jobs: { filter: {}, lanes: { "bob.shop.x7": position } } };
      const register = { version: 1, since: 0, capabilities: [], consumers };
      return registerRecordSchema.safeParse(register).success;
    };
    // Joined as they are, the register would be none, and nothing of its agent be known any more.
    expect([fits(record), fits(unbounded)]).toEqual([true, false]);
    expect(JSON.stringify(record).length).toBeLessThan(32_768);
    expect(Object.keys(record.pages)).not.toContain("007-3");
    for (const index of own.done?.["0-10"]?.filter((_, at) => at % 2 === 0) ?? []) {
      expect(cursor.isDone({ number: 0, client: 10 }, index, pages)).toBe(true);
    }
    expect(cursor.learn({ below: 1, pages: {} })).toBe(true);
  });

  it("MSG-3: a position's bytes do not grow with the lane", () => {
    const pages = chain(Array.from({ length: 200 }, () => 3));
    const cursor = createLaneCursor();
    handleAll(cursor, pages);
    expect(cursor.record().below).toBe(199);
    expect(JSON.stringify(cursor.record()).length).toBeLessThan(60);
  });

  it("MSG-33: at most 256 entries are open from the first that is left, and a position has at most half as many ranges", () => {
    const pages = chain(Array.from({ length: 40 }, () => 100));
    const cursor = createLaneCursor();
    const open = [...cursor.open(pages)];
    expect(open).toHaveLength(maxAhead);
    for (const [at, { page: each, index }] of open.entries()) {
      if (at % 2 === 1) cursor.pass(pages, each.name, index, index + 1);
    }
    expect([...cursor.open(pages)]).toHaveLength(maxAhead / 2);
    const { done = {} } = cursor.record();
    expect(Object.values(done).flat().length).toBeLessThanOrEqual(maxAhead);
    // One that is left holds up what lies so far past it, and nothing else.
    for (let todo = open; todo.length > 1; todo = [...cursor.open(pages)]) {
      for (const { page: each, index } of todo.slice(1)) cursor.pass(pages, each.name, index, index + 1);
    }
    expect(cursor.record()).toEqual({
      below: 0,
      pages: { "0-10": 0 },
      done: { "0-10": [1, 100], "1-11": [0, 100], "2-12": [0, 56] },
    });
    cursor.pass(pages, { number: 0, client: 10 }, 0, 1);
    expect(cursor.record()).toEqual({ below: 2, pages: { "2-12": 56 } });
  });

  it("MSG-33: while entries are done as they come, one look gives them all", () => {
    const pages = chain([1_000, 1_000]);
    expect(handleAll(createLaneCursor(), pages)).toHaveLength(2_000);
  });

  it("MSG-34: a jump keeps what is done and begun past it, and forgets the rest", () => {
    const pages = chain([4, 4, 4]);
    const [first, second] = pages as [LoggedPage, LoggedPage];
    const cursor = createLaneCursor();
    cursor.pass(pages, first.name, 2, 3);
    cursor.begin(first.name, 1);
    cursor.pass(pages, second.name, 1, 2);
    cursor.begin(second.name, 0);
    cursor.jump(1);
    expect(cursor.record()).toEqual({
      below: 1,
      pages: {},
      done: { "1-11": [1, 2] },
      tries: { "1-11/0": 1 },
    });
    cursor.jump(0);
    expect(cursor.record().below).toBe(1);
    expect(handleAll(cursor, pages.slice(1))).toEqual([
      "1-11/0",
      "1-11/2",
      "1-11/3",
      "2-12/0",
      "2-12/1",
      "2-12/2",
      "2-12/3",
    ]);
  });

  it("MSG-32: the record is the same object until something changes", () => {
    const pages = chain([4]);
    const cursor = createLaneCursor();
    const before = cursor.record();
    expect(before).toEqual(laneStart);
    expect(cursor.learn({ below: 0, pages: {} })).toBe(false);
    cursor.pass(pages, { number: 0, client: 10 }, 1, 1);
    expect(cursor.record()).toBe(before);
    cursor.pass(pages, { number: 0, client: 10 }, 0, 1);
    const after = cursor.record();
    expect(after).not.toBe(before);
    expect(cursor.learn(after)).toBe(false);
    expect(cursor.learn(before)).toBe(false);
    expect(cursor.record()).toBe(after);
    expect(cursor.learn({ below: 0, pages: { "0-10": 2 } })).toBe(true);
    expect([...cursor.open(pages)].map(({ index }) => index)).toEqual([2, 3]);
  });

  it("MSG-32: what is ahead of a hole in one copy's page does not pass it, whatever the other copy's later pages say", () => {
    const root = page({ number: 0, client: 1 }, 1);
    const mine = page({ number: 1, client: 2 }, 3, root);
    const next = page({ number: 2, client: 3 }, 2, mine);
    const others = page({ number: 1, client: 92 }, 1, root);
    const last = page({ number: 2, client: 93 }, 1, others);
    /** After a reload the copy's pages are here first. */
    function handledAfterReload(make: Make): string[][] {
      const cursor = make();
      handleAll(cursor, [root]);
      cursor.pass([root, mine, next], mine.name, 1, 3);
      cursor.pass([root, mine, next], next.name, 0, 2);
      const later = make(structuredClone(cursor.record()));
      const first = handleAll(later, [root, others, last]);
      return [first, handleAll(later, [root, mine, others, next, last])];
    }
    expect(handledAfterReload(createLaneCursor)).toEqual([["1-92/0", "2-93/0"], ["1-2/0"]]);
    expect(handledAfterReload(marksAhead)).toEqual([["1-92/0", "2-93/0"], []]);
  });
});

describe("ranges", () => {
  const drawn = fc.array(fc.tuple(fc.nat({ max: 20 }), fc.integer({ min: 1, max: 5 })), { maxLength: 12 });

  it("MSG-32: they are the set of what was included, ascending and apart", () => {
    fc.assert(
      fc.property(drawn, fc.nat({ max: 26 }), (parts, floor) => {
        const ranges: number[] = [];
        const all = new Set<number>();
        for (const [from, length] of parts) {
          include(ranges, from, from + length);
          for (let each = from; each < from + length; each++) all.add(each);
        }
        for (let each = 0; each < 30; each++) expect(contains(ranges, each)).toBe(all.has(each));
        expect(ranges.every((bound, at) => at === 0 || bound > (ranges[at - 1] as number))).toBe(true);
        let raised = floor;
        while (all.has(raised)) raised++;
        expect(absorb(ranges, floor)).toBe(raised);
        for (let each = raised; each < 30; each++) expect(contains(ranges, each)).toBe(all.has(each));
        expect(ranges.every((bound) => bound > raised)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});
