import { describe, expect, it } from "vitest";
import { hastyHandling, isCaught, lyingDisk } from "./faults.ts";
import { type FlockOptions, flockScenario, playFlock } from "./flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

const alike: FlockOptions = {
  steps: 60,
  weights: { send: 45, edit: 5 },
  faults: { crash: 12, close: 4, relayReset: 0 },
};
const apart: FlockOptions = {
  ...alike,
  ownAgents: true,
  sharing: 0,
  faults: { ...alike.faults, wipe: 4 },
};

describe("messages after the heal", () => {
  forSeeds(
    "PROP-3 each is handled by every consumer and delivered, in lane order",
    seedsFor(60),
    flockScenario(alike),
  );

  forSeeds(
    "PROP-4 none is handled again once another device saw it delivered",
    seedsFor(60),
    flockScenario(apart),
  );

  it("PROP-3 control: handlers that acknowledge before they have worked are caught", async () => {
    const hasty: FlockOptions = { ...alike, handling: hastyHandling };
    expect(await isCaught(/never completed/, 20, (seed) => playFlock(seed, hasty))).toBe(true);
  });

  it("PROP-4 control: consumers that forget their positions are caught", async () => {
    const tamper = lyingDisk((_, { put = [] }) => put.some(([key]) => key === "register"));
    expect(await isCaught(/handles .* again/, 20, (seed) => playFlock(seed, { ...apart, tamper }))).toBe(
      true,
    );
  });
});
