import { describe, expect, it } from "vitest";
import { createEmitter, type FlockError, fromUtf8, toUtf8 } from "../../../src/base/index.ts";
import type { Appended, Entry } from "../../../src/crdt/index.ts";
import { createStreamWriter } from "../../../src/messaging/streams/stream-writer.ts";
import { createInMemoryStore } from "../../../src/refstore/index.ts";
import { createManualClock } from "../../refstore/manual-clock.ts";

const lane = "anon.writer.AAAAAAAAAAA";
const id = `${lane}/0-7/3`;

/** A stream over a pen that notes what it is given; what it stores, a test decides. */
function createDesk({ highWaterMarkBytes }: { highWaterMarkBytes?: number } = {}) {
  const clock = createManualClock();
  const refs = createInMemoryStore();
  const added = createEmitter<readonly Entry[]>();
  const entries: { at: number; kind: string; parents: readonly string[]; body: Record<string, unknown> }[] =
    [];
  const unstored: { keep(): void; refuse(): void }[] = [];
  const desk = { writer: lane, page: "0-7", named: [] as string[], closed: 0 };
  const stream = createStreamWriter({
    id,
    contentType: "text/plain",
    highWaterMarkBytes,
    refs,
    clock,
    log: { added },
    onClosed: () => void desk.closed++,
    writer: {
      get id() {
        return desk.writer;
      },
      append({ kind, parents, body }, { references = [] } = {}): Appended {
        entries.push({ at: clock.now() - 1_000, kind, parents, body: body as Record<string, unknown> });
        desk.named.push(...references);
        const stored = new Promise<void>((keep, refuse) =>
          unstored.push({ keep, refuse: () => refuse(new Error()) }),
        );
        stored.catch(() => undefined);
        return { id: `${desk.writer}/${desk.page}/4`, shown: async () => undefined, settled: () => stored };
      },
    },
  });
  return {
    ...desk,
    desk,
    stream,
    clock,
    refs,
    entries,
    unstored,
    said: () => entries.map(({ at, body }) => [at, body["at"], body["text"]]),
    /** Somebody writes into the lane. */
    elsewhere: (page: { number: number; client: number }) => added.emit([{ writer: lane, page } as Entry]),
  };
}

const code = (failure: Promise<unknown>) =>
  failure.then(
    () => "",
    (error: FlockError) => error.code,
  );

describe("flushing", () => {
  it("STREAM-5: the first part goes at once, the next as one after 50 ms, and after a rest at once again", async () => {
    const { stream, clock, said } = createDesk();
    await stream.write("a");
    await stream.write("b");
    clock.advance(49);
    await stream.write("c");
    expect(said()).toEqual([[0, 0, "a"]]);
    clock.advance(1);
    clock.advance(50);
    expect(clock.delays()).toEqual([]);
    await stream.write("d");
    expect(said()).toEqual([
      [0, 0, "a"],
      [50, 1, "bc"],
      [100, 3, "d"],
    ]);
  });

  it("STREAM-5: a full part does not wait, and only the first entry names the message as its parent", async () => {
    const { stream, said, entries } = createDesk();
    await stream.write("a");
    void stream.write("x".repeat(40_000));
    expect(said().map(([at, from, text]) => [at, from, String(text).length])).toEqual([
      [0, 0, 1],
      [0, 1, 16_384],
      [0, 16_385, 16_384],
    ]);
    await stream.end();
    expect(entries.map(({ parents }) => parents)).toEqual([[id], [], [], [], []]);
  });

  it("STREAM-1: half a pair waits for the other, and the end makes it U+FFFD", async () => {
    const { stream, clock, said } = createDesk();
    await stream.write("\ud83d");
    expect([said(), clock.delays()]).toEqual([[], []]);
    await stream.write("\ude00\ud83d");
    await stream.end();
    expect(said()).toEqual([
      [0, 0, "\u{1F600}"],
      [0, 2, "\ufffd"],
      [0, 3, undefined],
    ]);
  });
});

