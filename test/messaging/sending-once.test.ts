import { describe, expect, it } from "vitest";
import { openRoom } from "../../src/index.ts";
import { createInMemoryStore } from "../../src/refstore/index.ts";
import { createManualClock, until } from "../refstore/manual-clock.ts";
import { createBrowser } from "../room/platform.ts";

/** Opens the room of one browser, in one tab after another or side by side. */
function createTabs() {
  const browser = createBrowser();
  const clock = createManualClock();
  const references = createInMemoryStore();
  const open = () =>
    openRoom("orders", {
      platform: {
        clock,
        persistence: browser.persistence,
        openTabChannel: browser.openTabChannel,
        openReferences: async () => ({ ...references, close: async () => undefined }),
        lanes: { pageEntries: 4, liveEntries: 4 },
      },
    });
  return { open, clock };
}

const order = { to: "store", type: "order.created", content: { order: "o-1" }, idempotencyKey: "order o-1" };

describe("sending with a key", () => {
  it("MSG-90: the second call appends nothing, and its handle settles as the first one's does", async () => {
    const room = await createTabs().open();
    const shop = await room.agent("shop");
    const store = await room.agent("store");
    const [first, same] = await Promise.all([shop.send(order), shop.send(order)]);
    const again = await shop.send({ ...order, content: "said otherwise" });
    const other = await shop.send({ ...order, idempotencyKey: "order o-2" });
    expect([same.id, again.id]).toEqual([first.id, first.id]);
    expect(other.id).not.toBe(first.id);
    expect(room.messages.get().map(({ id }) => id)).toEqual([first.id, other.id]);
    await again.settled("local");
    const delivered = again.settled("delivered");
    store.onMessage({ type: "order.created" }, () => undefined);
    await delivered;
    const another = await store.send(order);
    expect(another.id).not.toBe(first.id);
    await room.close();
  });

  it("MSG-134: whoever waits for a message that was sent before is told of the room's end", async () => {
    const room = await createTabs().open();
    const shop = await room.agent("shop");
    await shop.send(order);
    const again = await shop.send(order);
    const relayed = again.settled("relayed");
    relayed.catch(() => undefined);
    await room.close();
    await expect(relayed).rejects.toMatchObject({ code: "crdt/closed" });
    await expect(again.settled("relayed")).rejects.toMatchObject({ code: "crdt/closed" });
  });

  it("MSG-90: one that fails leaves its key free", async () => {
    const room = await createTabs().open();
    const shop = await room.agent("shop");
    await expect(shop.send({ ...order, content: new Date(0) as never })).rejects.toMatchObject({
      code: "messaging/invalid-message",
    });
    await expect(shop.send({ ...order, type: "status", content: new Uint8Array(1) })).rejects.toMatchObject({
      code: "messaging/invalid-message",
    });
    const sent = await shop.send(order);
    expect(room.messages.get().map(({ id }) => id)).toEqual([sent.id]);
    await room.close();
  });

  it("MSG-90: messages go in the order of the calls, with a key or without", async () => {
    const room = await createTabs().open();
    const shop = await room.agent("shop");
    const sends = [
      order,
      { ...order, idempotencyKey: undefined as never, content: 2 },
      order,
      { ...order, content: 3 },
    ];
    const ids = (await Promise.all(sends.map((each) => shop.send(each)))).map(({ id }) => id);
    expect(room.messages.get().map(({ id }) => id)).toEqual([ids[0], ids[1]]);
    expect([ids[2], ids[3]]).toEqual([ids[0], ids[0]]);
    await room.close();
  });

  it("MSG-90: another tab of the agent finds it, and so does a page after a reload", async () => {
    const tabs = createTabs();
    const one = await tabs.open();
    const two = await tabs.open();
    const first = await (await one.agent("shop")).send(order);
    await until(() => two.messages.get().length === 1);
    const again = await (await two.agent("shop")).send(order);
    expect(again.id).toBe(first.id);
    await again.settled("local");
    await one.close();
    await two.close();
    const reloaded = await tabs.open();
    const later = await (await reloaded.agent("shop")).send(order);
    expect(later.id).toBe(first.id);
    await later.settled("local");
    expect(reloaded.messages.get()).toHaveLength(1);
    await reloaded.close();
  });

  it("MSG-91: one that is sealed in history is found, here and after a reload", async () => {
    const tabs = createTabs();
    const room = await tabs.open();
    const shop = await room.agent("shop");
    const first = await shop.send(order);
    for (let at = 0; at < 30; at++) await shop.send({ topic: "log", type: "LOG", content: at });
    await until(() => {
      tabs.clock.advance(1_000);
      return !room.messages.get().some(({ id }) => id === first.id);
    }, "the first page to be sealed");
    expect((await shop.send(order)).id).toBe(first.id);
    await room.close();

    const reloaded = await tabs.open();
    const again = await reloaded.agent("shop");
    const found = await again.send(order);
    expect(found.id).toBe(first.id);
    await found.settled("local");
    expect(reloaded.messages.get().some(({ id }) => id === first.id)).toBe(false);
    await reloaded.close();
  });
});
