import { describe, expect, it } from "vitest";
import type { Entry } from "../../src/crdt/index.ts";
import {
  createResponse,
  type Message,
  type OutgoingMessage,
  readMessage,
} from "../../src/messaging/index.ts";
import { prepareMessage } from "../../src/messaging/message/outgoing.ts";

const query: OutgoingMessage = { to: "critic", type: "QUERY", content: 1 };
const id = (index: number): string => `alice.scout.AAAAAAAAAAA/0-7/${index}`;
const labelled: Readonly<Record<string, readonly string[]>> = {
  [id(0)]: ["web"],
  [id(1)]: ["web", "pii"],
  [id(2)]: Array.from({ length: 16 }, (_, at) => `l${at}`),
};
const prepare = (message: object) =>
  prepareMessage(message as never, message as never, { now: 1_000.4, labelsOf: (each) => labelled[each] });

const entry = (body: object): Entry =>
  ({
    id: id(0),
    writer: "alice.scout.AAAAAAAAAAA",
    page: { number: 0, client: 7 },
    index: 0,
    clock: 5 * 1024,
    kind: "message",
    parents: [],
    references: [],
    body,
  }) as Entry;
const said = { to: "critic", type: "QUERY", content: 1, schemaVersion: "1.0" };

describe("what is sent", () => {
  it.each<[string, object, string]>([
    ["no type", { type: undefined }, "type"],
    ["a type with a space", { type: "a b" }, "type"],
    ["no addressee", { to: undefined }, "to"],
    ["an addressee and a topic", { topic: "news" }, "to"],
    ["an addressee in four parts", { to: "a.b.c.d" }, "to"],
    ["a pattern as topic", { to: undefined, topic: "news.*" }, "topic"],
    ["a pattern of the rest as topic", { to: undefined, topic: "news.>" }, "topic"],
    ["no content", { content: undefined }, "content"],
    ["content that is no JSON", { content: new Date(0) }, "content"],
    ["a reference", { reference: { id: "a".repeat(64), size: 1, contentType: "a/b" } }, "reference"],
    ["a parent of 301 characters", { parent: "p".repeat(301) }, "parent"],
    ["an empty conversation", { conversation: "" }, "conversation"],
    ["a confidence of 2", { confidence: 2 }, "confidence"],
    ["metadata that is a list", { metadata: [] }, "metadata"],
    ["a priority of 10", { priority: 10 }, "priority"],
    ["a priority between two", { priority: 1.5 }, "priority"],
    ["a time to live that is no number", { ttlMs: "1" }, "ttlMs"],
    ["a negative time to live", { ttlMs: -1 }, "ttlMs"],
    ["an endless time to live", { ttlMs: Number.POSITIVE_INFINITY }, "ttlMs"],
    ["a time to live and an expiry", { ttlMs: 1, expiresAt: 2 }, "ttlMs"],
    ["an expiry between two milliseconds", { expiresAt: 0.5 }, "expiresAt"],
    ["an empty key", { idempotencyKey: "" }, "idempotencyKey"],
    ["a source that is no entry", { sources: [id(0), "ticket 7"] }, "sources.1"],
    ["33 sources", { sources: new Array(33).fill(id(0)) }, "sources"],
    ["sources that are no list", { sources: id(0) }, "sources"],
    ["a label with a space", { labels: ["web", "a b"] }, "labels.1"],
    ["17 labels", { labels: new Array(17).fill("a") }, "labels"],
    ["17 labels with those of its parent", { labels: ["more"], parent: id(2) }, "labels"],
    ["a problem context that is no object", { problemContext: 1 }, "problemContext"],
    ["analysis results that are no object", { analysisResults: [] }, "analysisResults"],
    ["a suggested action that is no object", { suggestedActions: [{}, 1] }, "suggestedActions.1"],
    ["a sender", { from: "mallory" }, "from"],
    ["a writer", { writer: "mallory.x.y" }, "writer"],
    ["an id", { id: id(9) }, "id"],
    ["a time", { sentAt: 0 }, "sentAt"],
    ["a size", { sizeBytes: 0 }, "sizeBytes"],
    ["a schema version", { schemaVersion: "1.0" }, "schemaVersion"],
    ["a content version", { contentVersion: 2 }, "contentVersion"],
    ["a field that is none", { urgent: true }, "urgent"],
  ])("MSG-72: a message with %s is refused, and the error names the field", (_, change, path) => {
    expect(() => prepare({ ...query, ...change })).toThrow(
      expect.objectContaining({ code: "messaging/invalid-message", details: { path } }),
    );
  });

  it("MSG-72: every field of the outgoing message is in the message that is read", () => {
    const outgoing = {
      ...query,
      parent: id(3),
      conversation: "c",
      confidence: 0.5,
      metadata: { a: 1 },
      priority: 9,
      expiresAt: 2_000,
      idempotencyKey: "k",
      sources: [id(4)],
      labels: ["web"],
      problemContext: { file: "a" },
      analysisResults: { lines: 3 },
      suggestedActions: [{ run: "tests" }],
    };
    const { body } = prepare(outgoing);
    expect(readMessage(entry(body))).toEqual({
      ...outgoing,
      id: id(0),
      from: "alice.scout",
      writer: "alice.scout.AAAAAAAAAAA",
      sentAt: 5,
      sizeBytes: 1,
      schemaVersion: "1.0",
    });
  });

  it("MSG-73: a time to live counts from the sending, by the sender's clock", () => {
    expect(prepare({ ...query, ttlMs: 500 }).body.expiresAt).toBe(1_501);
    expect(prepare({ ...query, ttlMs: 0 }).body.expiresAt).toBe(1_001);
    expect(prepare({ ...query, expiresAt: 7 }).body.expiresAt).toBe(7);
    expect(prepare({ ...query, ttlMs: undefined }).body).toEqual(said);
  });

  it("MSG-88: it carries its labels, and those of its parent and its sources that are here, each once", () => {
    const labels = (message: object) => prepare({ ...query, ...message }).body.labels;
    expect(labels({})).toBeUndefined();
    expect(labels({ parent: id(0) })).toEqual(["web"]);
    expect(labels({ labels: ["own", "web"], parent: id(0), sources: [id(1), id(8)] })).toEqual([
      "own",
      "web",
      "pii",
    ]);
    expect(labels({ parent: "ticket 7" })).toBeUndefined();
  });
});

