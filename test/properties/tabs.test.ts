import { describe, expect, it } from "vitest";
import { isCaught, lyingDisk } from "./faults.ts";
import { type FlockOptions, flockScenario, playFlock } from "./flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

const alone: FlockOptions = { alone: true, faults: { crash: 10 } };

describe("the tabs of one browser without a relay", () => {
  forSeeds("PROP-2 they converge and deliver", seedsFor(60), flockScenario(alone));

  it("PROP-2 control: tabs that do not hear each other are caught", async () => {
    const deaf: FlockOptions = {
      ...alone,
      tamper: ({ platform }) => ({ ...platform, openTabChannel: false }),
    };
    expect(await isCaught(/differs|lacks/, 20, (seed) => playFlock(seed, deaf))).toBe(true);
  });

  it("PROP-2 control: a disk that keeps no lanes is caught", async () => {
    const tamper = lyingDisk((_, { put = [] }) => put.some(([key]) => key.startsWith("page/")));
    expect(await isCaught(/settled local/, 20, (seed) => playFlock(seed, { ...alone, tamper }))).toBe(true);
  });
});
