import { describe, expect, it } from "vitest";
import { rootPlace, scanUpdate } from "../../../src/protocol/gate/index.ts";
import type { Scan } from "./contexts.ts";
import { inventTrial, layGrounds, mutateTrial } from "./grammar.ts";
import { examine, type Trial } from "./property.ts";
import { createRandom } from "./random.ts";

/** Inputs in all, half of them mutated and half made up; `FLOCKSTATE_FUZZ` raises it. */
const inputs = Number(process.env["FLOCKSTATE_FUZZ"] ?? 100_000);
const grounds = layGrounds();

/** The trial of a seed: odd seeds mutate, even ones invent. */
function trialOf(seed: number): Trial {
  const random = createRandom(seed);
  return seed % 2 === 1 ? mutateTrial(random, grounds) : inventTrial(random, grounds);
}

/** Counts what became of the seeds, and stops at the first broken promise. */
function run(from: number, to: number, step: number) {
  const tally = new Map<string, number>();
  for (let seed = from; seed < to; seed += step) {
    const outcome = examine(trialOf(seed), scanUpdate);
    if (outcome.violation) {
      throw new Error(`Seed ${seed}: ${outcome.violation}.`, { cause: outcome.cause });
    }
    const result = outcome.code ?? "accepted";
    tally.set(result, (tally.get(result) ?? 0) + 1);
  }
  return tally;
}

describe("GATE-17: what the gate accepts applies, leaves nothing pending, and is written back in an accepted form", () => {
  it("GATE-17: holds for mutated honest updates", { timeout: 600_000 }, () => {
    const tally = run(1, inputs, 2);
    expect(tally.get("accepted")).toBeGreaterThan(inputs / 50);
    expect(tally.size).toBeGreaterThan(8);
  });

  it("GATE-17: holds for updates made from the grammar", { timeout: 600_000 }, () => {
    const tally = run(0, inputs, 2);
    expect(tally.get("accepted")).toBeGreaterThan(inputs / 20);
    expect(tally.size).toBeGreaterThan(8);
  });

  const broken = (code: string): Scan => {
    return (update, options) => {
      const verdict = scanUpdate(update, options);
      if (verdict.ok || verdict.code !== code) return verdict;
      return { ok: true, ranges: [], places: [], deletes: false, known: false };
    };
  };
  const violationsOf = (scan: Scan) =>
    new Set(Array.from({ length: 4_000 }, (_, seed) => examine(trialOf(seed), scan).violation));

  it("GATE-17: control: a gate that lets gaps pass is caught", () => {
    expect(violationsOf(broken("gate/gap"))).toContain("left pending");
  });

  it("GATE-17: control: a gate that knows every reference is caught", () => {
    const credulous: Scan = (update, options) => {
      const { context } = options;
      const known = (client: number) => context.clockOf(client) || 2 ** 31;
      return scanUpdate(update, { ...options, context: { clockOf: known, placeOf: () => rootPlace } });
    };
    expect(violationsOf(credulous)).toContain("left pending");
  });

  it("GATE-17: control: a gate that lets structs refer to their own future or in circles is caught", () => {
    const violations = violationsOf(broken("gate/origin"));
    expect(violations).toContain("apply threw");
    expect(violations).toContain("left pending");
  });

  it("GATE-17: control: a gate that takes malformed bytes is caught", () => {
    expect(violationsOf(broken("gate/malformed"))).toContain("apply threw");
  });
});
