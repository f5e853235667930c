import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../src/base/index.ts";
import { decodeSignal, encodeSignal, type Json, maxSignalBytes } from "../../src/protocol/index.ts";

const from = "ann.planner.x7";
const to = "ben.critic.y8";
const overhead = JSON.stringify({ from, to, body: "" }).length;

/** An array in an array, so many of them. */
const nested = (levels: number): Json => JSON.parse("[".repeat(levels) + "]".repeat(levels));
const bytesOf = (value: unknown) => toUtf8(JSON.stringify(value));

describe("signals", () => {
  it("SIG-1: what is signalled is read back as it was", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const body = JSON.parse(JSON.stringify(value)) as Json;
        // A key `__proto__` is no plain JSON of ours.
        fc.pre(!JSON.stringify(body).includes("__proto__"));
        const bytes = encodeSignal({ from, to, body });
        expect(bytes && decodeSignal(bytes)).toEqual({ from, to, body });
      }),
    );
  });

  it("SIG-1: one holds 16 KiB and 31 levels, and no more", () => {
    const text = (bytes: number) => encodeSignal({ from, to, body: "x".repeat(bytes - overhead) });
    expect([text(maxSignalBytes)?.length, text(maxSignalBytes + 1)]).toEqual([maxSignalBytes, undefined]);
    const deepest = encodeSignal({ from, to, body: nested(31) });
    expect(deepest && decodeSignal(deepest)?.body).toEqual(nested(31));
    expect(encodeSignal({ from, to, body: nested(32) })).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["a function", () => 1],
    ["a date", new Date(0)],
    ["a number that is none", Number.NaN],
    ["a hole in an object", { a: undefined }],
  ])("SIG-1: %s is no body", (_, body) => {
    expect(encodeSignal({ from, to, body: body as Json })).toBeUndefined();
  });

  it.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array()],
    ["no UTF-8", Uint8Array.of(0x22, 0xff, 0x22)],
    ["no JSON", toUtf8("{")],
    ["no object", bytesOf([from, to, 1])],
    ["a sender that is no writer", bytesOf({ from: "ann.planner", to, body: 1 })],
    ["an addressee that is no writer", bytesOf({ from, to: 7, body: 1 })],
    ["no body", bytesOf({ from, to })],
    ["a body that nests too deep", bytesOf({ from, to, body: nested(32) })],
    ["a key that reaches prototypes", toUtf8(`{"from":"${from}","to":"${to}","body":{"__proto__":{}}}`)],
    ["more than a signal holds", bytesOf({ from, to, body: "x".repeat(maxSignalBytes) })],
  ])("SIG-2: %s is no signal, and no error", (_, bytes) => {
    expect(decodeSignal(bytes)).toBeUndefined();
  });

  it("SIG-2: whatever the bytes, reading them throws nothing and gives a whole signal or none", () => {
    const whole = encodeSignal({ from, to, body: { a: [1, "é", null] } }) as Uint8Array;
    const mutated = fc
      .array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { maxLength: 4 })
      .map((changes) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    let read = 0;
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        const signal = decodeSignal(bytes);
        if (!signal) return;
        read++;
        expect(encodeSignal(signal)).toBeInstanceOf(Uint8Array);
      }),
      { numRuns: 2_000 },
    );
    expect(read).toBeGreaterThan(0);
  });
});
