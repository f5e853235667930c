import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isJson, jsonBytes } from "../../src/protocol/index.ts";

const bytesOf = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).length;

describe("the size of JSON", () => {
  it("MSG-71: it is that of its text in UTF-8, without making the text", () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }));
    const value = fc.oneof(fc.jsonValue({ stringUnit: "binary" }), text, fc.dictionary(text, fc.jsonValue()));
    fc.assert(
      fc.property(value, (json) => {
        fc.pre(isJson(json));
        expect(jsonBytes(json)).toBe(bytesOf(json));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([0, -0, 1e21, 1e-7, 0.1, -12.5, 2 ** 53, Number.MAX_VALUE, Number.MIN_VALUE])(
    "MSG-71: the number %s",
    (number) => expect(jsonBytes(number)).toBe(bytesOf(number)),
  );

  it.each<[string, string]>([
    ["a quote", '"'],
    ["a backslash", "\\"],
    ["a line feed", "\n"],
    ["a control character", "\u0001"],
    ["DEL", "\u007f"],
    ["two bytes", "é"],
    ["three bytes", "\u2028"],
    ["a surrogate pair", "😀"],
    ["half a surrogate pair", "\ud83d"],
  ])("MSG-71: %s", (_, text) => {
    expect(jsonBytes(text)).toBe(bytesOf(text));
    expect(jsonBytes({ [text]: [text] })).toBe(bytesOf({ [text]: [text] }));
  });

  it("MSG-71: what is no plain JSON has none, as isJson says", () => {
    const odd = [
      undefined,
      Number.NaN,
      () => 1,
      new Date(0),
      new Map(),
      JSON.parse('{"__proto__":1}'),
      1n,
      Symbol("a"),
    ];
    for (const value of odd) {
      expect(jsonBytes(value)).toBeUndefined();
      expect(jsonBytes([{ a: value }])).toBeUndefined();
    }
    let deep: unknown = 1;
    for (let level = 0; level < 32; level++) deep = [deep];
    expect(jsonBytes(deep)).toBe(65);
    expect(jsonBytes([deep])).toBeUndefined();
    fc.assert(fc.property(fc.anything(), (value) => (jsonBytes(value) !== undefined) === isJson(value)));
  });
});