describe("what is read", () => {
  it("MSG-74: fields that a later minor version has are dropped, another major version is not read", () => {
    expect(readMessage(entry({ ...said, schemaVersion: "1.7", mood: "calm" }))).toEqual(
      expect.objectContaining({ schemaVersion: "1.7", content: 1 }),
    );
    expect(readMessage(entry({ ...said, schemaVersion: "1.7", mood: "calm" }))).not.toHaveProperty("mood");
    for (const schemaVersion of ["2.0", "0.9", "1"]) {
      expect(readMessage(entry({ ...said, schemaVersion }))).toBeUndefined();
    }
    expect(readMessage(entry({ ...said, schemaVersion: "1.7", priority: 12 }))).toBeUndefined();
  });

  it.each<[string, object, Partial<Message>]>([
    ["from", { from: "mallory.oracle" }, { from: "alice.scout" }],
    ["writer", { writer: "mallory.oracle.x" }, { writer: "alice.scout.AAAAAAAAAAA" }],
    ["id", { id: id(9) }, { id: id(0) }],
    ["sentAt", { sentAt: 99 }, { sentAt: 5 }],
    ["sizeBytes", { sizeBytes: 99 }, { sizeBytes: 1 }],
  ])("MSG-75: a lane that claims another %s is not believed", (_, claim, told) => {
    expect(readMessage(entry({ ...said, ...claim }))).toEqual(expect.objectContaining(told));
  });

  it("MSG-76: a message that was read can't be changed", () => {
    const one = entry(said);
    expect(Object.isFrozen(readMessage(one))).toBe(true);
    expect(readMessage(one)).toEqual(readMessage(one));
    expect(readMessage({ ...one, writer: "alice.scout" })).toBeUndefined();
    expect(readMessage({ ...one, kind: "note" })).toBeUndefined();
  });
});

describe("answers", () => {
  const asked = readMessage(entry(said)) as Message;

  it.each([
    ["TASK_REQUEST", "TASK_RESULT"],
    ["QUERY", "QUERY_RESPONSE"],
    ["CODE_ANALYSIS", "CODE_ANALYSIS"],
    ["order.created", "order.created"],
    ["constructor", "constructor"],
  ])("MSG-77: the answer to a %s is a %s, unless it says what it is", (type, answer) => {
    expect(createResponse({ ...asked, type }, { content: 2 }).type).toBe(answer);
    expect(createResponse({ ...asked, type }, { content: 2, type: "ERROR" }).type).toBe("ERROR");
  });

  it("MSG-77: it goes to the sender's agent, rests on the message, and stays in its conversation or begins one", () => {
    const response = createResponse(asked, { content: 2, confidence: 0.9 });
    expect(response).toEqual({
      to: "alice.scout",
      type: "QUERY_RESPONSE",
      parent: id(0),
      conversation: id(0),
      content: 2,
      confidence: 0.9,
    });
    expect(prepare(response).body).toMatchObject({ parent: id(0) });
    expect(createResponse({ ...asked, conversation: "c" }, { content: 2 }).conversation).toBe("c");
  });

  it("MSG-77: a request is answered to the very writer that waits", () => {
    expect(createResponse({ ...asked, role: "request" }, { content: 2 }).to).toBe("alice.scout.AAAAAAAAAAA");
    expect(createResponse({ ...asked, role: "reply" }, { content: 2 }).to).toBe("alice.scout");
  });

  it("MSG-88: an answer has the labels of what it answers", () => {
    const response = createResponse(
      { ...asked, labels: ["web", "pii"] },
      { content: 2, labels: ["own", "web"] },
    );
    expect(response.labels).toEqual(["own", "web", "pii"]);
    expect(createResponse(asked, { content: 2 })).not.toHaveProperty("labels");
  });

  it("MSG-77: the id of the longest writer begins a conversation", () => {
    const part = "p".repeat(64);
    const longest = { ...asked, id: `${part}.${part}.${part}/999999999-4294967295/1023` };
    expect(prepare(createResponse(longest, { content: 2 })).body.conversation).toBe(longest.id);
  });
});
