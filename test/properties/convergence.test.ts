import { describe, expect, it } from "vitest";
import { playFlock } from "./flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

describe("a flock after the heal", () => {
  it("SIM-1: the same seed gives the same run", async () => {
    const first = await playFlock(3);
    const again = await playFlock(3);
    expect(again.fingerprint).toBe(first.fingerprint);
    expect((await playFlock(4)).fingerprint).not.toBe(first.fingerprint);
  });

  forSeeds("PROP-1: every replica has the same state and the same messages", seedsFor(300), async (seed) => {
    await playFlock(seed);
  });
});
