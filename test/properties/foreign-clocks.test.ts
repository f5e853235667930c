import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHybridClock, maxClockDriftMs, type Timestamp, timestampFromMs } from "../../src/base/index.ts";
import { defineView } from "../../src/crdt/index.ts";
import { clockBatch } from "../../src/crdt/lanes/batch-clock.ts";
import { createQuietPages, createReplica, idOf, type Said, writeLane } from "../crdt/views-world.ts";
import { createManualClock } from "../refstore/manual-clock.ts";

const wallMs = Date.UTC(2030, 0, 1);
const yearMs = 365 * 24 * 3_600_000;
const foreign = "anon.evil.1";
const honest = "anon.good.1";

const transcript = defineView<readonly string[]>({
  key: () => "all",
  init: () => [],
  step: (state, { id }) => [...state, id],
});

interface Drawn {
  /** How far ahead of the wall, in milliseconds, entries of the foreign lane are. */
  ahead: number[];
  /** Which of them each honest entry rests on. */
  rests: number[][];
  flip: boolean;
}

const drawn = fc.record<Drawn>({
  ahead: fc.array(fc.integer({ min: -yearMs, max: 200 * yearMs }), { minLength: 1, maxLength: 6 }),
  rests: fc.array(fc.array(fc.nat(5), { maxLength: 3 }), { minLength: 1, maxLength: 6 }),
  flip: fc.boolean(),
});

type ClockOf = typeof clockBatch;

/** An honest replica hears the foreign lane, writes what rests on it, and others hear both in either order. */
async function play({ ahead, rests, flip }: Drawn, clockOf: ClockOf) {
  const pages = createQuietPages();
  const hybrid = createHybridClock(createManualClock(wallMs));
  const evil = await writeLane(pages, foreign, [
    ahead.map((ms): Said => ({ clock: timestampFromMs(wallMs + ms) })),
  ]);
  const writer = createReplica(pages);
  writer.deliver(evil, 0);
  for (const { clock } of evil.entries) hybrid.observe(clock);
  const clocks = new Map<string, Timestamp>();
  const said = rests.map((parents, index): Said => {
    const named = [...new Set(parents.map((at) => idOf(foreign, 0, at % ahead.length)))];
    const id = idOf(honest, 0, index);
    const effectiveOf = (of: string) => writer.views.order.effectiveOf(of) ?? clocks.get(of);
    const { clock } = clockOf([{ id, parents: named }], hybrid, effectiveOf);
    clocks.set(id, clock);
    return { clock, parents: named };
  });
  const good = await writeLane(pages, honest, [said]);
  const orders = [
    [evil, good],
    [good, evil],
  ].map((lanes) => {
    const replica = createReplica(pages);
    const view = replica.open(transcript);
    for (const lane of flip ? [...lanes].reverse() : lanes) replica.deliver(lane, 0);
    return view.get("all") ?? [];
  });
  return { orders, latest: hybrid.latest(), good };
}

function staysSane(clockOf: ClockOf) {
  return fc.asyncProperty(drawn, async (case_) => {
    const { orders, latest, good } = await play(case_, clockOf);
    const [one = [], other] = orders;
    expect(other).toEqual(one);
    expect(one).toHaveLength(case_.ahead.length + case_.rests.length);
    // A tick for each entry that was written, at most.
    expect(latest).toBeLessThanOrEqual(timestampFromMs(wallMs + maxClockDriftMs) + case_.rests.length);
    for (const { id, parents } of good.entries) {
      for (const parent of parents) expect(one.indexOf(id)).toBeGreaterThan(one.indexOf(parent));
    }
  });
}

describe("a foreign clock", () => {
  it("PROP-13 moves nobody past the bound, and what rests on it folds after it, on every replica", async () => {
    await fc.assert(staysSane(clockBatch), { numRuns: 500 });
  });

  it("PROP-13 control: a clock that follows its parents is caught", async () => {
    const following: ClockOf = (waiting, hybrid, effectiveOf) => {
      const latest = Math.max(
        0,
        ...waiting.flatMap(({ parents }) => parents.map((parent) => effectiveOf(parent) ?? 0)),
      );
      const ahead = createHybridClock({ now: () => 0 }, Math.max(hybrid.latest(), latest));
      const clock = ahead.tick();
      // As if what it writes itself were no foreign clock.
      Object.assign(hybrid, ahead);
      return { count: waiting.length, clock };
    };
    expect((await fc.check(staysSane(following), { numRuns: 500, endOnFailure: true })).failed).toBe(true);
  });
});
