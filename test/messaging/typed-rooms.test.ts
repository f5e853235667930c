import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { defineMessage, openRoom, type ReceivedMessage } from "../../src/index.ts";
import { createInMemoryStore } from "../../src/refstore/index.ts";
import { createManualClock, until } from "../refstore/manual-clock.ts";
import { createBrowser } from "../room/platform.ts";

const old = defineMessage("order.created", { schema: z.object({ order: z.string(), total: z.number() }) });
const now = defineMessage("order.created", {
  schema: z.object({ order: z.string(), cents: z.int() }),
  version: 2,
  upgrade: (content) => {
    const { order, total } = content as { order: string; total: number };
    return { order, cents: total * 100 };
  },
  downgrade: ({ cents }) => ({ total: cents / 100 }),
});

const openReferences = async () => createInMemoryStore();

describe("rooms with message types", () => {
  it("MSG-86: an old client and a new one of one room understand each other", async () => {
    const { persistence, openTabChannel } = createBrowser();
    const clock = createManualClock();
    const platform = { clock, persistence, openTabChannel, openReferences };
    const shops = await openRoom("orders", { messages: [old], platform });
    const stores = await openRoom("orders", { messages: [now], platform });
    const shop = await shops.agent("shop");
    const store = await stores.agent("store");
    const heard: ReceivedMessage[] = [];
    shop.onMessage({}, (message) => void heard.push(message));
    store.onMessage({}, async (message) => {
      const cents = now.of(message)?.content.cents ?? 0;
      heard.push(message);
      await store.respond(message, { content: { order: "o-2", cents: cents + 1 }, labels: ["priced"] });
    });
    await expect(
      shop.send({ to: "store", type: "order.created", content: { order: "o-1" } }),
    ).rejects.toMatchObject({ code: "messaging/invalid-content", details: { path: "total" } });
    const sent = await shop.send(
      old.message({ to: "store", content: { order: "o-1", total: 7 }, labels: ["web"] }),
    );
    await until(() => {
      clock.advance(100);
      return heard.length === 2;
    }, "the answer");
    expect(heard[0]).toMatchObject({ content: { order: "o-1", cents: 700 }, contentVersion: 2 });
    expect(heard[1]).toMatchObject({
      content: { order: "o-2", total: 7.01 },
      parent: sent.id,
      conversation: sent.id,
      to: "anon.shop",
      labels: ["priced", "web"],
    });
    const provenance = await shops.provenance(heard[1]?.id ?? "");
    expect(provenance?.sources.map(({ id }) => id)).toEqual([sent.id]);
    await shops.close();
    await stores.close();
  });

  it("MSG-138: what a handler is given is everybody's, by value or by reference, and can't be changed", async () => {
    const { persistence, openTabChannel } = createBrowser();
    const clock = createManualClock();
    const policies = { big: { kind: "always-reference" } as const };
    const platform = { clock, persistence, openTabChannel, openReferences };
    const room = await openRoom("orders", { policies, platform });
    const shop = await room.agent("shop");
    const store = await room.agent("store");
    const outcomes: unknown[] = [];
    store.onMessage({}, ({ content, metadata }) => {
      const { items } = content as { items: string[] };
      for (const change of [() => items.sort(), () => Object.assign(metadata ?? {}, { seen: true })]) {
        try {
          outcomes.push(change());
        } catch (failure) {
          outcomes.push(failure instanceof TypeError);
        }
      }
    });
    const content = { items: ["tea", "milk"] };
    for (const type of ["small", "big"]) {
      await shop.send({ to: "store", type, content, metadata: { team: "x" } });
    }
    await until(() => {
      clock.advance(100);
      return outcomes.length === 4;
    }, "both");
    expect(outcomes).toEqual([true, true, true, true]);
    expect(room.messages.get()[0]).toMatchObject({ content, metadata: { team: "x" } });
    // The sender's own objects stay its own.
    expect(content.items.sort()).toEqual(["milk", "tea"]);
    await room.close();
  });

  it("MSG-85: a room with two definitions of one type does not open", async () => {
    const { persistence } = createBrowser();
    const opening = openRoom("orders", { messages: [old, now], platform: { persistence, openReferences } });
    await expect(opening).rejects.toMatchObject({ code: "messaging/invalid-options" });
    // Nothing of it stays open.
    await (await openRoom("orders", { messages: [now], platform: { persistence, openReferences } })).close();
  });
});
