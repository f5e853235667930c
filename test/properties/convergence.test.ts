import { describe, expect, it } from "vitest";
import { forgetfulRelay, isCaught } from "./faults.ts";
import { flockScenario, playFlock } from "./flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

describe("a flock after the heal", () => {
  forSeeds("PROP-1 every replica has the same state and the same messages", seedsFor(240), flockScenario());

  it("PROP-1 control: a relay that keeps every 7th row to itself is caught", async () => {
    const relay = forgetfulRelay(7);
    expect(await isCaught(/differs|lacks/, 20, (seed) => playFlock(seed, { relay }))).toBe(true);
  });
});
