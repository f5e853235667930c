import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeFrame,
  encodeFrame,
  type FramePart,
  maxFrameBytes,
  partBytes,
} from "../../src/protocol/index.ts";
import { outcome } from "./coded.ts";

const part: fc.Arbitrary<FramePart> = fc.record({
  channel: fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 2 ** 31 - 1 })),
  payload: fc.uint8Array({ maxLength: 300 }),
});
const codes = ["protocol/malformed-frame", "protocol/frame-too-large"] as const;

const plain = (parts: readonly FramePart[]) => parts.map(({ channel, payload }) => [channel, [...payload]]);

describe("frames", () => {
  it("FRAME-1: parts are read back in their order", () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), (parts) => {
        expect(plain(decodeFrame(encodeFrame(parts)))).toEqual(plain(parts));
      }),
    );
  });

  it("FRAME-1: a part takes as many bytes as partBytes says", () => {
    fc.assert(
      fc.property(part, ({ channel, payload }) => {
        expect(encodeFrame([{ channel, payload }]).length).toBe(partBytes(channel, payload.length));
      }),
    );
    expect(partBytes(2 ** 30, 2 ** 20)).toBe(5 + 4 + 2 ** 20 - 1);
  });

  it("FRAME-2: a frame cut anywhere within its last part is malformed", () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), fc.nat(), (parts, seed) => {
        const frame = encodeFrame(parts);
        const last = parts.at(-1) as FramePart;
        const lost = 1 + (seed % (partBytes(last.channel, last.payload.length) - 1));
        expect(outcome(() => decodeFrame(frame.subarray(0, frame.length - lost)), codes)).toBe("refused");
      }),
    );
  });

  it("FRAME-2: whatever the bytes, a frame is taken or refused with a code", () => {
    const seen = { taken: 0, refused: 0, failed: 0 };
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 6 }), { maxLength: 12 }), (numbers) => {
        const bytes = new Uint8Array(numbers);
        seen[outcome(() => decodeFrame(bytes), codes)]++;
        expect(seen.failed).toBe(0);
      }),
      { numRuns: 2_000 },
    );
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(0);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(outcome(() => decodeFrame(bytes), codes)).not.toBe("failed");
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ["nothing", []],
    ["a length past the end", [1, 5, 0]],
    ["a number that does not end", [0x80, 0x80]],
    ["a channel past 31 bits", [0x80, 0x80, 0x80, 0x80, 0x08, 0]],
    ["a length past 53 bits", [1, ...new Array(9).fill(0xff), 0x01]],
  ])("FRAME-2: %s is malformed", (_, bytes) => {
    expect(() => decodeFrame(new Uint8Array(bytes))).toThrow(
      expect.objectContaining({ code: "protocol/malformed-frame" }),
    );
  });

  it("FRAME-3: 1 MiB is the largest frame, both ways", () => {
    const payload = new Uint8Array(maxFrameBytes - 4);
    expect(decodeFrame(encodeFrame([{ channel: 1, payload }]))).toHaveLength(1);
    const tooLarge = expect.objectContaining({ code: "protocol/frame-too-large" });
    expect(() => encodeFrame([{ channel: 1, payload: new Uint8Array(maxFrameBytes - 3) }])).toThrow(tooLarge);
    expect(() => decodeFrame(new Uint8Array(maxFrameBytes + 1))).toThrow(tooLarge);
  });
});
