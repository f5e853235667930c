import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileMatcher, faultOf } from "../../src/messaging/filter/matcher.ts";
import type { Message } from "../../src/messaging/index.ts";
import type { Json, JsonObject } from "../../src/protocol/index.ts";

const takes = (matcher: unknown, message: Partial<Message>) => compileMatcher(matcher)(message);

describe("matchers", () => {
  it.each<[boolean, unknown, Partial<Message>]>([
    [true, {}, {}],
    [true, { "content.kind": "invoice" }, { content: { kind: "invoice" } }],
    [false, { "content.kind": "invoice" }, { content: { kind: "order" } }],
    [false, { "content.kind": "invoice" }, { content: "invoice" }],
    [true, { "content.a.b.c": null }, { content: { a: { b: { c: null } } } }],
    [false, { "content.a": null }, { content: {} }],
    [true, { content: 7 }, { content: 7 }],
    [false, { content: 7 }, { content: "7" }],
    [true, { "content.a": 0 }, { content: { a: -0 } }],
    [
      true,
      { from: "bob.planner", confidence: { gte: 0.5, lt: 1 } },
      { from: "bob.planner", confidence: 0.5 },
    ],
    [false, { from: "bob.planner", confidence: { gte: 0.5, lt: 1 } }, { from: "bob.planner", confidence: 1 }],
    [false, { confidence: { lt: 1 } }, {}],
    [false, { confidence: { not: 1, lt: 2 } }, {}],
    [true, { conversation: { prefix: "case-" } }, { conversation: "case-7" }],
    [false, { conversation: { prefix: "case-" } }, { conversation: "7" }],
    [true, { role: { in: ["request", "stream"] } }, { role: "stream" }],
    [false, { role: { in: [] } }, { role: "stream" }],
    [true, { "metadata.team": { exists: true } }, { metadata: { team: null } }],
    [true, { "metadata.team": { exists: false } }, { metadata: {} }],
    [true, { "metadata.team": { exists: false } }, {}],
    [true, { metadata: { exists: true } }, { metadata: {} }],
    [true, { labels: { exists: false } }, {}],
    [true, { "content.tags": { exists: true } }, { content: { tags: [] } }],
  ])("MSG-108: it is %s that %j takes %j", (is, matcher, message) => {
    expect(faultOf(matcher)).toBeUndefined();
    expect(takes(matcher, message)).toBe(is);
  });

  it.each<[boolean, unknown, Partial<Message>]>([
    [true, { labels: "urgent" }, { labels: ["urgent", "legal"] }],
    [false, { labels: "urgent" }, { labels: ["legal"] }],
    [true, { labels: { prefix: "team:" } }, { labels: ["legal", "team:a"] }],
    [false, { labels: { not: "secret" } }, { labels: ["legal", "secret"] }],
    [true, { labels: { not: "secret" } }, { labels: ["legal"] }],
    [true, { labels: { not: "secret" } }, {}],
    [false, { "content.values": { gte: 1, lte: 5 } }, { content: { values: [0, 9] } }],
    [true, { "content.values": { gte: 1, lte: 5 } }, { content: { values: [0, [9, [3]]] } }],
    [true, { "suggestedActions.kind": "call" }, { suggestedActions: [{ kind: "mail" }, { kind: "call" }] }],
    [false, { "suggestedActions.0.kind": "mail" }, { suggestedActions: [{ kind: "mail" }] }],
    [false, { "content.length": { exists: true } }, { content: ["a"] }],
  ])("MSG-109: elements stand for their array: it is %s that %j takes %j", (is, matcher, message) => {
    expect(takes(matcher, message)).toBe(is);
  });

  it("MSG-110: a field that is not there has its default, and content by reference no fields", () => {
    expect(takes({ priority: { gte: 4 }, contentVersion: 1 }, {})).toBe(true);
    expect(takes({ priority: { gt: 4 } }, {})).toBe(false);
    const reference = { id: "0".repeat(64), size: 5, contentType: "text/csv" };
    expect(
      takes({ "content.kind": { exists: false }, "reference.contentType": "text/csv" }, { reference }),
    ).toBe(true);
    expect(takes({ content: { exists: true } }, { reference })).toBe(false);
  });

  it("MSG-111: only what a message itself holds is a field", () => {
    const content = JSON.parse('{ "own": 1, "__proto__": { "inherited": 1 } }') as Json;
    for (const path of ["content.toString", "content.constructor.name", "content.hasOwnProperty"]) {
      expect(takes({ [path]: { exists: true } }, { content })).toBe(false);
    }
    expect(takes({ "content.__proto__.inherited": 1 }, { content })).toBe(false);
    expect(takes({ "content.own": 1 }, { content })).toBe(true);
    const path = '{ "__proto__": { "exists": false } }';
    expect(faultOf(JSON.parse(path))).toBeDefined();
    expect(takes({ toString: { exists: false } }, {})).toBe(false);
  });

  it.each<[string, unknown]>([
    ["no object", 7],
    ["nothing", null],
    ["a list", [{ priority: 1 }]],
    ["a field that no message has", { urgency: 1 }],
    ["an empty path", { "": 1 }],
    ["an empty step", { "content..kind": 1 }],
    ["a step to the prototype", { "content.__proto__": { exists: false } }],
    ["a path past 200 characters", { [`content.${"k".repeat(193)}`]: 1 }],
    ["no operator", { priority: {} }],
    ["an operator of a later version", { priority: { near: 4 } }],
    ["an inherited operator", { priority: { toString: 4 } }],
    ["a bound that is no number", { priority: { gt: "4" } }],
    ["a prefix that is no text", { from: { prefix: 7 } }],
    ["`exists` that is neither true nor false", { from: { exists: 1 } }],
    ["a list as a value", { labels: ["urgent"] }],
    ["an object as a value", { metadata: { eq: { team: 1 } } }],
    ["a value that JSON can't hold", { confidence: Number.NaN }],
    ["a function", { confidence: () => true }],
    ["more than 64 values", { priority: { in: Array.from({ length: 65 }, (_, at) => at) } }],
    ["more than 16 paths", Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`content.k${at}`, at]))],
    ["more than 4096 bytes", { "content.text": "é".repeat(2_050) }],
  ])("MSG-112: %s is a fault, and takes nothing", (_, matcher) => {
    expect(faultOf(matcher)).toEqual(expect.any(String));
    expect(takes(matcher, { priority: 4, labels: ["urgent"], from: "7" })).toBe(false);
  });

  it("MSG-112: a matcher at every bound is none", () => {
    const values = Array.from({ length: 64 }, (_, at) => at);
    const paths = Object.fromEntries(Array.from({ length: 14 }, (_, at) => [`content.k${at}`, at]));
    const matcher = { ...paths, [`content.${"k".repeat(192)}`]: 1, priority: { in: values } };
    expect(faultOf(matcher)).toBeUndefined();
    expect(faultOf({ "content.text": "t".repeat(4_096 - '{"content.text":""}'.length) })).toBeUndefined();
  });
});

