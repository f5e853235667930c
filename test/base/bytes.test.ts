import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  concatBytes,
  equalBytes,
  fromBase64Url,
  fromHex,
  fromUtf8,
  sha256Hex,
  toBase64Url,
  toHex,
  toUtf8,
} from "../../src/base/index.ts";

const bytes = fc.uint8Array({ maxLength: 200 });

it("BASE-8: text, hexadecimal, base64url and joined bytes are read back as they were", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => fromUtf8(toUtf8(text)) === text));
  fc.assert(fc.property(bytes, (value) => equalBytes(fromHex(toHex(value)), value)));
  fc.assert(fc.property(bytes, (value) => equalBytes(fromBase64Url(toBase64Url(value)), value)));
  fc.assert(
    fc.property(fc.array(bytes), (parts) => {
      expect([...concatBytes(parts)]).toEqual(parts.flatMap((part) => [...part]));
    }),
  );
  expect(fromUtf8(toUtf8("\ufeffbom"))).toBe("\ufeffbom");
});

it("BASE-8: bytes that are no UTF-8 are refused", () => {
  expect(() => fromUtf8(new Uint8Array([0xff]))).toThrow(TypeError);
  expect(() => fromUtf8(new Uint8Array([0xed, 0xa0, 0x80]))).toThrow(TypeError);
});

it("BASE-8: arrays are equal by their bytes, windows included", () => {
  const whole = new Uint8Array([9, 1, 2, 9]);
  expect(equalBytes(whole.subarray(1, 3), new Uint8Array([1, 2]))).toBe(true);
  expect(equalBytes(new Uint8Array([1]), new Uint8Array([1, 0]))).toBe(false);
  expect(equalBytes(new Uint8Array([1]), new Uint8Array([2]))).toBe(false);
});

it("BASE-9: sha256Hex is SHA-256 in lower-case hexadecimal", async () => {
  await fc.assert(
    fc.asyncProperty(bytes, async (value) => {
      expect(await sha256Hex(value)).toBe(createHash("sha256").update(value).digest("hex"));
    }),
    { numRuns: 25 },
  );
});
