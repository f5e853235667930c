import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { playStockFlock } from "../properties/stock-flock.ts";
import type { StockNetwork } from "../properties/stock-network.ts";
import { createIntruder, type IntruderTally } from "./intruder.ts";

/** Runs; `FLOCKSTATE_SEEDS` raises it, `FLOCKSTATE_SEED` picks one. */
const only = process.env["FLOCKSTATE_SEED"];
const count = Number(process.env["FLOCKSTATE_SEEDS"] ?? 20);
const seeds = only === undefined ? Array.from({ length: count }, (_, seed) => seed) : [Number(only)];

beforeAll(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
});

afterAll(() => {
  vi.useRealTimers();
});

describe("one malicious member beside honest ones, stock and ours", () => {
  test(`THREAT-4 ${seeds.length} runs: no honest write is lost or refused, and all honest replicas converge`, {
    timeout: 3_600_000,
  }, () => {
    const tally: IntruderTally = { updates: 0, garbage: 0, connections: 0 };
    for (const seed of seeds) {
      const { complaints } = playStockFlock(seed, {
        intrude: (network) => createIntruder(network, tally),
      });
      if (complaints.length > 0) {
        throw new Error(
          `Seed ${seed} fails; run it alone with FLOCKSTATE_SEED=${seed}.\n${complaints.join("\n")}`,
        );
      }
    }
    expect(tally.updates).toBeGreaterThan(seeds.length * 20);
    expect(tally.connections).toBeGreaterThan(seeds.length);
  });

  test("THREAT-2 control: an intruder who writes with a victim's own grant is caught", () => {
    const harmed = Array.from({ length: 5 }, (_, seed) => {
      const tally: IntruderTally = { updates: 0, garbage: 0, connections: 0 };
      const intrude = (network: StockNetwork) => createIntruder(network, tally, "bob");
      // The relay's closes of bob's sockets are the intruder's own.
      return playStockFlock(seed, { intrude }).complaints.some((complaint) => !complaint.includes("closed"));
    });
    expect(harmed).toContain(true);
  });
});