describe("back pressure", () => {
  it("STREAM-6: a write waits while the mark or more is not stored; refused by the database it waits no longer", async () => {
    const { stream, unstored } = createDesk({ highWaterMarkBytes: 10 });
    await stream.write("123456789");
    let resolved = 0;
    const first = stream.write("é").then(() => resolved++);
    const second = stream.write("x").then(() => resolved++);
    await Promise.resolve();
    expect(resolved).toBe(0);
    unstored[0]?.keep();
    await Promise.all([first, second]);
    const third = stream.write("y".repeat(20_000));
    unstored[1]?.refuse();
    for (const each of unstored) each.refuse();
    await stream.fail("done");
    for (const each of unstored) each.refuse();
    await third;
  });

  it("STREAM-6: who does not wait loses nothing", async () => {
    const { stream, refs } = createDesk();
    const writes = Array.from({ length: 500 }, (_, index) => `${index} ${"x".repeat(index)}`);
    for (const write of writes) void stream.write(write);
    const reference = await stream.end();
    expect(fromUtf8(await refs.get(reference))).toBe(writes.join(""));
  });
});

describe("ends", () => {
  it("STREAM-7: the end names the whole, its length and its unit, and the batch names the reference", async () => {
    const { stream, entries, desk } = createDesk();
    await stream.write("é");
    const reference = await stream.end();
    expect(entries.at(-1)).toMatchObject({
      kind: "stream-end",
      body: { of: id, at: 1, unit: "text", reference },
    });
    expect(reference).toMatchObject({ size: 2, contentType: "text/plain" });
    expect([desk.named, desk.closed, await stream.end()]).toEqual([[reference.id], 1, reference]);
  });

  it("STREAM-7: bytes are counted as bytes; an empty stream is empty text", async () => {
    const bytes = createDesk();
    const given = Uint8Array.of(255, 0, 7);
    await bytes.stream.write(given);
    given.fill(9);
    const { id: digest } = await bytes.stream.end();
    expect(bytes.entries[0]?.body).toEqual({ of: id, at: 0, bytes: "_wAH" });
    expect([...(await bytes.refs.get(digest))]).toEqual([255, 0, 7]);
    expect(bytes.entries[1]?.body).toMatchObject({ at: 3, unit: "bytes" });
    const empty = createDesk();
    expect(await empty.stream.end()).toMatchObject({ size: 0 });
    expect(empty.entries).toMatchObject([
      { kind: "stream-end", parents: [id], body: { at: 0, unit: "text" } },
    ]);
  });

  it("STREAM-8: nothing is written after the end or a failure, and a failure says all that came before it", async () => {
    const { stream, entries, clock } = createDesk();
    await stream.write("a");
    await stream.write("b");
    await stream.fail("no more tokens");
    await stream.fail("twice");
    await stream.close();
    expect(entries.map(({ body }) => body)).toEqual([
      { of: id, at: 0, text: "a" },
      { of: id, at: 1, text: "b" },
      { of: id, at: 2, failure: "no more tokens" },
    ]);
    const codes = await Promise.all([code(stream.write("c")), code(stream.end())]);
    expect(codes).toEqual(["messaging/stream-closed", "messaging/stream-closed"]);
    expect(clock.delays()).toEqual([]);
    const ended = createDesk();
    await ended.stream.write("a");
    const end = ended.stream.end();
    expect(await code(ended.stream.write("b"))).toBe("messaging/stream-closed");
    await ended.stream.fail("too late");
    await end;
    expect(ended.entries.map(({ kind }) => kind)).toEqual(["stream", "stream-end"]);
  });

  it("STREAM-8: a whole that cannot be stored is a failure, told to both sides", async () => {
    const { stream, entries, refs } = createDesk();
    await stream.write("a");
    await refs.close();
    expect(await code(stream.end())).toBe("refstore/closed");
    expect(entries.at(-1)?.body).toMatchObject({ at: 1, failure: expect.stringContaining("stored") });
    expect(await code(stream.write("b"))).toBe("messaging/stream-closed");
  });

  it("STREAM-4: past 32 MiB a part is refused, and the stream can still be ended", async () => {
    const { stream } = createDesk({ highWaterMarkBytes: 64 * 1024 * 1024 });
    const mebibyte = new Uint8Array(1024 * 1024);
    for (let written = 0; written < 32; written++) await stream.write(mebibyte);
    expect(await code(stream.write(Uint8Array.of(1)))).toBe("messaging/stream-too-large");
    expect((await stream.end()).size).toBe(32 * 1024 * 1024);
  });
});

