import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isJson, type Json, parseJson } from "../../src/protocol/index.ts";
import { copyJson } from "../../src/protocol/json.ts";

function nested(depth: number): Json {
  let value: Json = 1;
  for (let level = 0; level < depth; level++) value = level % 2 ? [value] : { a: value };
  return value;
}

describe("the JSON guard", () => {
  it("FRAME-11: JSON is read as JSON.parse reads it", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!text.includes("__proto__"));
        expect(JSON.stringify(parseJson(text))).toBe(text);
      }),
    );
  });

  it("FRAME-11: a copy is what the text of the value parses to, and none where there is no such text", () => {
    const anything = fc.anything({ withNullPrototype: true, withSparseArray: true, maxDepth: 4 });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue({ maxDepth: 5 }), anything), (value) => {
        const copy = copyJson(value);
        expect(copy !== undefined).toBe(isJson(value));
        // Vitest tells -0 from 0.
        if (copy !== undefined) expect(copy).toStrictEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 500 },
    );
    expect([copyJson([-0]), copyJson(nested(32)), copyJson(nested(33))]).toEqual([
      [0],
      nested(32),
      undefined,
    ]);
  });

  it("FRAME-11: 32 levels are read, 33 are not", () => {
    expect(parseJson(JSON.stringify(nested(32)))).toEqual(nested(32));
    expect(parseJson(JSON.stringify(nested(33)))).toBeUndefined();
    expect([isJson(nested(32)), isJson(nested(33)), isJson(nested(33), 33)]).toEqual([true, false, true]);
  });

  it("FRAME-11: 100,000 levels are refused without a stack overflow", () => {
    expect(parseJson(`${"[".repeat(100_000)}${"]".repeat(100_000)}`)).toBeUndefined();
  });

  it("FRAME-12: a __proto__ key is refused at any depth", () => {
    expect(parseJson('{"__proto__":{"isAdmin":true}}')).toBeUndefined();
    expect(parseJson('[{"a":{"\\u005f_proto__":1}}]')).toBeUndefined();
    expect(parseJson('{"proto":"__proto__"}')).toEqual({ proto: "__proto__" });
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  it.each([
    ["undefined", undefined],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a bigint", 1n],
    ["NaN", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
    ["a date", new Date(0)],
    ["a map", new Map()],
    ["bytes", new Uint8Array(1)],
    ["a class instance", new (class Thing {})()],
    ["an undefined field", { a: undefined }],
    ["a function in a list", [() => 1]],
  ])("FRAME-11: %s is no JSON", (_, value) => {
    expect(isJson(value)).toBe(false);
  });

  it("FRAME-11: objects without a prototype are JSON", () => {
    expect(isJson(Object.assign(Object.create(null), { a: [null, true, -0.5, ""] }))).toBe(true);
  });

  it.each(["", "{", "undefined", "NaN", "{'a':1}", "1 2"])("FRAME-11: %j does not parse", (text) => {
    expect(parseJson(text)).toBeUndefined();
  });
});
