import { it } from "vitest";
import { openRoom } from "../../src/index.ts";
import { createInMemoryStore } from "../../src/refstore/index.ts";
import { createBrowser, createCountingPlatform } from "../room/platform.ts";

it("keyed sends, no relay", async () => {
  const { persistence, openTabChannel } = createBrowser();
  const room = await openRoom("orders", {
    platform: { persistence, openTabChannel, openReferences: async () => createInMemoryStore() },
  });
  const agent = await room.agent("shop");
  for (const n of [500, 1000, 2000, 4000]) {
    const t = performance.now();
    for (let i = 0; i < n; i++)
      await agent.send({ to: "x", type: "A", content: i, idempotencyKey: `k${n}-${i}` });
    console.log("no relay", n, (((performance.now() - t) / n) * 1000).toFixed(0), "us each");
  }
  await room.close();
}, 120000);
it("keyed sends, relay never reached", async () => {
  const { platform } = createCountingPlatform();
  const { openSocket: _, ...rest } = platform as any;
  const room = await openRoom("orders", {
    relay: "https://relay.example.com",
    platform: { ...rest, openSocket: () => ({ send() {}, close() {} }) as never },
  });
  const agent = await room.agent("shop");
  for (const n of [250, 500, 1000, 2000]) {
    const t = performance.now();
    for (let i = 0; i < n; i++)
      await agent.send({ to: "x", type: "A", content: i, idempotencyKey: `k${n}-${i}` });
    console.log("offline", n, (((performance.now() - t) / n) * 1000).toFixed(0), "us each");
  }
  await room.close();
}, 120000);
