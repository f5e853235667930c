import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isDone } from "../../src/messaging/consumer/position.ts";
import { samePosition, union } from "../../src/messaging/consumer/position-union.ts";
import type { LanePosition } from "../../src/protocol/index.ts";

const name = fc
  .tuple(fc.nat({ max: 5 }), fc.nat({ max: 2 }))
  .map(([number, client]) => `${number}-${client}`);

const bounds = fc.uniqueArray(fc.nat({ max: 12 }), { maxLength: 6 }).map((drawn) => {
  const sorted = drawn.toSorted((a, b) => a - b);
  return sorted.slice(0, sorted.length - (sorted.length % 2));
});

const place = fc.tuple(name, fc.nat({ max: 9 })).map(([page, index]) => `${page}/${index}`);

const position: fc.Arbitrary<LanePosition> = fc.record(
  {
    below: fc.nat({ max: 3 }),
    pages: fc.dictionary(name, fc.nat({ max: 9 }), { maxKeys: 4 }),
    done: fc.dictionary(name, bounds, { maxKeys: 3 }),
    tries: fc.dictionary(place, fc.integer({ min: 1, max: 5 }), { maxKeys: 4 }),
  },
  { requiredKeys: ["below", "pages"] },
);

type Join = (a: LanePosition, b: LanePosition) => LanePosition;

/** Whether a way to join positions is one of sets. */
function assertJoin(join: Join): void {
  fc.assert(
    fc.property(
      position,
      position,
      position,
      fc.nat({ max: 6 }),
      fc.nat({ max: 2 }),
      fc.nat({ max: 12 }),
      (a, b, c, number, client, index) => {
        const joined = join(a, b);
        expect(join(b, a)).toEqual(joined);
        expect(join(joined, c)).toEqual(join(a, join(b, c)));
        expect(join(joined, joined)).toEqual(joined);
        expect(join(joined, a)).toEqual(joined);
        const at = { number, client };
        const isDoneByEither = isDone(a, at, index) || isDone(b, at, index);
        expect(isDone(joined, at, index)).toBe(isDoneByEither);
        const key = `${number}-${client}/${index}`;
        const tries = Math.max(a.tries?.[key] ?? 0, b.tries?.[key] ?? 0);
        if (!isDoneByEither) expect(joined.tries?.[key] ?? 0).toBe(tries);
        if (number >= joined.below && isDoneByEither) expect(joined.tries?.[key]).toBeUndefined();
      },
    ),
    { numRuns: 3_000, seed: 31 },
  );
}

describe("positions", () => {
  it("MSG-4, MSG-31: joining positions is commutative, associative and idempotent, and past whatever either is past", () => {
    assertJoin(union);
  });

  it.each<[string, Join]>([
    ["forgets what is done above a floor", (a, b) => union({ ...a, done: {} }, { ...b, done: {} })],
    [
      "takes the later floor's ranges alone",
      (a, b) => union({ ...a, done: a.below > b.below ? (a.done ?? {}) : {} }, b),
    ],
    [
      "raises a floor over a hole",
      (a, b) => {
        const joined = union(a, b);
        const pages = { ...joined.pages };
        for (const [page, done] of Object.entries(joined.done ?? {})) {
          if (page in pages) pages[page] = done.at(-1) as number;
        }
        return { ...joined, pages };
      },
    ],
    [
      "adds up the deliveries begun",
      (a, b) => {
        const joined = union(a, b);
        const tries: Record<string, number> = {};
        for (const key of Object.keys(joined.tries ?? {})) {
          tries[key] = (a.tries?.[key] ?? 0) + (b.tries?.[key] ?? 0);
        }
        return Object.keys(tries).length > 0 ? { ...joined, tries } : joined;
      },
    ],
    [
      "keeps the deliveries of what is done",
      (a, b) => ({ ...union(a, b), tries: { ...a.tries, ...b.tries } }),
    ],
  ])("MSG-31: a union that %s is found out", (_, join) => {
    expect(() => assertJoin(join)).toThrow();
  });

  it("MSG-4: positions are the same by what they say", () => {
    const one: LanePosition = {
      below: 1,
      pages: { "1-1": 2 },
      done: { "1-1": [3, 4] },
      tries: { "1-1/2": 1 },
    };
    expect(samePosition(one, structuredClone(one))).toBe(true);
    for (const other of [
      { ...one, pages: { "1-1": 3 } },
      { ...one, pages: { "1-2": 2 } },
      { ...one, pages: {} },
      { ...one, below: 0 },
      { ...one, done: { "1-1": [3, 5] } },
      { ...one, done: { "1-1": [3, 4, 6, 7] } },
      { ...one, done: undefined },
      { ...one, tries: { "1-1/2": 2 } },
      { ...one, tries: { "1-1/3": 1 } },
      { ...one, tries: undefined },
    ]) {
      expect(samePosition(one, other)).toBe(false);
      expect(samePosition(other, one)).toBe(false);
    }
  });
});
