import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ControlMessage,
  decodeControl,
  encodeControl,
  maxPresenceBytes,
  maxSignalBytes,
  tokenScopes,
} from "../../src/protocol/index.ts";
import { outcome } from "./coded.ts";

const number = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat());
const text = fc.string({ unit: "grapheme", maxLength: 40 });
const state = fc.option(fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }), { nil: undefined });
const bytes = fc.uint8Array({ maxLength: 40 });
const type = <T extends string>(value: T) => fc.constant(value);

const message: fc.Arbitrary<ControlMessage> = fc.oneof(
  fc.record({ type: type("join"), version: number, epoch: text, sequence: number }),
  fc.record({ type: type("name"), channel: number, name: text }),
  fc.record({ type: fc.constantFrom("mark", "acknowledge"), number }),
  fc.record({ type: type("presence"), state }),
  fc.record({ type: type("signal"), to: number, bytes }),
  fc.record({
    type: type("welcome"),
    version: number,
    epoch: text,
    sequence: number,
    resumed: fc.boolean(),
    presence: number,
  }),
  fc.record({ type: type("refuse"), channel: number, code: text, message: text }),
  fc.record({ type: type("cursor"), sequence: number }),
  fc.record({ type: fc.constantFrom("joined", "ping", "pong") }),
  fc.record({
    type: type("presences"),
    entries: fc.array(fc.record({ id: number, clock: number, state }), { maxLength: 4 }),
  }),
  fc.record({ type: type("signalled"), from: number, bytes }),
  fc.record({ type: type("token"), token: text }),
  fc.record({ type: type("credit"), bytes: number }),
  fc.record({
    type: type("granted"),
    principal: text,
    scopes: fc.subarray([...tokenScopes]),
    expiresAt: fc.option(fc.integer({ min: 1 }), { nil: undefined }),
  }),
  fc.record({ type: type("halted"), halted: fc.boolean() }),
  fc.record({ type: type("problem"), code: text, message: text }),
);
const codes = [
  "protocol/malformed-frame",
  "protocol/presence-too-large",
  "protocol/frame-too-large",
] as const;

describe("control messages", () => {
  it("FRAME-4: every message is read back as it was", () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(decodeControl(encodeControl(sent))).toEqual(sent);
      }),
      { numRuns: 1_000 },
    );
  });

  it("FRAME-5: a message cut short or with a byte too many is malformed", () => {
    fc.assert(
      fc.property(message, fc.nat(), (sent, seed) => {
        const encoded = encodeControl(sent);
        const cut = encoded.subarray(0, seed % encoded.length);
        expect(outcome(() => decodeControl(cut), codes)).toBe("refused");
        expect(outcome(() => decodeControl(new Uint8Array([...encoded, 0])), codes)).toBe("refused");
      }),
    );
  });

  it("FRAME-5: whatever the bytes, a message is taken or refused with a code", () => {
    const seen = { taken: 0, refused: 0, failed: 0 };
    const tagged = fc
      .tuple(fc.nat({ max: 26 }), fc.uint8Array({ maxLength: 20 }))
      .map(([tag, rest]) => [tag, ...rest]);
    fc.assert(
      fc.property(tagged, (encoded) => {
        seen[outcome(() => decodeControl(new Uint8Array(encoded)), codes)]++;
        expect(seen.failed).toBe(0);
      }),
      { numRuns: 1_000 },
    );
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(0);
  });

  it("FRAME-5: an unknown message is malformed", () => {
    for (const tag of [6, 15, 25, 127]) {
      expect(() => decodeControl(new Uint8Array([tag]))).toThrow(
        expect.objectContaining({ code: "protocol/malformed-frame" }),
      );
    }
  });

  it("FRAME-6: a presence state has at most 4 KiB, counted as UTF-8", () => {
    const fits = "é".repeat(maxPresenceBytes / 2);
    expect(decodeControl(encodeControl({ type: "presence", state: fits }))).toEqual({
      type: "presence",
      state: fits,
    });
    expect(() => decodeControl(encodeControl({ type: "presence", state: `${fits}e` }))).toThrow(
      expect.objectContaining({ code: "protocol/presence-too-large" }),
    );
  });

  it("FRAME-6: a signal has at most 16 KiB", () => {
    const signal = (length: number) =>
      encodeControl({ type: "signal", to: 0, bytes: new Uint8Array(length) });
    expect(decodeControl(signal(maxSignalBytes)).type).toBe("signal");
    expect(() => decodeControl(signal(maxSignalBytes + 1))).toThrow(
      expect.objectContaining({ code: "protocol/frame-too-large" }),
    );
  });
});
