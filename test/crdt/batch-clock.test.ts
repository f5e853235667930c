import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHybridClock, maxClockDriftMs, timestampFromMs } from "../../src/base/index.ts";
import { clockBatch } from "../../src/crdt/lanes/batch-clock.ts";
import { arrive } from "./lanes.ts";
import { setUpWriter, writerName } from "./writer-harness.ts";

const nowMs = 1_000;
const now = timestampFromMs(nowMs);
const far = timestampFromMs(nowMs + maxClockDriftMs) + 1;
const entry = (id: string, ...parents: string[]) => ({ id, parents });

function clockOf(waiting: readonly ReturnType<typeof entry>[], known: Record<string, number> = {}) {
  const hybrid = createHybridClock({ now: () => nowMs });
  const { count, clock } = clockBatch(waiting, hybrid, (id) => known[id]);
  return { count, clock, after: hybrid.latest() };
}

describe("the clock of a batch", () => {
  it("LANE-14: entries without parents share the next tick", () => {
    expect(clockOf([entry("a"), entry("b")])).toEqual({ count: 2, clock: now, after: now });
  });

  it("LANE-14: it is later than that of every parent known, and a parent that is not known says nothing", () => {
    const known = { p: now + 5, q: now + 9 };
    expect(clockOf([entry("a", "p"), entry("b", "q", "gone")], known)).toEqual({
      count: 2,
      clock: now + 10,
      after: now + 10,
    });
  });

  it("LANE-14: what comes next follows entries of one batch that rest on each other", () => {
    expect(clockOf([entry("a"), entry("b", "a"), entry("c", "b", "a")])).toEqual({
      count: 3,
      clock: now,
      after: now + 2,
    });
  });

  it("LANE-15: a parent past the bound takes along what rests on it, not its neighbours and not the clock", () => {
    const known = { p: far + 7 };
    const bound = timestampFromMs(nowMs + maxClockDriftMs);
    const neighbours = [entry("a"), entry("b", "p"), entry("c", "b"), entry("d")];
    expect(clockOf(neighbours, known)).toMatchObject({ count: 1, clock: bound + 1 });
    const { count, clock, after } = clockOf(neighbours.slice(1), known);
    expect([count, clock]).toEqual([2, far + 8]);
    // The bound, to which any foreign clock may pull, and the tick of the batch.
    expect(after).toBe(bound + 1);
    expect(clockOf([entry("d")], known)).toMatchObject({ count: 1, clock: now });
  });

  it("LANE-15: a parent of the last clock there is breaks no page", () => {
    const { clock } = clockOf([entry("a", "p")], { p: Number.MAX_SAFE_INTEGER });
    expect(clock).toBe(Number.MAX_SAFE_INTEGER);
  });

  describe("an entry that rests on others of this log stands by its own clock, but for those of its batch", () => {
    const drift = fc
      .integer({ min: -1_000, max: 2 * maxClockDriftMs })
      .map((ms) => timestampFromMs(nowMs + ms));
    const parents = fc.array(fc.nat({ max: 9 }), { maxLength: 3 });
    const written = fc.tuple(
      fc.array(drift, { minLength: 1, maxLength: 5 }),
      fc.array(parents, { minLength: 1, maxLength: 10 }),
    );

    function check(clockNext: typeof clockBatch): void {
      fc.assert(
        fc.property(written, ([foreign, own]) => {
          const hybrid = createHybridClock({ now: () => nowMs });
          const effective = new Map(foreign.map((clock, index) => [`f${index}`, clock]));
          const names = [...effective.keys()];
          let waiting = own.map((each, index) => {
            const known = [...names, ...own.slice(0, index).map((_, at) => `o${at}`)];
            return entry(`o${index}`, ...each.map((at) => known[at % known.length] as string));
          });
          while (waiting.length > 0) {
            const { count, clock } = clockNext(waiting, hybrid, (id) => effective.get(id));
            expect(count).toBeGreaterThan(0);
            const batch = waiting.slice(0, count);
            for (const { id, parents } of batch) {
              const isAlone = parents.every((parent) => !batch.some((each) => each.id === parent));
              const floor = Math.max(0, ...parents.map((parent) => (effective.get(parent) as number) + 1));
              if (isAlone) expect(clock).toBeGreaterThanOrEqual(floor);
              effective.set(id, Math.max(clock, floor));
            }
            waiting = waiting.slice(count);
          }
        }),
      );
    }

    it("LANE-14: whatever the clocks of its parents are", () => check(clockBatch));

    it("LANE-14: a clock that only ticks is caught", () => {
      expect(() => check((waiting, hybrid) => ({ count: waiting.length, clock: hybrid.tick() }))).toThrow();
    });
  });
});

describe("a lane's clocks", () => {
  it("LANE-14: an entry is later than the parents that the log has; ids stay true where a batch is cut", async () => {
    const { writer, log } = await setUpWriter({ alone: true });
    const other = "bob.critic.BBBBBBBBBBB";
    arrive(log, [
      { writer: other, number: 0, clock: now + 40, body: "near" },
      { writer: other, number: 1, clock: far + 40, body: "far" },
    ]);
    const append = (body: string, ...parents: string[]) => writer.append({ kind: "note", parents, body });
    const made = [
      append("plain"),
      append("near", `${other}/0-7/0`),
      append("far", `${other}/1-7/0`),
      append("after"),
    ];
    await writer.flush();
    expect(made.map(({ id }) => log.get(id)?.body)).toEqual(["plain", "near", "far", "after"]);
    const [plain = 0, near = 0, later = 0, after = 0] = made.map(({ id }) => log.get(id)?.clock ?? 0);
    expect([plain === near, near > now + 40, later > far + 40, after < far + 40, after > near]).toEqual([
      true,
      true,
      true,
      true,
      true,
    ]);
    expect(log.pages(writerName)).toHaveLength(1);
    await writer.close();
  });
});
