import { describe, expect, it } from "vitest";
import { FlockError, sha256Hex, toUtf8 } from "../../src/base/index.ts";
import { createOutbox, readMessage, resolveContent } from "../../src/messaging/index.ts";
import type { Reference } from "../../src/protocol/index.ts";
import { alwaysReference, alwaysValue, createPolicyManager } from "../../src/refstore/index.ts";
import { createReferenceStates } from "../../src/refstore/states.ts";
import { setUpWriter, writerName } from "../crdt/writer-harness.ts";
import { settle } from "./world.ts";

/** Stores references when the test says so, or at once. */
function createRefs({ held = false } = {}) {
  const blobs = new Map<string, Uint8Array>();
  const puts: { bytes: Uint8Array; contentType: string; go(): void; fail(error: Error): void }[] = [];
  return {
    blobs,
    puts,
    async put(bytes: Uint8Array, { contentType = "" } = {}): Promise<Reference> {
      const released = new Promise<void>((go, fail) => {
        puts.push({ bytes, contentType, go, fail });
        if (!held) go();
      });
      const [id] = await Promise.all([sha256Hex(bytes), released]);
      blobs.set(id, bytes);
      return { id, size: bytes.length, contentType };
    },
    async resolve({ id }: { id: string }): Promise<Uint8Array> {
      const bytes = blobs.get(id);
      if (!bytes) throw new FlockError("refstore/not-found", "gone");
      return bytes;
    },
  };
}

async function setUp(options?: Parameters<typeof createRefs>[0]) {
  const made = await setUpWriter({ alone: true });
  const refs = createRefs(options);
  const asked: string[] = [];
  const outbox = createOutbox({
    writer: made.writer,
    refs: refs as never,
    clock: made.clock,
    policy: createPolicyManager({
      policies: { big: alwaysReference(), small: alwaysValue({ maxBytes: 100 }) },
    }),
    delivered: async ({ id }) => void asked.push(id),
  });
  const sent = () =>
    made.log.pages(writerName).flatMap(({ entries }) => entries.flatMap((entry) => readMessage(entry) ?? []));
  return { ...made, outbox, refs, asked, sent };
}

const query = { to: "critic", type: "QUERY", content: { a: 1 } };
const signal = new AbortController().signal;

