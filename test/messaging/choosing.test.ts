import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pick } from "../../src/messaging/consumer/rendezvous.ts";
import { consumerName, declaredOf, matchesRecord } from "../../src/messaging/filter/filter.ts";
import type { Message } from "../../src/messaging/message/message.ts";

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

  it("MSG-6: a consumer is known by its filter, or by the name it is given", () => {
    expect(consumerName({}, undefined)).toBe("direct/*");
    expect(consumerName({ type: "QUERY" }, undefined)).toBe("direct/QUERY");
    expect(consumerName({ topic: "news", type: "QUERY" }, undefined)).toBe("topic:news/QUERY");
    expect(consumerName({ where: () => true }, "mine")).toBe("mine");
    const longest = { topic: new Array(8).fill("t".repeat(64)).join("."), type: "T".repeat(64) };
    expect(consumerName(longest, undefined).length).toBeLessThanOrEqual(640);
  });

  it("MSG-6: a filter with a condition needs a name", () => {
    expect(() => consumerName({ where: () => true }, undefined)).toThrow(
      expect.objectContaining({ code: "messaging/consumer-name-required" }),
    );
  });

  it.each<[string, Parameters<typeof consumerName>]>([
    ["a type that no message has", [{ type: "not a type" }, undefined]],
    ["a topic that no message has", [{ topic: "news.*" }, undefined]],
    ["a type that is no text", [{ type: 7 as never }, "name"]],
    ["an empty name", [{}, ""]],
    ["a name past 640 characters", [{}, "n".repeat(641)]],
    ["a name that is a prototype", [{}, "__proto__"]],
  ])("MSG-6: %s is refused with a code", (_, given) => {
    expect(() => consumerName(...given)).toThrow(
      expect.objectContaining({ code: "messaging/invalid-filter" }),
    );
  });

  it("MSG-6: others are told the declared part of a filter, and nothing else of it", () => {
    const filter = { type: undefined as never, topic: "news", where: () => true, extra: 1 };
    expect(declaredOf(filter)).toEqual({ topic: "news" });
    expect(Object.keys(declaredOf(filter))).toEqual(["topic"]);
  });
});

describe("rendezvous", () => {
  const writers = ["a.x.1", "a.x.2", "a.x.3"];
  const lanes = Array.from({ length: 3_000 }, (_, index) => `anon.planner.${index}`);

  it("MSG-7: the same is picked whatever the order, and one who leaves moves only its own lanes", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(writers, { minLength: 3 }), fc.string(), (shuffled, lane) => {
        expect(pick(shuffled, lane)).toBe(pick(writers, lane));
      }),
    );
    for (const lane of lanes) {
      const picked = pick(writers, lane);
      if (picked !== "a.x.2") expect(pick(["a.x.1", "a.x.3"], lane)).toBe(picked);
    }
    expect(pick([], "lane")).toBeUndefined();
  });

  it("MSG-7: lanes are shared out within a tenth of evenly", () => {
    const counts = new Map<string | undefined, number>();
    for (const lane of lanes) {
      const picked = pick(writers, lane);
      counts.set(picked, (counts.get(picked) ?? 0) + 1);
    }
    for (const writer of writers) expect(Math.abs((counts.get(writer) ?? 0) - 1_000)).toBeLessThan(100);
  });
});
