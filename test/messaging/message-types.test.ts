import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { toUtf8 } from "../../src/base/index.ts";
import type { StandardSchema } from "../../src/crdt/index.ts";
import {
  createMessageTypes,
  createOutbox,
  defineMessage,
  type ReceivedMessage,
  readMessage,
  resolveContent,
} from "../../src/messaging/index.ts";
import { alwaysReference, createPolicyManager } from "../../src/refstore/index.ts";
import { setUpWriter, writerName } from "../crdt/writer-harness.ts";
import { settle } from "./world.ts";

const orderSchema = z.object({ order: z.string(), total: z.number() });
/** The second version counts in cents, and keeps the total for those who know only that. */
const second = defineMessage("order.created", {
  schema: z.object({ order: z.string(), cents: z.int() }),
  version: 2,
  upgrade: (content, from) => {
    const { order, total } = content as z.infer<typeof orderSchema>;
    return { order, cents: Math.round(total * 100 * from) };
  },
  downgrade: ({ cents }) => ({ total: cents / 100 }),
});
const first = defineMessage("order.created", { schema: orderSchema });

/** A schema that answers when the test says so. */
function later<T>(schema: StandardSchema<T, T>) {
  const waiting: (() => void)[] = [];
  const slow: StandardSchema<T, T> = {
    "~standard": {
      ...schema["~standard"],
      validate: async (value) => {
        await new Promise<void>((go) => waiting.push(go));
        return schema["~standard"].validate(value);
      },
    },
  };
  return { slow, waiting };
}

/** A schema that answers as it is told, and is broken in that it may throw. */
const schemaOf = (validate: (value: unknown) => unknown): StandardSchema =>
  ({ "~standard": { version: 1, vendor: "test", validate } }) as StandardSchema;

describe("schemas that throw", () => {
  const parsing = (value: unknown) => ({ value: JSON.parse(value as string) });

  it.each([
    ["at once", schemaOf(parsing)],
    ["later", schemaOf(async (value) => parsing(value))],
  ])("MSG-130: one that throws %s says that content does not fit", async (_, schema) => {
    const types = createMessageTypes([defineMessage("order.created", { schema })]);
    const refused = {
      code: "messaging/invalid-content",
      cause: expect.any(SyntaxError),
      message: expect.stringContaining("its schema threw"),
    };
    await expect((async () => types.write("order.created", "{"))()).rejects.toMatchObject(refused);
    const message = { id: "a.b.c/0-7/0", type: "order.created", content: "{" } as unknown as ReceivedMessage;
    await expect((async () => types.read(message))()).rejects.toMatchObject(refused);
  });

  it("MSG-131: bytes are those of the call, however long their schema takes", async () => {
    let go: () => void = () => undefined;
    const looking = new Promise<void>((resolve) => {
      go = resolve;
    });
    const slow = schemaOf(async (value) => {
      await looking;
      return { value };
    });
    const types = createMessageTypes([defineMessage("scan", { schema: slow })]);
    const bytes = new Uint8Array([1, 2, 3]);
    const written = types.write("scan", bytes);
    bytes.fill(9);
    go();
    expect((await written)?.content).toEqual(new Uint8Array([1, 2, 3]));
  });
});

async function setUp(...definitions: Parameters<typeof createMessageTypes>[0]) {
  const made = await setUpWriter({ alone: true });
  const types = createMessageTypes(definitions);
  const blobs = new Map<string, Uint8Array>();
  const refs = {
    async put(bytes: Uint8Array, { contentType }: { contentType: string }) {
      const id = `${blobs.size}`.padStart(64, "0");
      blobs.set(id, bytes);
      return { id, size: bytes.length, contentType };
    },
    resolve: async ({ id }: { id: string }) => blobs.get(id),
  };
  const outbox = createOutbox({
    writer: made.writer,
    refs: refs as never,
    policy: createPolicyManager({ policies: { big: alwaysReference() } }),
    clock: made.clock,
    types,
    delivered: async () => undefined,
  });
  const sent = () =>
    made.log.pages(writerName).flatMap(({ entries }) => entries.flatMap((entry) => readMessage(entry) ?? []));
  /** What a room with these definitions is handed of what was sent. */
  const received = async (...known: Parameters<typeof createMessageTypes>[0]) => {
    const options = { refs: refs as never, types: createMessageTypes(known) };
    const messages: ReceivedMessage[] = [];
    for (const message of sent())
      messages.push(await resolveContent(message, options, new AbortController().signal));
    return messages;
  };
  return { ...made, outbox, sent, received, types };
}

