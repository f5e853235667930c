import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { addresses, messageBodySchema, messageTypes } from "../../src/protocol/index.ts";

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
    ["an addressee in three parts", { ...valid, to: "alice.critic.x7" }],
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
