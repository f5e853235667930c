import { describe } from "vitest";
import { laneScenario } from "./lanes-flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

describe("lanes that are sealed as they are written", () => {
  forSeeds("PROP-20 x", seedsFor(20), laneScenario());
});
