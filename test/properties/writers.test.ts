import { afterEach, describe, expect, it, vi } from "vitest";
import { createSimulation, type Simulation } from "../../src/testing/index.ts";
import { playWriters, type WritersOptions } from "./clones.ts";
import { isCaught } from "./faults.ts";
import { relayCode } from "./flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

async function play(
  seed: number,
  options: WritersOptions = {},
  create: typeof createSimulation = createSimulation,
): Promise<void> {
  const simulation: Simulation = create({ seed, relay: relayCode });
  try {
    await playWriters(simulation, options);
  } finally {
    await simulation.close();
  }
}

/** Plays over a build of the sources in which one module is broken. */
async function isCaughtWithout(
  complaint: RegExp,
  module: string,
  broken: Record<string, unknown>,
  options: WritersOptions,
): Promise<boolean> {
  vi.resetModules();
  vi.doMock(module, async (original) => ({ ...(await original<object>()), ...broken }));
  const { createSimulation: create } = await import("../../src/testing/index.ts");
  return isCaught(complaint, 20, (seed) => play(seed, options, create));
}

afterEach(() => {
  vi.doUnmock("../../src/crdt/writers/clocks.ts");
  vi.resetModules();
});

describe("writers of one agent", () => {
  forSeeds("PROP-9 a copied disk: both go on, as two writers, and no entry is lost", seedsFor(60), (seed) =>
    play(seed),
  );

  forSeeds("PROP-9 a copied disk of two tabs", seedsFor(40), (seed) => play(seed, { tabs: 2 }));

  forSeeds("PROP-10 honest reloads keep their writer", seedsFor(40), (seed) =>
    play(seed, { clone: false, tabs: 1 + (seed % 2) }),
  );

  forSeeds(
    "PROP-11 without locks each reload is a new writer, and none leaves anything unsent",
    seedsFor(40),
    (seed) => play(seed, { clone: false, locks: false, tabs: 1 + (seed % 2) }),
  );

  it("PROP-9 control: forks that nobody sees while they happen are caught", async () => {
    const broken = { clocksOf: () => undefined };
    expect(await isCaughtWithout(/are one writer/, "../../src/crdt/writers/clocks.ts", broken, {})).toBe(
      true,
    );
  });

  it("PROP-9 control: what is taken for one's own and dropped is caught", async () => {
    const broken = { exceeds: () => false };
    expect(await isCaughtWithout(/ 0 times/, "../../src/crdt/writers/clocks.ts", broken, {})).toBe(true);
  });

  it("PROP-10 control: a writer that takes its own for another's is caught", async () => {
    const broken = { clocksIn: () => new Map() };
    const options = { clone: false };
    expect(
      await isCaughtWithout(/counts as forked/, "../../src/crdt/writers/clocks.ts", broken, options),
    ).toBe(true);
  });

  it("PROP-11 control: tabs that leave alone what they can't lock are caught", async () => {
    const tamper: WritersOptions["tamper"] = ({ platform }) => ({
      ...platform,
      ...(platform.persistence && { persistence: { ...platform.persistence, locks: true } }),
    });
    const options = { clone: false, locks: false, tamper };
    expect(await isCaught(/ 0 times/, 20, (seed) => play(seed, options))).toBe(true);
  });
});
