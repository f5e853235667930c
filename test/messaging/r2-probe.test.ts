import { expect, it } from "vitest";
import * as z from "zod";
import { defineMessage, openRoom } from "../../src/index.ts";
import { createInMemoryStore } from "../../src/refstore/index.ts";
import { createBrowser } from "../room/platform.ts";
import { createWorld, settle } from "./world.ts";

const open = (options = {}) => {
  const { persistence, openTabChannel } = createBrowser();
  return openRoom("orders", {
    platform: { persistence, openTabChannel, openReferences: async () => createInMemoryStore() },
    ...options,
  });
};
const wait = (ms: number) => new Promise((r) => setTimeout(r, ms));
it("mutation", async () => {
  const room = await open();
  const shop = await room.agent("shop"),
    store = await room.agent("store"),
    other = await room.agent("other");
  const seen: unknown[] = [];
  store.onMessage({ topic: "t" }, ({ content }) => {
    try {
      (content as any).x = "CHANGED";
      (content as any).list.push(9);
    } catch (e) {
      seen.push(String(e));
    }
  });
  await wait(20);
  const sent = { x: 1, list: [1] };
  await shop.send({ topic: "t", type: "A", content: sent });
  sent.x = 77;
  await wait(50);
  other.onMessage({ topic: "t" }, ({ content }) => void seen.push(JSON.stringify(content)), {
    from: "start",
  });
  await wait(50);
  console.log(seen, JSON.stringify(room.messages.get()[0]?.content), JSON.stringify(sent));
  await room.close();
});
it("abandoned consumer", async () => {
  const room = await open();
  const shop = await room.agent("shop"),
    store = await room.agent("store");
  const stop = store.onMessage({}, () => undefined, { consumer: "v1" });
  await wait(20);
  stop();
  store.onMessage({}, () => undefined, { consumer: "v2" });
  await wait(20);
  const { id } = await shop.send({ to: "store", type: "A", content: 1 });
  console.log(await room.waitForDelivery(id, { timeoutMs: 500 }));
  await room.close();
});
it("expired key", async () => {
  const room = await open();
  const shop = await room.agent("shop"),
    store = await room.agent("store");
  const a = await shop.send({ to: "store", type: "A", content: 1, ttlMs: 1, idempotencyKey: "k" });
  await wait(20);
  const got: unknown[] = [];
  store.onMessage({}, ({ content }) => void got.push(content));
  await wait(50);
  const b = await shop.send({ to: "store", type: "A", content: 1, idempotencyKey: "k" });
  await wait(50);
  console.log("expired key", a.id === b.id, got, room.deliveryStatus(b.id));
  await room.close();
});
it("zod optional undefined output", async () => {
  const def = defineMessage("t", {
    schema: z.object({
      a: z.string().optional(),
      b: z
        .string()
        .transform((s) => (s === "" ? undefined : s))
        .optional(),
    }) as any,
  });
  const room = await open({ messages: [def] });
  const shop = await room.agent("shop");
  for (const content of [{ a: "x" }, { a: undefined }, { b: "" }, { a: "x", d: new Date() }])
    console.log(
      JSON.stringify(content),
      await shop.send({ to: "x", type: "t", content: content as never }).then(
        () => "ok",
        (e) => `${e.code} ${e.message}`,
      ),
    );
  await room.close();
});
it("weird sends", async () => {
  const room = await open();
  const shop = await room.agent("shop");
  const base = { to: "x", type: "A", content: 1 };
  const p = await shop.send(base);
  for (const [k, m] of Object.entries({
    nul: null,
    undef: undefined,
    noType: { to: "x", content: 1 },
    noContent: { to: "x", type: "A" },
    both: { ...base, topic: "t" },
    role: { ...base, role: "request" },
    id: { ...base, id: "x" },
    ttlNeg: { ...base, ttlMs: -1 },
    ttlBoth: { ...base, ttlMs: 1, expiresAt: 4 },
    expUndef: { ...base, expiresAt: undefined, ttlMs: undefined },
    refUndef: { ...base, reference: undefined },
    prio: { ...base, priority: 10 },
    key: { ...base, idempotencyKey: "" },
    emptyList: { ...base, sources: [], labels: [] },
    parentBad: { ...base, parent: "free text" },
    conv: { ...base, conversation: "" },
    fwd: { ...room.messages.get()[0], to: "y" },
    symbol: { ...base, content: Symbol("x") },
    cyc: (() => {
      const c: any = {};
      c.c = c;
      return { ...base, content: c };
    })(),
    big: { ...base, content: 10n },
    nan: { ...base, content: NaN },
    undefIn: { ...base, content: { a: undefined } },
    date: { ...base, metadata: new Date() },
  }))
    console.log(
      k,
      await shop.send(m as never).then(
        (s) => "ok",
        (e) => `${e.code ?? e.name} ${e.message}`.slice(0, 170),
      ),
    );
  console.log(p.id);
  await room.close();
});
