import { describe, expect, it } from "vitest";
import { scanUpdate } from "../../../src/protocol/gate/index.ts";
import type { Scan } from "./contexts.ts";
import { examineLane, inventLaneTrial } from "./lane-orders.ts";
import { createRandom } from "./random.ts";

/** Sets of updates; `FLOCKSTATE_LANES` raises it. */
const inputs = Number(process.env["FLOCKSTATE_LANES"] ?? 2_000);

describe("GATE-19: what a page accepts is one thing, however it arrives", () => {
  it(`GATE-19: THREAT-1 ${inputs} inputs: applied in every order, merged and re-encoded they are equal`, {
    timeout: 3_600_000,
  }, () => {
    let accepted = 0;
    for (let seed = 0; seed < inputs; seed++) {
      const outcome = examineLane(inventLaneTrial(createRandom(seed)), scanUpdate);
      if (outcome.violation) throw new Error(`Seed ${seed}: ${outcome.violation}.`);
      accepted += outcome.accepted;
    }
    expect(accepted).toBeGreaterThan(inputs);
  });

  const violationsOf = (scan: Scan) =>
    new Set(
      Array.from(
        { length: 500 },
        (_, seed) => examineLane(inventLaneTrial(createRandom(seed)), scan).violation,
      ),
    );

  it("GATE-19: control: a gate that takes a second content for a clock is caught", () => {
    const forgetful: Scan = (update, options) => {
      const verdict = scanUpdate(update, options);
      return !verdict.ok || !verdict.known ? verdict : { ...verdict, known: false };
    };
    expect(violationsOf(forgetful)).toContain("orders differ");
  });

  it("GATE-19: control: a gate that lets gaps pass is caught", () => {
    const credulous: Scan = (update, options) => {
      const verdict = scanUpdate(update, {
        ...options,
        context: { ...options.context, clockOf: () => 2 ** 31 },
      });
      return verdict.ok ? { ...verdict, known: false } : verdict;
    };
    expect(violationsOf(credulous)).toContain("refused anew");
  });
});