describe("types with a schema", () => {
  it("MSG-80: content that does not fit is refused with its type and path, and appends nothing", async () => {
    const { outbox, sent } = await setUp(first);
    const bad = first.message({ to: "store", content: { order: "o-1", total: "7" } as never });
    await expect(outbox.send(bad)).rejects.toMatchObject({
      code: "messaging/invalid-content",
      message: expect.stringContaining("order.created"),
      details: { type: "order.created", path: "total", version: 1 },
    });
    await expect(outbox.send({ to: "store", type: "order.created", content: 1 })).rejects.toMatchObject({
      code: "messaging/invalid-content",
      details: { path: "" },
    });
    expect(sent()).toEqual([]);
  });

  it("MSG-80: content that fits travels as the schema gives it; of an unregistered type it travels as it is", async () => {
    const { outbox, sent } = await setUp(first);
    const extra = { order: "o-1", total: 7, secret: true };
    await outbox.send(first.message({ to: "store", content: extra }));
    await outbox.send({ to: "store", type: "order.other", content: extra });
    await outbox.send({ to: "store", type: "QUERY", content: extra });
    expect(sent().map(({ content }) => content)).toEqual([{ order: "o-1", total: 7 }, extra, extra]);
    expect(sent()[0]).not.toHaveProperty("contentVersion");
  });

  it("MSG-80: an asynchronous schema is waited for, in the order of the calls, with the content and fields of the call", async () => {
    const { slow, waiting } = later(orderSchema);
    const { outbox, sent } = await setUp(defineMessage("order.created", { schema: slow }));
    const content = { order: "o-1", total: 7 };
    const message = { to: "store", type: "order.created", content, metadata: { at: 1 } };
    const sends = [outbox.send(message), outbox.send({ to: "store", type: "LOG", content: "after" })];
    content.total = 8;
    message.metadata.at = 2;
    await settle();
    expect(sent()).toEqual([]);
    for (const go of waiting) go();
    await Promise.all(sends);
    expect(sent().map((each) => [each.content, each.metadata])).toEqual([
      [{ order: "o-1", total: 7 }, { at: 1 }],
      ["after", undefined],
    ]);
    const bad = outbox.send({ ...message, content: { order: 1 } });
    await settle();
    for (const go of waiting) go();
    await expect(bad).rejects.toMatchObject({
      code: "messaging/invalid-content",
      details: { path: "order" },
    });
    await expect(outbox.send({ ...message, priority: 99 })).rejects.toMatchObject({
      code: "messaging/invalid-message",
    });
    expect(sent()).toHaveLength(2);
  });

  it("MSG-81: what a schema makes has to be plain JSON or bytes, and to fit the schema itself", async () => {
    const made = await setUp(
      defineMessage("dated", {
        schema: z.pipe(
          z.string(),
          z.transform((text) => new Date(text)),
        ),
      }),
      defineMessage("counted", { schema: z.pipe(z.string(), z.transform(Number)) }),
      defineMessage("trimmed", { schema: z.string().check(z.trim()) }),
    );
    const send = (type: string) => made.outbox.send({ to: "store", type, content: " 7 " });
    await expect(send("dated")).rejects.toMatchObject({ code: "messaging/invalid-content" });
    await expect(send("counted")).rejects.toMatchObject({ code: "messaging/invalid-content" });
    await send("trimmed");
    expect(made.sent().map(({ content }) => content)).toEqual(["7"]);
  });

  it("MSG-82: bytes of a registered type go to its schema as bytes: one that does not take them refuses them", async () => {
    const picture = defineMessage("picture", { schema: z.instanceof(Uint8Array) });
    const { outbox, received } = await setUp(first, picture);
    await outbox.send(picture.message({ to: "store", content: new Uint8Array([1, 2]) }));
    expect((await received(picture))[0]?.content).toEqual(new Uint8Array([1, 2]));
    const bytes = { to: "store", type: "order.created", content: toUtf8('{"order":"o-1","total":7}') };
    await expect(outbox.send(bytes)).rejects.toMatchObject({ code: "messaging/invalid-content" });
    await expect(outbox.send({ ...bytes, type: "picture", content: "no bytes" })).rejects.toMatchObject({
      code: "messaging/invalid-content",
    });
  });

  it("MSG-82: JSON by reference is read by its schema too", async () => {
    const big = defineMessage("big", { schema: z.object({ a: z.number() }) });
    const { outbox, received, sent } = await setUp(big);
    await outbox.send(big.message({ to: "store", content: { a: 1 } }));
    expect(sent()[0]?.reference).toBeDefined();
    expect((await received(big))[0]?.content).toEqual({ a: 1 });
    const other = defineMessage("big", { schema: z.object({ b: z.number() }) });
    await expect(received(other)).rejects.toMatchObject({
      code: "messaging/invalid-content",
      details: { type: "big", path: "b", id: sent()[0]?.id, from: 1 },
    });
  });

  it("MSG-83: a version reads what the one before sent by its upgrade, and the one before what it sent by what it keeps", async () => {
    const old = await setUp(first);
    await old.outbox.send(first.message({ to: "store", content: { order: "o-1", total: 7.5 } }));
    expect((await old.received(second))[0]).toMatchObject({
      content: { order: "o-1", cents: 750 },
      contentVersion: 2,
    });
    expect((await old.received(first))[0]?.content).toEqual({ order: "o-1", total: 7.5 });

    const now = await setUp(second);
    await now.outbox.send(second.message({ to: "store", content: { order: "o-2", cents: 995 } }));
    expect(now.sent()[0]).toMatchObject({
      contentVersion: 2,
      content: { order: "o-2", cents: 995, total: 9.95 },
    });
    expect((await now.received(first))[0]).toMatchObject({
      content: { order: "o-2", total: 9.95 },
      contentVersion: 1,
    });
    expect((await now.received(second))[0]?.content).toEqual({ order: "o-2", cents: 995 });
    // A room that has not registered the type is handed what is there.
    expect((await now.received())[0]?.content).toEqual({ order: "o-2", cents: 995, total: 9.95 });
  });

  it("MSG-83 (control): without a downgrade the version before can't read it, and says so", async () => {
    const alone = defineMessage("order.created", { schema: second.schema, version: 2 });
    const { outbox, received, sent } = await setUp(alone);
    await outbox.send(alone.message({ to: "store", content: { order: "o-2", cents: 995 } }));
    await expect(received(first)).rejects.toMatchObject({
      code: "messaging/invalid-content",
      details: { type: "order.created", version: 1, from: 2, path: "total", id: sent()[0]?.id },
    });
  });

  it("MSG-83: an upgrade or downgrade that throws is told as content that does not fit", async () => {
    const boom = (): never => {
      throw new Error("boom");
    };
    const old = await setUp(first);
    await old.outbox.send(first.message({ to: "store", content: { order: "o-1", total: 7 } }));
    const broken = defineMessage("order.created", {
      schema: orderSchema,
      version: 2,
      upgrade: boom,
      downgrade: boom,
    });
    await expect(old.received(broken)).rejects.toMatchObject({ code: "messaging/invalid-content" });
    const now = await setUp(broken);
    const send = now.outbox.send(broken.message({ to: "store", content: { order: "o-1", total: 7 } }));
    await expect(send).rejects.toMatchObject({ code: "messaging/invalid-content" });
  });

  it("MSG-84: a definition tells a received message of its type from any other", async () => {
    const { outbox, received } = await setUp(first);
    await outbox.send(first.message({ to: "store", content: { order: "o-1", total: 7 } }));
    await outbox.send({ to: "store", type: "LOG", content: "x" });
    const [mine, other] = await received(second);
    expect(second.of(mine as ReceivedMessage)?.content.cents).toBe(700);
    const [raw] = await received();
    expect(second.of(raw as ReceivedMessage)?.content.cents).toBe(700);
    expect(second.of(other as ReceivedMessage)).toBeUndefined();
    expect(() => second.of({ ...(raw as ReceivedMessage), content: 1 })).toThrow(
      expect.objectContaining({ code: "messaging/invalid-content" }),
    );
    const slow = defineMessage("order.created", { schema: later(orderSchema).slow });
    expect(() => slow.of(raw as ReceivedMessage)).toThrow(
      expect.objectContaining({ code: "messaging/invalid-options" }),
    );
  });

  it.each<[string, () => unknown]>([
    ["a type with a space", () => defineMessage("a b", { schema: orderSchema })],
    ["version 0", () => defineMessage("a", { schema: orderSchema, version: 0 })],
    ["version 1.5", () => defineMessage("a", { schema: orderSchema, version: 1.5 })],
    ["a type twice", () => createMessageTypes([first, second])],
  ])("MSG-85: %s is refused with a code", (_, define) => {
    expect(define).toThrow(expect.objectContaining({ code: "messaging/invalid-options" }));
  });
});
