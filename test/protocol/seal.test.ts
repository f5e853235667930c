import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSeal, encodeSeal } from "../../src/protocol/index.ts";
import { outcome } from "./coded.ts";

const batches = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 });
const codes = ["protocol/malformed-batch"] as const;

describe("seals", () => {
  it("FRAME-25: a seal is the batches of a page as they are, each behind its length", () => {
    fc.assert(
      fc.property(batches, (written) => {
        const seal = encodeSeal(written);
        expect(decodeSeal(seal).map((each) => [...each])).toEqual(written.map((each) => [...each]));
      }),
    );
    expect([...encodeSeal([new Uint8Array([7]), new Uint8Array([8, 9])])]).toEqual([1, 7, 2, 8, 9]);
    expect(decodeSeal(new Uint8Array())).toEqual([]);
  });

  it("FRAME-25: other batches, or the same in another order or cut elsewhere, are another seal", () => {
    fc.assert(
      fc.property(batches, batches, (one, other) => {
        const isSame =
          JSON.stringify(one.map((each) => [...each])) === JSON.stringify(other.map((each) => [...each]));
        expect(String(encodeSeal(one)) === String(encodeSeal(other))).toBe(isSame);
      }),
    );
    const [a, b, ab] = [new Uint8Array([1]), new Uint8Array([2]), new Uint8Array([1, 2])];
    expect(
      new Set([[a, b], [b, a], [ab], [ab, new Uint8Array()]].map((each) => String(encodeSeal(each)))).size,
    ).toBe(4);
  });

  it("FRAME-25: a seal that ends within a batch is malformed, and whatever the bytes, nothing else is thrown", () => {
    expect(outcome(() => decodeSeal(new Uint8Array([2, 7])), codes)).toBe("refused");
    expect(outcome(() => decodeSeal(new Uint8Array([255])), codes)).toBe("refused");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(outcome(() => decodeSeal(bytes), codes)).not.toBe("failed");
      }),
      { numRuns: 500 },
    );
  });
});
