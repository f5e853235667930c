import { afterEach, describe, expect, it, vi } from "vitest";
import { explore } from "../../src/testing/index.ts";
import { forgetfulRelay, isCaught } from "./faults.ts";
import { relayCode } from "./flock.ts";
import { type LaneFlockOptions, laneScenario } from "./lanes-flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

/** Plays a flock once; a failure is not shrunk. */
function play(seed: number, options: LaneFlockOptions, { relay = relayCode, scenario = laneScenario } = {}) {
  return explore(scenario(options), { relay, seeds: [seed], shrinkRuns: 0 });
}

/** Plays over a build of the sources in which one module is broken. */
async function isCaughtWithout(
  complaint: RegExp,
  module: string,
  broken: Record<string, unknown>,
  options: LaneFlockOptions,
): Promise<boolean> {
  vi.resetModules();
  vi.doMock(module, async (original) => ({ ...(await original<object>()), ...broken }));
  const { laneScenario: scenario } = await import("./lanes-flock.ts");
  const { explore: tryOut } = await import("../../src/testing/index.ts");
  return isCaught(complaint, 20, (seed) =>
    tryOut(scenario(options), { relay: relayCode, seeds: [seed], shrinkRuns: 0 }),
  );
}

afterEach(() => {
  vi.doUnmock("../../src/base/clock.ts");
  vi.doUnmock("../../src/crdt/writers/clocks.ts");
  vi.resetModules();
});

const talk: LaneFlockOptions = { weights: { work: 0 } };
const copied: LaneFlockOptions = { ...talk, faults: { clone: 4 } };
const short: LaneFlockOptions = {
  ...talk,
  retention: { historyBytes: 1_500 },
  // What retention takes while it is read; of its end readers hear a little later.
  expected: /^(refstore\/unavailable|refstore\/not-found|messaging\/gap|crdt\/history-lost)$/,
};
/** What only the rogue and the relay had, nobody may bring back to a relay that forgot it. */
const foreign: LaneFlockOptions = { ...talk, rogue: true, faults: { skew: 0, relayReset: 0 } };

describe("lanes that are sealed as they are written", () => {
  forSeeds(
    "PROP-20 PROP-21 PROP-22 all views are the fold of everything, and open keys keep what they need",
    seedsFor(100),
    laneScenario(),
  );

  it("PROP-20 control: a view that forgets what was let go of is caught", async () => {
    const viewing = { transcript: { history: false } };
    expect(await isCaught(/differs|lacks/, 20, (seed) => play(seed, { viewing }))).toBe(true);
  });

  it("PROP-21 control: a relay that keeps every 7th row to itself is caught", async () => {
    const relay = forgetfulRelay(7);
    expect(await isCaught(/differs|lacks/, 20, (seed) => play(seed, {}, { relay }))).toBe(true);
  });

  it("PROP-22 control: a view that counts all its keys as closed is caught", async () => {
    const viewing = { isClosed: () => true };
    expect(await isCaught(/has let go of/, 20, (seed) => play(seed, { viewing }))).toBe(true);
  });
});

describe("a copied profile while lanes are sealed", () => {
  forSeeds("PROP-23 every entry of both is there once", seedsFor(80), laneScenario(copied));

  it("PROP-23 control: what is taken for one's own and dropped is caught", async () => {
    const broken = { exceeds: () => false };
    expect(
      await isCaughtWithout(/lacks|never heard|differs/, "../../src/crdt/writers/clocks.ts", broken, copied),
    ).toBe(true);
  });
});

describe("readers that come after retention", () => {
  forSeeds("PROP-24 each message is heard, or one gap tells of its end", seedsFor(80), laneScenario(short));

  it("PROP-24 control: a gap that nobody is told of is caught", async () => {
    expect(
      await isCaught(/nor of its end|counts as delivered/, 40, (seed) =>
        play(seed, { ...short, notesGaps: false }),
      ),
    ).toBe(true);
  });
});

describe("a clock that is far ahead", () => {
  forSeeds(
    "PROP-25 moves nobody past the bound, and the order is the same",
    seedsFor(80),
    laneScenario(foreign),
  );

  it("PROP-25 control: a clock that follows every other is caught", async () => {
    const broken = {
      createHybridClock(wall: { now(): number }, latest = 0) {
        let last = latest;
        const tick = (): number => {
          last = Math.max(last + 1, Math.floor(wall.now()) * 1024);
          return last;
        };
        const observe = (timestamp: number): number => {
          last = Math.max(last, timestamp);
          return last;
        };
        return { tick, observe, latest: () => last };
      },
    };
    expect(await isCaughtWithout(/ahead of its wall/, "../../src/base/clock.ts", broken, foreign)).toBe(true);
  });
});

describe("the relay's storage", () => {
  forSeeds(
    "PROP-26 holds what is live of each lane, however much was said",
    seedsFor(60),
    laneScenario({ ...talk, measures: true }),
  );

  it("PROP-26 control: a lane that is never sealed is caught", async () => {
    const limits = {
      pageEntries: 3,
      pageBytes: 262_144,
      liveEntries: 1_024,
      liveBytes: 262_144,
      livePages: 64,
    };
    expect(
      await isCaught(/the relay has/, 20, (seed) => play(seed, { ...talk, measures: true, limits })),
    ).toBe(true);
  });
});
