import { describe, expect, it } from "vitest";
import { isCaught, possessiveRelay } from "./faults.ts";
import { type FlockOptions, flockScenario, playFlock } from "./flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

const apart: FlockOptions = {
  principals: true,
  ownAgents: true,
  sharing: 0.2,
};
const lost: FlockOptions = { ...apart, faults: { relayReset: 8, crash: 0 } };
const rough: FlockOptions = { ...apart, faults: { relayReset: 0, crash: 12, relayCrash: 5 } };

describe("a flock of several principals, one of them an administrator", () => {
  forSeeds("PROP-7 after resets of the relay nothing of anybody is lost", seedsFor(60), flockScenario(lost));

  forSeeds("PROP-7 after crashes every replica has the same", seedsFor(40), flockScenario(rough));

  it("PROP-7 control: a relay that takes an administrator for the author of what it brings back is caught", async () => {
    const relay = possessiveRelay("browser-0");
    expect(await isCaught(/not-owner/, 40, (seed) => playFlock(seed, { ...lost, relay }))).toBe(true);
  });
});
