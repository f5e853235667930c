import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import {
  addresses,
  copyMessageBody,
  isJson,
  messageBodySchema,
  messageTypes,
} from "../../src/protocol/index.ts";

const valid = { type: "QUERY", to: "critic", content: { a: 1 }, schemaVersion: "1.0" };
const reference = { id: "a".repeat(64), size: 3, contentType: "text/csv" };
const without = (field: keyof typeof valid) => {
  const { [field]: _, ...rest } = valid;
  return rest;
};
const takes = (body: unknown) => z.safeParse(messageBodySchema, body).success;

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = { a: value };
  return value;
}

describe("message bodies", () => {
  it.each<[string, object]>([
    ["an agent of anybody's", valid],
    ["one principal's agent", { ...valid, to: "alice.critic" }],
    ["one writer", { ...valid, to: "alice.critic.x7" }],
    ["everybody", { ...valid, to: "*" }],
    ["a later minor version", { ...valid, schemaVersion: "1.12" }],
    ["a topic", { ...without("to"), topic: "news.sport" }],
    ["a topic of eight words", { ...without("to"), topic: "a.b.c.d.e.f.g.h" }],
    ["content by reference", { ...without("content"), reference }],
    ["null as content", { ...valid, content: null }],
    ["content of 32 levels", { ...valid, content: nested(32) }],
    ["a name of the application's own", { ...valid, type: "tool_result.v2" }],
    [
      "every optional field",
      {
        ...valid,
        parent: "a.b.c/0-1/0",
        conversation: "c",
        confidence: 0.5,
        metadata: {},
        problemContext: { file: "x" },
        analysisResults: {},
        suggestedActions: [{}],
        contentVersion: 2,
        priority: 9,
        expiresAt: 1_700_000_000_000,
        idempotencyKey: "order 7",
        role: "request",
        sources: ["a.b.c/0-1/0"],
        labels: ["web:untrusted"],
      },
    ],
  ])("FRAME-17: a message has %s", (_, body) => {
    expect(z.parse(messageBodySchema, body)).toEqual(body);
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["a list", []],
    ["no type", without("type")],
    ["a type that begins with a digit", { ...valid, type: "1st" }],
    ["a type with a space", { ...valid, type: "a b" }],
    ["a type of 65 characters", { ...valid, type: "t".repeat(65) }],
    ["neither to nor topic", without("to")],
    ["both to and topic", { ...valid, topic: "news" }],
    ["an addressee in four parts", { ...valid, to: "alice.critic.x7.y" }],
    ["an empty addressee", { ...valid, to: "" }],
    ["a pattern as topic", { ...without("to"), topic: "news.*" }],
    ["a topic of nine words", { ...without("to"), topic: "a.b.c.d.e.f.g.h.i" }],
    ["an empty word in its topic", { ...without("to"), topic: "a..b" }],
    ["neither content nor reference", without("content")],
    ["both content and reference", { ...valid, reference }],
    ["content that is no JSON", { ...valid, content: new Date(0) }],
    ["content of 33 levels", { ...valid, content: nested(33) }],
    ["content with a __proto__ key", { ...valid, content: JSON.parse('{"__proto__":1}') }],
    ["a reference in capitals", { ...without("content"), reference: { ...reference, id: "A".repeat(64) } }],
    ["a reference of negative size", { ...without("content"), reference: { ...reference, size: -1 } }],
    [
      "a reference whose type breaks a header",
      { ...without("content"), reference: { ...reference, contentType: "a/b\r\nx: y" } },
    ],
    ["a confidence past 1", { ...valid, confidence: 1.01 }],
    ["a confidence below 0", { ...valid, confidence: -0.01 }],
    ["a confidence that is no number", { ...valid, confidence: Number.NaN }],
    ["metadata that is a list", { ...valid, metadata: [] }],
    ["a parent of 301 characters", { ...valid, parent: "p".repeat(301) }],
    ["an empty conversation", { ...valid, conversation: "" }],
    ["1,001 suggested actions", { ...valid, suggestedActions: new Array(1_001).fill({}) }],
    ["no schema version", without("schemaVersion")],
    ["another major version", { ...valid, schemaVersion: "2.0" }],
    ["a version without a minor part", { ...valid, schemaVersion: "1" }],
    ["a priority of 10", { ...valid, priority: 10 }],
    ["a priority of 1.5", { ...valid, priority: 1.5 }],
    ["a negative expiry", { ...valid, expiresAt: -1 }],
    ["an empty key", { ...valid, idempotencyKey: "" }],
    ["a key of 201 characters", { ...valid, idempotencyKey: "k".repeat(201) }],
    ["a role of its own", { ...valid, role: "oracle" }],
    ["a source that is no entry", { ...valid, sources: ["ticket 7"] }],
    ["33 sources", { ...valid, sources: new Array(33).fill("a.b.c/0-1/0") }],
    ["no source in its list", { ...valid, sources: [] }],
    ["a label with a space", { ...valid, labels: ["a b"] }],
    ["17 labels", { ...valid, labels: new Array(17).fill("a") }],
    ["version 0 of its content", { ...valid, contentVersion: 0 }],
    ["a sender of its own", { ...valid, from: "mallory" }],
    ["an id of its own", { ...valid, id: "a.b.c/0-1/0" }],
    ["a time of its own", { ...valid, sentAt: 0 }],
  ])("FRAME-18: a message with %s is none", (_, body) => {
    expect(takes(body)).toBe(false);
  });

  it("FRAME-17: each of the twelve types of the protocol is one", () => {
    expect(messageTypes).toHaveLength(12);
    for (const type of messageTypes) expect(takes({ ...valid, type })).toBe(true);
  });

  it("FRAME-19: an address names the agent of a principal, or of every principal", () => {
    expect(addresses("critic", "alice.critic.x7")).toBe(true);
    expect(addresses("alice.critic", "alice.critic.x7")).toBe(true);
    expect(addresses("bob.critic", "alice.critic.x7")).toBe(false);
    expect(addresses("alice", "alice.critic.x7")).toBe(false);
    expect(addresses("x7", "alice.critic.x7")).toBe(false);
    fc.assert(
      fc.property(fc.string(), fc.string(), (to, writer) => typeof addresses(to, writer) === "boolean"),
    );
  });
});