describe("matchers against a model", () => {
  /** Every value at a path, each element of an array for itself. */
  function valuesAt(value: Json | undefined, [key, ...rest]: readonly string[]): Json[] {
    if (value === undefined) return [];
    if (Array.isArray(value)) {
      const inner = value.flatMap((each) => valuesAt(each, key === undefined ? [] : [key, ...rest]));
      return key === undefined ? [value, ...inner] : inner;
    }
    if (key === undefined) return [value];
    const isObject = typeof value === "object" && value !== null;
    const own = isObject ? new Map(Object.entries(value as JsonObject)).get(key) : undefined;
    return valuesAt(own, rest);
  }

  function judge(values: Json[], test: JsonObject): boolean {
    const { not, exists, ...rest } = test;
    const isWanted = (value: Json): boolean =>
      Object.entries(rest).every(([operator, operand]) => {
        if (operator === "eq") return value === operand;
        if (operator === "in") return (operand as readonly Json[]).includes(value);
        if (operator === "lt") return typeof value === "number" && value < (operand as number);
        if (operator === "gte") return typeof value === "number" && value >= (operand as number);
        return typeof value === "string" && value.startsWith(operand as string);
      });
    if (exists !== undefined && values.length > 0 !== exists) return false;
    if (not !== undefined && values.includes(not)) return false;
    return Object.keys(rest).length === 0 || values.some(isWanted);
  }

  const scalar = fc.constantFrom<Json>(0, 1, 2, "a", "ab", "", null, true);
  const key = fc.constantFrom("a", "b");
  const { tree } = fc.letrec<{ tree: Json }>((tie) => ({
    tree: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      scalar,
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(key, tie("tree"), { maxKeys: 2 }),
    ),
  }));
  const test = fc
    .record(
      {
        eq: scalar,
        not: scalar,
        in: fc.array(scalar, { maxLength: 3 }),
        lt: fc.constantFrom(0, 1, 2),
        gte: fc.constantFrom(0, 1, 2),
        prefix: fc.constantFrom("a", ""),
        exists: fc.boolean(),
      },
      { requiredKeys: [] },
    )
    .filter((operators) => Object.keys(operators).length > 0);
  const path = fc.array(key, { maxLength: 3 });

  const agrees = (compile: typeof compileMatcher) =>
    fc.property(tree, path, test, (content, keys, operators) => {
      const taken = compile({ [["content", ...keys].join(".")]: operators })({ content });
      expect(taken).toBe(judge(valuesAt(content, keys), operators as JsonObject));
    });

  it("MSG-113: a matcher takes what a model of it takes", () => {
    fc.assert(agrees(compileMatcher), { numRuns: 5_000 });
  });

  it("MSG-113: the property fails for a matcher that lets other elements pass for the one meant", () => {
    const loose: typeof compileMatcher = (matcher) => {
      const [[path, operators]] = Object.entries(matcher as JsonObject) as [[string, JsonObject]];
      const each = Object.entries(operators).map(([name, operand]) =>
        compileMatcher({ [path]: { [name]: operand } }),
      );
      return (message) => each.every((takes) => takes(message));
    };
    expect(() => fc.assert(agrees(loose), { numRuns: 20_000 })).toThrow();
  });
});
