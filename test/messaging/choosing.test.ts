import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pick } from "../../src/messaging/consumer/rendezvous.ts";

describe("rendezvous", () => {
  const writers = ["a.x.1", "a.x.2", "a.x.3"];
  const lanes = Array.from({ length: 3_000 }, (_, index) => `anon.planner.${index}`);

  it("MSG-7: the same is picked whatever the order, and one who leaves moves only its own lanes", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(writers, { minLength: 3 }), fc.string(), (shuffled, lane) => {
        expect(pick(shuffled, lane)).toBe(pick(writers, lane));
      }),
    );
    for (const lane of lanes) {
      const picked = pick(writers, lane);
      if (picked !== "a.x.2") expect(pick(["a.x.1", "a.x.3"], lane)).toBe(picked);
    }
    expect(pick([], "lane")).toBeUndefined();
  });

  it("MSG-7: lanes are shared out within a tenth of evenly", () => {
    const counts = new Map<string | undefined, number>();
    for (const lane of lanes) {
      const picked = pick(writers, lane);
      counts.set(picked, (counts.get(picked) ?? 0) + 1);
    }
    for (const writer of writers) expect(Math.abs((counts.get(writer) ?? 0) - 1_000)).toBeLessThan(100);
  });
});
