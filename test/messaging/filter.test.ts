import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Entry } from "../../src/crdt/index.ts";
import {
  type CompiledFilter,
  compileFilter,
  consumerName,
  declaredOf,
  type MessageFilter,
  matchesRecord,
} from "../../src/messaging/filter/filter.ts";
import { type Message, readMessage } from "../../src/messaging/message/message.ts";
import { addresses, type Json } from "../../src/protocol/index.ts";

const me = "alice.critic.x7";
const message = (over: Partial<Message>): Message => ({
  id: "bob.planner.y1/0-1/0",
  type: "QUERY",
  from: "bob.planner",
  writer: "bob.planner.y1",
  sentAt: 0,
  sizeBytes: 1,
  schemaVersion: "1.0",
  content: 1,
  ...over,
});
const own = { from: "alice.critic", writer: "alice.critic.z9" };

describe("filters", () => {
  it.each<[boolean, Parameters<typeof matchesRecord>[0], Partial<Message>]>([
    [true, {}, { to: "critic" }],
    [true, {}, { to: "alice.critic" }],
    [true, { type: "QUERY" }, { to: "critic" }],
    [false, { type: "STATUS" }, { to: "critic" }],
    [false, {}, { to: "planner" }],
    [false, {}, { to: "bob.critic" }],
    [false, {}, { topic: "news" }],
    [true, { topic: "news" }, { topic: "news" }],
    [false, { topic: "news" }, { topic: "news.sport" }],
    [false, { topic: "news" }, { to: "critic" }],
    [false, { topic: "news", type: "STATUS" }, { topic: "news" }],
  ])("MSG-5: it is %s that %j takes %j", (takes, filter, sent) => {
    expect(matchesRecord(filter, message(sent), me)).toBe(takes);
  });

  it.each<[boolean, Parameters<typeof matchesRecord>[0], Partial<Message>]>([
    [true, { topic: "news.*" }, { topic: "news.sport" }],
    [false, { topic: "news.*" }, { topic: "news" }],
    [true, { type: ["STATUS", "QUERY"] }, { to: "critic" }],
    [false, { type: [] }, { to: "critic" }],
    [true, { match: { priority: { gte: 5 } } }, { to: "critic", priority: 5 }],
    [false, { match: { priority: { gte: 5 } } }, { to: "critic" }],
    [true, {}, { to: me }],
    [true, {}, { to: "alice.critic.x8" }],
    [false, {}, { to: "alice.planner.x7" }],
  ])("MSG-102: it is %s that the published %j takes %j", (takes, filter, sent) => {
    expect(matchesRecord(filter, message(sent), me)).toBe(takes);
  });

  it.each<[boolean, Parameters<typeof matchesRecord>[0], Partial<Message>]>([
    [false, {}, { role: "request" }],
    [false, { match: { content: 1 } }, { role: "request" }],
    [true, { type: "service.lab" }, { role: "request" }],
    [true, { type: ["QUERY", "service.lab"] }, { role: "request" }],
    [true, {}, {}],
    [true, {}, { role: "request", type: "services" }],
    [true, { replies: true }, { role: "reply" }],
  ])("REQ-33: it is %s that %j takes the type of a service's calls in %j", (takes, filter, sent) => {
    expect(matchesRecord(filter, message({ to: "critic", type: "service.lab", ...sent }), me)).toBe(takes);
  });

  it("MSG-103: replies are for those who ask for them, and nothing else is", () => {
    const reply = message({ to: "critic", role: "reply" });
    const request = message({ to: "critic", role: "request" });
    expect([reply, request].map((each) => matchesRecord({ replies: true }, each, me))).toEqual([true, false]);
    expect([reply, request].map((each) => matchesRecord({}, each, me))).toEqual([false, true]);
  });

  it("MSG-104: what is said to everybody, or to a topic, is not for the agent that says it, unless in a group", () => {
    for (const sent of [{ to: "*" }, { topic: "news" }]) {
      const filter = sent.topic === undefined ? {} : { topic: "news" };
      expect(matchesRecord(filter, message(sent), me)).toBe(true);
      expect(matchesRecord(filter, message({ ...sent, ...own }), me)).toBe(false);
      expect(matchesRecord(filter, message({ ...sent, ...own }), me, { group: "workers" })).toBe(true);
    }
    expect(matchesRecord({}, message({ to: "critic", ...own }), me)).toBe(true);
    expect(matchesRecord({ topic: ">" }, message({ to: "*" }), me)).toBe(false);
  });

  it("MSG-105: a faulty filter in a register takes nothing, and throws nothing", () => {
    const faulty = [
      { topic: "news..sport" },
      { topic: "a.>.b" },
      { topic: "news", replies: true },
      { match: { "content.__proto__": 1 } },
      { match: { priority: { above: 3 } } },
      { match: { nothing: 1 } },
      { match: { priority: undefined } },
      { match: 7 },
      { match: null },
    ];
    for (const filter of faulty) {
      for (const sent of [{ to: "critic" }, { topic: "news" }, { topic: "a.b" }]) {
        expect(matchesRecord(filter as never, message(sent), me)).toBe(false);
      }
    }
    expect(matchesRecord({}, message({ to: "critic" }), "no writer")).toBe(false);
  });

  describe("what an entry can hold", () => {
    const agents = [
      "critic",
      "alice.critic",
      me,
      "alice.critic.other",
      "*",
      "planner",
      "bob.critic",
      "alice.crit",
    ];
    const rest = fc.record(
      {
        type: fc.constantFrom("QUERY", "STATUS"),
        role: fc.constant("reply"),
        priority: fc.integer({ min: 0, max: 9 }),
        content: fc.constant(1),
        schemaVersion: fc.constant("1.0"),
      },
      { requiredKeys: ["type", "content", "schemaVersion"] },
    );
    const address = fc.oneof(
      fc.record({ to: fc.constantFrom(...agents) }),
      fc.record({ topic: fc.constantFrom("news", "news.sport", "sport") }),
    );
    const body = fc.tuple(rest, address).map(([fields, to]): Json => ({ ...fields, ...to }));
    const filter = fc.record(
      {
        type: fc.constantFrom("QUERY", ["STATUS", "LOG"], ["QUERY", "STATUS"]),
        topic: fc.constantFrom("news", "*", ">", "news.>", "*.sport"),
        match: fc.constantFrom({ priority: { gt: 4 } }),
        replies: fc.constant(true as const),
      },
      { requiredKeys: [] },
    );
    const entryOf = (body: Json): Entry => ({
      id: "bob.planner.y1/0-1/0",
      writer: "bob.planner.y1",
      page: { number: 0, client: 1 },
      index: 0,
      clock: 0,
      kind: "message",
      parents: [],
      body,
      references: [],
    });

    function isSound(filter: Parameters<typeof compileFilter>[0], said: Json, of = compileFilter): boolean {
      const compiled: CompiledFilter = of(filter, me);
      const read = readMessage(entryOf(said));
      if (!read || !compiled.takes(read)) return true;
      return compiled.mayHold(entryOf(said)) && (read.to === undefined || addresses(read.to, me));
    }

    it("MSG-106: every message that a filter takes may be held by its entry, and names the agent", () => {
      fc.assert(
        fc.property(filter, body, (given, said) => isSound(given, said)),
        { numRuns: 1_000 },
      );
    });

    it("MSG-106: the property fails for a look that is too quick", () => {
      const hasty: typeof compileFilter = (given, writer) => ({
        ...compileFilter(given, writer),
        mayHold: ({ body }) => (body as { to?: string }).to === "critic",
      });
      expect(() =>
        fc.assert(
          fc.property(filter, body, (given, said) => isSound(given, said, hasty)),
          { numRuns: 5_000 },
        ),
      ).toThrow();
    });
  });
});

