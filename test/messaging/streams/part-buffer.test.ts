import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../src/base/index.ts";
import {
  createPartBuffer,
  type PartBuffer,
  pairStart,
  partUnits,
  wellFormed,
} from "../../../src/messaging/streams/part-buffer.ts";
import { encodeEntry, maxEntryBytes } from "../../../src/protocol/index.ts";

const text = "a👩‍🚀é\u{1F600}\u{10FFFF}z";

/** Takes everything that is there. */
function drain(buffer: PartBuffer): string[] {
  const parts: string[] = [];
  for (let part = buffer.take(); part; part = buffer.take()) parts.push("text" in part ? part.text : "");
  return parts;
}

/** A buffer that hands out each write as it came. */
function createNaiveBuffer(): Pick<PartBuffer, "push" | "take" | "finish"> {
  const parts: string[] = [];
  return {
    push: (part) => parts.push(part as string),
    take() {
      const part = parts.shift();
      return part === undefined ? undefined : { text: part, length: part.length, encoded: toUtf8(part) };
    },
    finish: () => 0,
  };
}

/** What a reader has whom every part reaches as UTF-8. */
function sent(buffer: Pick<PartBuffer, "push" | "take" | "finish">, writes: readonly string[]): string {
  let read = "";
  const take = () => {
    for (let part = buffer.take(); part; part = buffer.take()) {
      read += new TextDecoder("utf-8", { ignoreBOM: true }).decode(part.encoded);
    }
  };
  for (const write of writes) {
    buffer.push(write);
    take();
  }
  buffer.finish();
  take();
  return read;
}

describe("text", () => {
  it("STREAM-1: split at every code unit, by every two cuts, nothing of it changes", () => {
    for (let first = 0; first <= text.length; first++) {
      for (let second = first; second <= text.length; second++) {
        const writes = [text.slice(0, first), text.slice(first, second), text.slice(second)];
        expect(sent(createPartBuffer(), writes)).toBe(text);
      }
    }
  });

  it("STREAM-1: any text arrives as UTF-8 has it, a lone surrogate as U+FFFD, however it is cut", () => {
    const unit = fc.oneof(
      fc.constantFrom("\ud83d", "\ude00", "x", "é", "\u0000"),
      fc.string({ unit: "binary" }),
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 12 }), (writes) => {
        const whole = writes.join("");
        const buffer = createPartBuffer();
        const read = sent(buffer, writes);
        expect(read).toBe(new TextDecoder("utf-8", { ignoreBOM: true }).decode(toUtf8(whole)));
        expect(read.length).toBe(whole.length);
      }),
    );
  });

  it("STREAM-1: a buffer without the rule of surrogates is caught", () => {
    expect(sent(createNaiveBuffer(), [text.slice(0, 2), text.slice(2)])).not.toBe(text);
  });

  it("STREAM-2: a part fits an entry, whatever JSON spells it with, and no pair is split between two", () => {
    for (const [long, count] of [
      ["\u0001".repeat(3 * partUnits), 3],
      [`a${"\u{1F600}".repeat(partUnits)}`, 3],
      ["中".repeat(partUnits + 1), 2],
    ] as const) {
      const buffer = createPartBuffer();
      buffer.push(long);
      const parts = drain(buffer);
      expect(parts).toHaveLength(count);
      expect(parts.join("")).toBe(long);
      for (const part of parts) {
        expect(wellFormed(part)).toBe(part);
        const of = `${"a".repeat(64)}.${"b".repeat(64)}.${"c".repeat(64)}/999999999-4294967295/1023`;
        const body = { of, at: Number.MAX_SAFE_INTEGER, text: part };
        expect(encodeEntry({ kind: "stream", parents: [of], body }).length).toBeLessThan(maxEntryBytes);
      }
    }
  });

  it("STREAM-2: only full parts are taken where no other is wanted", () => {
    const buffer = createPartBuffer();
    buffer.push("x".repeat(partUnits + 5));
    expect(buffer.take({ isFull: true })?.length).toBe(partUnits);
    expect(buffer.take({ isFull: true })).toBeUndefined();
    expect([buffer.length, buffer.take()?.length]).toEqual([5, 5]);
  });
});

describe("limits", () => {
  it("STREAM-3: a stream is of text or of bytes, and a refused part leaves it as it was", () => {
    const buffer = createPartBuffer();
    buffer.push("");
    expect(buffer.unit).toBeUndefined();
    buffer.push(Uint8Array.of(1, 2));
    const invalid = expect.objectContaining({ code: "messaging/invalid-options" });
    expect(() => buffer.push("text")).toThrow(invalid);
    expect(() => buffer.push(7 as never)).toThrow(invalid);
    buffer.push(Uint8Array.of(3));
    expect(buffer.take()).toMatchObject({ bytes: Uint8Array.of(1, 2, 3), length: 3 });
  });

  it("STREAM-4: what would go past the limit is refused whole; half a pair counts as what it may become", () => {
    const buffer = createPartBuffer(8);
    const tooLarge = expect.objectContaining({ code: "messaging/stream-too-large" });
    expect(buffer.push("ééé")).toBe(6);
    expect(() => buffer.push("abc")).toThrow(tooLarge);
    expect(() => buffer.push("\ud83d")).toThrow(tooLarge);
    expect(buffer.push("ab")).toBe(2);
    expect(drain(buffer)).toEqual(["éééab"]);
    const exact = createPartBuffer(4);
    exact.push("\ud83d");
    expect(exact.push("\ude00")).toBe(4);
    expect([exact.finish(), drain(exact)]).toEqual([0, ["\u{1F600}"]]);
  });
});

it("STREAM-1: an index in the middle of a pair is the pair's", () => {
  expect([0, 1, 2, 3, 4].map((index) => pairStart("a\u{1F600}b", index))).toEqual([0, 1, 1, 3, 4]);
  expect(pairStart("\ude00\ude00", 1)).toBe(1);
});