describe("sending", () => {
  it("MSG-15: small content travels by value, large content and bytes by reference, and all are received alike", async () => {
    const { outbox, sent, refs } = await setUp();
    const large = { text: "x".repeat(20_000) };
    await outbox.send(query);
    await outbox.send({ ...query, content: large });
    await outbox.send({ ...query, content: new Uint8Array([1, 2]) });
    const [value, reference, bytes] = sent();
    expect([value?.content, value?.sizeBytes, value?.reference]).toEqual([{ a: 1 }, 7, undefined]);
    expect([reference?.content, reference?.reference?.contentType]).toEqual([undefined, "application/json"]);
    expect(reference?.sizeBytes).toBe(toUtf8(JSON.stringify(large)).length);
    expect(bytes?.reference).toMatchObject({ size: 2, contentType: "application/octet-stream" });
    const received = [];
    for (const message of sent())
      received.push((await resolveContent(message, { refs } as never, signal)).content);
    expect(received).toEqual([{ a: 1 }, large, new Uint8Array([1, 2])]);
  });

  it("MSG-15: an entry names the references of its content, for whoever collects them", async () => {
    const { outbox, log } = await setUp();
    const { id } = await outbox.send({ ...query, content: new Uint8Array(3) });
    expect(log.get(id)?.references).toEqual([await sha256Hex(new Uint8Array(3))]);
  });

  it("MSG-15: the policy of a type decides; a value that is too large is an error and never a reference", async () => {
    const { outbox, sent, refs } = await setUp();
    await outbox.send({ ...query, type: "big", content: 1 });
    expect(sent()[0]?.reference).toBeDefined();
    await expect(outbox.send({ ...query, type: "small", content: "x".repeat(100) })).rejects.toMatchObject({
      code: "messaging/value-too-large",
    });
    await expect(outbox.send({ ...query, type: "small", content: new Uint8Array(1) })).rejects.toMatchObject({
      code: "messaging/invalid-message",
    });
    expect([sent().length, refs.puts.length]).toEqual([1, 1]);
  });

  it("MSG-16: messages go in the order of the calls, though a large one before takes its time", async () => {
    const { outbox, sent, refs } = await setUp({ held: true });
    const order: number[] = [];
    const sends = [
      outbox.send({ ...query, content: "x".repeat(20_000) }),
      outbox.send({ ...query, content: 2 }),
      outbox.send({ ...query, content: "y".repeat(20_000) }),
      outbox.send({ ...query, content: 4 }),
    ];
    sends.forEach((each, index) => void each.then(() => order.push(index + 1)));
    await settle();
    expect([refs.puts.length, sent()]).toEqual([2, []]);
    refs.puts[1]?.go();
    await settle();
    expect(sent()).toEqual([]);
    refs.puts[0]?.go();
    await Promise.all(sends);
    expect(sent().map(({ content, reference }) => content ?? reference?.size)).toEqual([
      20_002, 2, 20_002, 4,
    ]);
    expect(order).toEqual([1, 2, 3, 4]);
  });

  it("MSG-16: one that fails holds up nobody", async () => {
    const { outbox, sent, refs } = await setUp({ held: true });
    const first = outbox.send({ ...query, content: new Uint8Array(1) });
    const second = outbox.send({ ...query, content: 2 });
    await settle();
    refs.puts[0]?.fail(new FlockError("refstore/quota", "full"));
    await expect(first).rejects.toMatchObject({ code: "refstore/quota" });
    await second;
    expect(sent().map(({ content }) => content)).toEqual([2]);
  });

  it("MSG-16: a message that waits says what it said when it was sent", async () => {
    const { outbox, sent, refs } = await setUp({ held: true });
    const content = { step: 1 };
    const sends = [outbox.send({ ...query, content: new Uint8Array(1) }), outbox.send({ ...query, content })];
    content.step = 2;
    await settle();
    refs.puts[0]?.go();
    await Promise.all(sends);
    expect(sent()[1]?.content).toEqual({ step: 1 });
  });

  it.each<[string, object]>([
    ["content that is undefined", { content: undefined }],
    ["a date as content", { content: new Date(0) }],
    ["a function in its content", { content: { run: () => 1 } }],
    ["no addressee", { to: undefined }],
    ["two addressees", { topic: "news" }],
    ["a type with a space", { type: "a b" }],
    ["a confidence of 2", { confidence: 2 }],
    ["a field of its own", { from: "mallory" }],
    ["metadata that is no object", { metadata: [1] }],
  ])("MSG-17: a message with %s is refused with a code, and stores nothing", async (_, change) => {
    const { outbox, sent, refs } = await setUp();
    const message = { ...query, content: new Uint8Array(1), ...change } as never;
    await expect(outbox.send(message)).rejects.toMatchObject({ code: "messaging/invalid-message" });
    expect([sent(), refs.puts]).toEqual([[], []]);
  });

  it.each([null, undefined, "QUERY"])(
    "MSG-139: %s is no message, and is refused with a code",
    async (given) => {
      const { outbox } = await setUp();
      await expect(outbox.send(given as never)).rejects.toMatchObject({ code: "messaging/invalid-message" });
    },
  );

  it("MSG-17: content and metadata of 32 levels are sent and read", async () => {
    const { outbox, sent } = await setUp();
    let deep: unknown = 1;
    for (let level = 0; level < 32; level++) deep = { a: deep };
    await outbox.send({ ...query, content: deep, metadata: deep } as never);
    await outbox.send(query);
    expect(sent().map(({ metadata }) => metadata)).toEqual([deep, undefined]);
  });

  it("MSG-18: a message without an addressee refuses the delivered stage; one with one asks for it", async () => {
    const { outbox, asked } = await setUp();
    const { to: _, ...said } = query;
    const topic = await outbox.send({ ...said, topic: "news" });
    await topic.settled("local");
    await expect(topic.settled("delivered")).rejects.toMatchObject({ code: "crdt/no-addressee" });
    const direct = await outbox.send(query);
    await direct.settled("delivered");
    expect(asked).toEqual([direct.id]);
  });

  it("MSG-18: a message by reference is relayed once its bytes are, too", async () => {
    const states = createReferenceStates();
    const refs = createRefs();
    const outbox = createOutbox({
      writer: {
        append: () => ({ id: "entry", shown: async () => undefined, settled: async () => undefined }),
      } as never,
      refs: { put: refs.put, state: states.get, onChange: states.onChange } as never,
      policy: createPolicyManager(),
      clock: { now: () => 0 },
      delivered: async () => undefined,
    });
    const first = await outbox.send({ ...query, content: new Uint8Array([1]) });
    const [id = ""] = refs.blobs.keys();
    const order: string[] = [];
    const relayed = first.settled("relayed").then(() => order.push("relayed"));
    states.note("0".repeat(64), { state: "remote" });
    states.note(id, { here: true, state: "uploading" });
    await settle();
    order.push("uploaded");
    states.note(id, { state: "remote" });
    await relayed;
    expect(order).toEqual(["uploaded", "relayed"]);
    const again = await outbox.send({ ...query, content: new Uint8Array([1]) });
    await again.settled("relayed");
  });

  it("MSG-19: who sent it and when come from the lane, never from the message", async () => {
    const { outbox, sent, clock } = await setUp();
    await outbox.send({ ...query, parent: "a.b.c/0-1/0", conversation: "c", confidence: 0.5 });
    expect(sent()[0]).toMatchObject({
      from: "anon.planner",
      writer: writerName,
      sentAt: clock.now(),
      parent: "a.b.c/0-1/0",
      conversation: "c",
      confidence: 0.5,
      schemaVersion: "1.0",
    });
    expect(Object.isFrozen(sent()[0])).toBe(true);
  });
});

describe("answering", () => {
  it.each([
    ["a message", "a.b.c/0-1/0", ["a.b.c/0-1/0"]],
    ["what is no entry of a room", "ticket 7", []],
    ["nothing", undefined, []],
  ])("MSG-29: an answer to %s rests on it as an entry does", async (_, parent, parents) => {
    const { outbox, log } = await setUp();
    await outbox.send({ ...query, ...(parent !== undefined && { parent }) });
    expect(log.pages(writerName).flatMap(({ entries }) => entries.map((entry) => entry.parents))).toEqual([
      parents,
    ]);
  });
});

describe("receiving", () => {
  it.each<[string, Uint8Array]>([
    ["text that is no JSON", toUtf8("{")],
    ["bytes that are no text", new Uint8Array([0xff])],
    ["JSON with a __proto__ key", toUtf8('{"__proto__":{}}')],
  ])("MSG-20: %s that says it is JSON is refused with a code", async (_, bytes) => {
    const { outbox, sent, refs } = await setUp();
    const { id } = await outbox.send({ ...query, type: "big", content: 1 });
    const [message] = sent();
    refs.blobs.set(message?.reference?.id as string, bytes);
    await expect(resolveContent(message as never, { refs } as never, signal)).rejects.toMatchObject({
      code: "messaging/invalid-message",
      message: expect.stringContaining(id),
    });
  });
});
