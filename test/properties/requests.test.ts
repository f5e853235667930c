import { describe, expect, it } from "vitest";
import { explore } from "../../src/testing/index.ts";
import { isCaught } from "./faults.ts";
import { relayCode } from "./flock.ts";
import { type RequestsFlockOptions, requestsScenario } from "./requests-flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

describe("questions under faults", () => {
  forSeeds("PROP-40 PROP-41 PROP-42 x", seedsFor(100), requestsScenario());
});
