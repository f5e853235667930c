import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { type createWebSocketOpener, openRoom, text } from "../../src/index.ts";
import { createNodePlatform } from "../../src/node/index.ts";
import { createDirectories } from "./directories.ts";
import { describeDrivers } from "./drivers.ts";

const newDirectory = createDirectories();

describeDrivers("a room on a Node platform", (sqlite) => {
  test("NODE-11: is durable, and its agent goes on as the same writer, with what it wrote and was told", async () => {
    const directory = newDirectory();
    const options = () => ({
      platform: createNodePlatform({ directory, sqlite }),
      state: { notes: text() },
    });
    const first = await openRoom("lab", options());
    expect(first.status.get().storage).toBe("ready");
    const planner = await first.agent("planner");
    const sent = await planner.send({ topic: "plans", type: "LOG", content: "kept" });
    first.state.notes.insert(0, "also kept");
    const reference = await first.refs.put(new Uint8Array([1, 2, 3]));
    await sent.settled("local");
    await first.close();

    const second = await openRoom("lab", options());
    expect((await second.agent("planner")).writer).toBe(planner.writer);
    expect(second.messages.get().map(({ id, content }) => [id, content])).toEqual([[sent.id, "kept"]]);
    expect(second.state.notes.get()).toBe("also kept");
    expect(await second.refs.get(reference)).toEqual(new Uint8Array([1, 2, 3]));
    await expect(second.deleteLocal()).resolves.toBeUndefined();

    const third = await openRoom("lab", options());
    expect((await third.agent("planner")).writer).not.toBe(planner.writer);
    expect([third.messages.get(), third.state.notes.get()]).toEqual([[], ""]);
    await third.close();
  });

  test("NODE-12: rooms of one process on one directory are as tabs: apart as writers, and in touch", async () => {
    const directory = newDirectory();
    const open = () =>
      openRoom("lab", { platform: createNodePlatform({ directory, sqlite }), state: { notes: text() } });
    const [one, other] = [await open(), await open()];
    const [a, b] = [await one.agent("worker"), await other.agent("worker")];
    expect(a.writer).not.toBe(b.writer);
    one.state.notes.insert(0, "seen");
    await a.send({ topic: "all", type: "LOG", content: "heard" });
    await vi.waitFor(() => {
      expect(other.state.notes.get()).toBe("seen");
      expect(other.messages.get().map(({ content }) => content)).toEqual(["heard"]);
    });
    await expect(one.deleteLocal()).rejects.toMatchObject({
      code: "crdt/storage-failed",
      details: { reason: "blocked" },
    });
    await other.close();
    const again = await open();
    expect(again.state.notes.get()).toBe("seen");
    await again.close();
  });

  test("NODE-11: says how much its directory holds, and what the disk has for it", async () => {
    const { storage, persistence } = createNodePlatform({ directory: join(newDirectory(), "new"), sqlite });
    expect(await storage.estimate()).toEqual({});
    const store = await persistence.open("room/a");
    await store.write({ put: [["key", new Uint8Array(1_000_000)]] });
    const { usage = 0, quota = 0 } = await storage.estimate();
    expect(usage).toBeGreaterThan(1_000_000);
    expect(quota).toBeGreaterThan(usage);
    expect([await storage.persist(), await storage.persisted()]).toEqual([true, true]);
    await store.close();
  });

  test("NODE-11: hands on the socket class, and nothing of the machine that it was not given", () => {
    const options = { directory: newDirectory(), sqlite };
    expect(Object.keys(createNodePlatform(options)).sort()).toEqual([
      "openReferences",
      "persistence",
      "storage",
    ]);
    class WebSocketClass extends EventTarget {}
    const WebSocket = WebSocketClass as unknown as Parameters<typeof createWebSocketOpener>[0];
    expect(createNodePlatform({ ...options, WebSocket }).WebSocket).toBe(WebSocket);
  });
});