describe("lanes that go on", () => {
  it("STREAM-9: a stream says in each new page of its lane that it is open, until it ends", async () => {
    const { stream, desk, entries, elsewhere } = createDesk();
    elsewhere({ number: 0, client: 7 });
    expect(entries).toEqual([]);
    desk.page = "1-8";
    elsewhere({ number: 1, client: 8 });
    elsewhere({ number: 1, client: 8 });
    await stream.write("a");
    await stream.end();
    elsewhere({ number: 2, client: 9 });
    expect(entries.map(({ body }) => body["text"])).toEqual(["", "a", undefined]);
  });

  it("STREAM-10: an agent that goes on as another writer gives its streams up, in its new lane", async () => {
    const { stream, desk, entries } = createDesk();
    await stream.write("a");
    desk.writer = "anon.writer.BBBBBBBBBBB";
    expect(await code(stream.write("b"))).toBe("messaging/stream-closed");
    expect(await code(stream.end())).toBe("messaging/stream-closed");
    expect(entries.map(({ body }) => body)).toEqual([
      { of: id, at: 0, text: "a" },
      { of: id, at: 1, failure: "The lane of its writer is written elsewhere too." },
    ]);
    const late = createDesk();
    const end = late.stream.end();
    late.desk.writer = "anon.writer.BBBBBBBBBBB";
    expect(await code(end)).toBe("messaging/stream-closed");
    expect(late.entries).toMatchObject([{ kind: "stream-end", body: { failure: expect.any(String) } }]);
  });

  it("STREAM-23: a write that waits for what will not be stored any more does not wait for ever", async () => {
    const { stream, desk, clock } = createDesk({ highWaterMarkBytes: 1 });
    const first = stream.write("a");
    const second = stream.write("b");
    desk.writer = "anon.writer.BBBBBBBBBBB";
    clock.advance(50);
    await Promise.all([first, second]);
    expect(await code(stream.write("c"))).toBe("messaging/stream-closed");
  });

  it("STREAM-26: a stream says in a new page that it is open also while its whole is stored", async () => {
    const { stream, elsewhere, entries } = createDesk();
    await stream.write("a");
    const end = stream.end();
    elsewhere({ number: 1, client: 8 });
    await end;
    expect(entries.slice(1)).toMatchObject([
      { kind: "stream", body: { at: 1, text: "" } },
      { kind: "stream-end", body: { at: 1 } },
    ]);
    elsewhere({ number: 2, client: 9 });
    expect(entries.length).toBe(3);
  });

  it("STREAM-24: a reason that is no text is told all the same", async () => {
    for (const [reason, failure] of [
      [new Error("broken"), "broken"],
      [undefined, "undefined"],
      [Object.create(null), expect.any(String)],
    ]) {
      const { stream, entries } = createDesk();
      await stream.fail(reason);
      expect(entries).toMatchObject([{ kind: "stream-end", body: { failure } }]);
    }
  });

  it("STREAM-8: a reason is text of at most 1,000 characters", async () => {
    const { stream, entries } = createDesk();
    await stream.fail(`${"x".repeat(999)}\u{1F600}`);
    const failure = String(entries[0]?.body["failure"]);
    expect([failure.length, toUtf8(failure).length]).toEqual([1000, 1002]);
  });
});