/** Values of every field that fit, that nearly fit, and that don't; and of fields that there are not. */
const oddities: Readonly<Record<string, readonly unknown[]>> = {
  type: ["LOG", "a.b-c_d", "t".repeat(64), "t".repeat(65), "1st", "a b", "", "a\n"],
  to: ["*", "a", "a.b", "a.b.c", "a.b.c.d", "a..b", "", " ", "a\n"],
  topic: ["news", "a.b.c.d.e.f.g.h", "a.b.c.d.e.f.g.h.i", "news.*", ">", ""],
  content: [null, "x", { a: [1, { b: true }] }, nested(32), nested(33), JSON.parse('{"__proto__":1}')],
  reference: [
    reference,
    { ...reference, more: 1 },
    { ...reference, size: 0.5 },
    { ...reference, id: "a" },
    null,
    [],
  ],
  parent: ["", "ticket 7", "p".repeat(300), "p".repeat(301)],
  sources: [["a.b.c/0-1/0"], ["a.b.c/0-1/0", "a"], [], new Array(32).fill("a.b.c/0-1/0"), "a.b.c/0-1/0"],
  labels: [["a"], ["a", 1], [], ["a b"], new Array(17).fill("a")],
  conversation: ["", "c", "c".repeat(300), "c".repeat(301)],
  confidence: [0, 1, -0, 0.5, 1.01, -0.01],
  metadata: [{}, { a: 1 }, [], null, nested(32), nested(33)],
  schemaVersion: ["1.0", "1.17", "1.00", "1", "2.0", "1.0 ", `1.${"1".repeat(14)}`],
  contentVersion: [1, 2, 0, -1, 1.5, 2 ** 53],
  priority: [0, 9, -0, 10, -1, 4.5],
  expiresAt: [0, 1e12, -1, 0.5, 1e21],
  idempotencyKey: ["", "k", "k".repeat(200), "k".repeat(201)],
  role: ["request", "reply", "stream", "Request"],
  problemContext: [{}, [], null],
  analysisResults: [{}, []],
  suggestedActions: [[], [{}], [[]], [null], new Array(1_001).fill({})],
  from: ["mallory"],
  id: ["a.b.c/0-1/0"],
};

