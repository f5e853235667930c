import { describe, expect, it } from "vitest";
import { hastyRelay, isCaught, lyingDisk } from "./faults.ts";
import { type FlockOptions, flockScenario, playFlock } from "./flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

const rough: FlockOptions = { faults: { crash: 12, relayCrash: 5, relayReset: 0, wipe: 4 } };

describe("what was settled", () => {
  forSeeds("PROP-5 local outlives a crash, relayed also the browser", seedsFor(60), flockScenario(rough));

  it("PROP-5 control: a disk that acknowledges what it does not store is caught", async () => {
    let writes = 0;
    const tamper = lyingDisk(
      (_, { put = [] }) => put.some(([key]) => key.startsWith("page/")) && ++writes % 3 === 0,
    );
    expect(await isCaught(/settled local/, 20, (seed) => playFlock(seed, { ...rough, tamper }))).toBe(true);
  });

  it("PROP-5 control: a relay that acknowledges what it has not stored is caught", async () => {
    const relay = hastyRelay(5);
    expect(await isCaught(/settled relayed/, 20, (seed) => playFlock(seed, { ...rough, relay }))).toBe(true);
  });
});