describe("names of consumers", () => {
  it("MSG-6: a consumer is known by its filter, or by the name it is given", () => {
    expect(consumerName({}, undefined)).toBe("direct/*");
    expect(consumerName({ type: "QUERY" }, undefined)).toBe("direct/QUERY");
    expect(consumerName({ topic: "news", type: "QUERY" }, undefined)).toBe("topic:news/QUERY");
    expect(consumerName({ where: () => true }, "mine")).toBe("mine");
    const longest = { topic: new Array(8).fill("t".repeat(64)).join("."), type: "T".repeat(64) };
    expect(consumerName(longest, undefined).length).toBeLessThanOrEqual(640);
  });

  it("MSG-107: several types name a consumer in any order; replies and groups are told apart", () => {
    const order = { type: "order.created" };
    expect(consumerName({ type: ["QUERY", order, "LOG", "QUERY"] }, undefined)).toBe(
      "direct/LOG,QUERY,order.created",
    );
    expect(consumerName({ type: [order] }, undefined)).toBe(
      consumerName({ type: "order.created" }, undefined),
    );
    expect(consumerName({ topic: "orders.>" }, undefined)).toBe("topic:orders.>/*");
    expect(consumerName({ replies: true }, undefined)).toBe("replies/*");
    expect(consumerName({ type: "QUERY" }, undefined, { group: "workers" })).toBe(
      "group:workers/direct/QUERY",
    );
    expect(consumerName({}, "mine", { group: "workers" })).toBe("group:workers/mine");
  });

  it.each<[string, MessageFilter]>([
    ["a function", { where: () => true }],
    ["a matcher", { match: { priority: 9 } }],
    [
      "more types than a name has room for",
      { type: Array.from({ length: 20 }, (_, at) => `${"T".repeat(60)}${at}`) },
    ],
  ])("MSG-6: a filter with %s needs a name", (_, filter) => {
    expect(() => consumerName(filter, undefined)).toThrow(
      expect.objectContaining({ code: "messaging/consumer-name-required" }),
    );
    expect(consumerName(filter, "mine")).toBe("mine");
  });

  it.each<[string, Parameters<typeof consumerName>]>([
    ["a type that no message has", [{ type: "not a type" }, undefined]],
    ["a type that no message has, among others", [{ type: ["QUERY", "not a type"] }, "name"]],
    ["no type at all", [{ type: [] }, "name"]],
    ["more than 64 types", [{ type: Array.from({ length: 65 }, (_, at) => `T${at}`) }, "name"]],
    ["a topic that no message has", [{ topic: "news..sport" }, undefined]],
    ["a `>` before the end", [{ topic: "news.>.sport" }, undefined]],
    ["a topic of replies", [{ topic: "news", replies: true }, undefined]],
    ["a faulty matcher", [{ match: { priority: { above: 3 } } as never }, "name"]],
    ["a type that is no text", [{ type: 7 as never }, "name"]],
    ["a type that is nothing", [{ type: null as never }, "name"]],
    ["an empty name", [{}, ""]],
    ["a name past 640 characters", [{}, "n".repeat(641)]],
    ["a name that is past 640 characters with its group's", [{}, "n".repeat(640), { group: "workers" }]],
    ["a name that is a group's", [{}, "group:workers/direct/*"]],
    ["a name that is a prototype", [{}, "__proto__"]],
    ["a name that every object has", [{}, "constructor"]],
    ["another name that every object has", [{}, "hasOwnProperty"]],
    ["a group that is no id", [{}, undefined, { group: "all workers" }]],
    ["a group without a name", [{}, undefined, { group: "" }]],
  ])("MSG-6: %s is refused with a code", (_, given) => {
    expect(() => consumerName(...given)).toThrow(
      expect.objectContaining({ code: "messaging/invalid-filter" }),
    );
  });

  it("MSG-6: others are told the declared part of a filter, and nothing else of it", () => {
    const filter = { type: undefined as never, topic: "news", where: () => true, extra: 1, replies: false };
    expect(declaredOf(filter)).toEqual({ topic: "news" });
    expect(Object.keys(declaredOf(filter))).toEqual(["topic"]);
    const match = { labels: "urgent" };
    const declared = declaredOf({ type: ["QUERY", { type: "LOG" }], match, replies: true });
    match.labels = "changed";
    expect(declared).toEqual({ type: ["LOG", "QUERY"], match: { labels: "urgent" }, replies: true });
  });
});