const body = fc
  .array(
    fc
      .constantFrom(...Object.keys(oddities))
      .chain((name) =>
        fc
          .oneof(
            fc.constantFrom(...(oddities[name] ?? [])),
            fc.constantFrom(undefined, null, 0, "", true, [], {}, "x"),
            fc.jsonValue(),
          )
          .map((value) => [name, value] as const),
      ),
    { maxLength: 4 },
  )
  .map((changes) => ({ ...valid, ...Object.fromEntries(changes) }));

const known = Object.keys(messageBodySchema.shape);
const isKnown = ([name]: [string, unknown]): boolean => known.includes(name);
const defined = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** What the schema says of a body: it as it is read, or undefined. */
function bySchema(fields: object): object | undefined {
  const { success, data } = z.safeParse(messageBodySchema, fields);
  return success ? defined(data) : undefined;
}

function byHand(fields: object, unknown: "drop" | "refuse"): object | undefined {
  const target = {};
  return copyMessageBody(fields, target, unknown) === undefined ? undefined : target;
}

describe("the check by hand", () => {
  const agrees = (check: typeof byHand, onFitting = (): void => undefined) =>
    fc.property(body, (fields) => {
      const strict = bySchema(fields);
      if (strict) onFitting();
      expect(check(fields, "refuse")).toEqual(strict);
      const knownFields = Object.fromEntries(Object.entries(fields).filter(isKnown));
      expect(check(fields, "drop")).toEqual(bySchema(knownFields));
    });

  it("MSG-70: it agrees with the schema on what is sent and on what is read, whatever a body holds", () => {
    let fitting = 0;
    fc.assert(
      agrees(byHand, () => fitting++),
      { numRuns: 5_000 },
    );
    // Else it would agree on nothing but refusals.
    expect(fitting).toBeGreaterThan(250);
  });

  it.each<[string, typeof byHand]>([
    ["takes any priority", (fields, unknown) => byHand({ ...fields, priority: 1 }, unknown)],
    ["takes what it does not know", (fields) => byHand(fields, "drop")],
    [
      "takes any minor version",
      (fields, unknown) => {
        const { schemaVersion } = fields as { schemaVersion?: unknown };
        const isText = typeof schemaVersion === "string";
        return byHand({ ...fields, ...(isText && { schemaVersion: "1.0" }) }, unknown);
      },
    ],
  ])("MSG-70 (control): a check that %s is found out", (_, broken) => {
    expect(fc.check(agrees(broken), { numRuns: 5_000 }).failed).toBe(true);
  });

  it("MSG-70: each value of the table alone", () => {
    for (const [name, values] of Object.entries(oddities)) {
      for (const value of values) {
        for (const base of [valid, without("to"), without("content")]) {
          const fields = { ...base, [name]: value };
          expect(byHand(fields, "refuse"), `${name}: ${JSON.stringify(value)}`).toEqual(bySchema(fields));
        }
      }
    }
  });

  it("MSG-70: the bytes of the content are those of its JSON, or what its reference says", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (content) => {
        fc.pre(isJson(content));
        expect(copyMessageBody({ ...valid, content }, {}, "refuse")).toBe(
          new TextEncoder().encode(JSON.stringify(content)).length,
        );
      }),
    );
    expect(copyMessageBody({ ...without("content"), reference }, {}, "refuse")).toBe(3);
  });
});
