import { describe, expect, it } from "vitest";
import { createInMemoryPersistence } from "../../src/crdt/index.ts";
import { FlockError, map, openRoom, text } from "../../src/index.ts";
import { settle } from "../crdt/fake-relay.ts";
import { until } from "../refstore/manual-clock.ts";
import { createBrowser, createCountingPlatform, nothing } from "./platform.ts";

const relay = "http://relay.example:8787";

describe("closing", () => {
  it("ROOM-8: a closed room holds no timer, socket, lock, database or channel", async () => {
    const { platform, held, relay: network, clock } = createCountingPlatform();
    const room = await openRoom("team", { relay, state: { notes: text() }, platform });
    const planner = await room.agent("planner");
    const critic = await room.agent("critic");
    critic.onMessage({}, () => new Promise(() => {}));
    network.last.join();
    await planner.send({ to: "critic", type: "QUERY", content: 1 });
    await planner.send({ to: "critic", type: "QUERY", content: "x".repeat(20_000) });
    room.state.notes.insert(0, "text");
    room.awareness.setLocalStateField("user", { name: "Ann" });
    await settle();
    expect(held()).toMatchObject({ locks: 2, sockets: 1, references: 1, watchers: 1, channels: 1 });
    await room.close();
    expect(held()).toEqual(nothing);
    clock.advance(120_000);
    await settle();
    expect([held(), network.sockets.length]).toEqual([nothing, 1]);
  });

  it("ROOM-8: so does one that was closed while it waited to connect again, or with a failing handler", async () => {
    const { platform, held, relay: network } = createCountingPlatform();
    const room = await openRoom("team", { relay, platform });
    const planner = await room.agent("planner");
    planner.onMessage({}, () => {
      throw new Error("fails");
    });
    await planner.send({ to: "planner", type: "QUERY", content: 1 });
    network.last.close(1006);
    await settle();
    await room.close();
    expect(held()).toEqual(nothing);
  });

  it("ROOM-8: an opening that fails half-way holds nothing", async () => {
    const { platform, held } = createCountingPlatform();
    const refuse = async () => {
      throw new FlockError("refstore/unavailable", "no");
    };
    await expect(
      openRoom("team", { relay, platform: { ...platform, openReferences: refuse } }),
    ).rejects.toMatchObject({
      code: "refstore/unavailable",
    });
    expect(held()).toEqual(nothing);
    const unreadable = {
      ...platform,
      persistence: {
        ...createInMemoryPersistence(),
        ...platform.persistence,
        attach: () => ({
          loaded: Promise.reject(new FlockError("crdt/storage-failed", "unreadable")),
          confirm: async () => undefined,
          close: async () => undefined,
        }),
      },
    };
    await expect(openRoom("team", { relay, platform: unreadable })).rejects.toMatchObject({
      code: "crdt/storage-failed",
    });
    expect(held()).toEqual(nothing);
    await expect(openRoom("team", { platform, state: { "a b": text() } })).rejects.toMatchObject({
      code: "crdt/invalid-state",
    });
    expect(held()).toEqual(nothing);
  });

  it("ROOM-9: closing twice is safe, and a closed room refuses with a code", async () => {
    const { platform, held } = createCountingPlatform();
    const room = await openRoom("team", { relay, state: { notes: text() }, platform });
    const planner = await room.agent("planner");
    await Promise.all([room.close(), room.close()]);
    await room.close();
    await expect(room.agent("critic")).rejects.toMatchObject({ code: "room/closed" });
    await expect(planner.send({ to: "x", type: "T", content: 1 })).rejects.toMatchObject({
      code: "room/closed",
    });
    expect(() => room.state.notes.insert(0, "x")).toThrow(expect.objectContaining({ code: "room/closed" }));
    room.connect();
    room.disconnect();
    expect(held()).toEqual(nothing);
  });

  it("ROOM-9: who waits for a stage that can't come any more is told with a code", async () => {
    const { platform } = createCountingPlatform();
    const room = await openRoom("team", { relay, state: { notes: text() }, platform });
    const planner = await room.agent("planner");
    const sent = await planner.send({ to: "critic", type: "QUERY", content: 1 });
    const write = room.state.notes.insert(0, "x");
    const waiting = [sent.settled("relayed"), sent.settled("delivered"), write.settled("relayed")].map(
      (stage) => expect(stage).rejects.toMatchObject({ code: "crdt/closed" }),
    );
    await settle();
    await room.close();
    await Promise.all(waiting);
    await sent.settled("local");
  });
});

describe("reopening", () => {
  it("ROOM-10: what was written is there again, and an agent goes on where it was", async () => {
    const browser = createBrowser();
    const state = { notes: text(), board: map<number>() };
    const first = await openRoom("team", { state, platform: createCountingPlatform(browser).platform });
    const planner = await first.agent("planner", { capabilities: ["plan"] });
    const handled: unknown[] = [];
    planner.onMessage({}, ({ content }) => {
      handled.push(content);
      if (content === 2) return new Promise(() => {});
    });
    for (const content of [1, 2]) await planner.send({ to: "planner", type: "NOTE", content });
    first.state.notes.insert(0, "kept");
    first.state.board.set("a", 1);
    await settle();
    await first.close();
    const second = await openRoom("team", { state, platform: createCountingPlatform(browser).platform });
    expect([second.state.notes.get(), second.state.board.get()["a"]]).toEqual(["kept", 1]);
    expect(second.messages.get().map(({ content }) => content)).toEqual([1, 2]);
    const again = await second.agent("planner");
    expect(again.writer).toBe(planner.writer);
    again.onMessage({}, ({ content }) => handled.push(content));
    await until(() => handled.length === 3);
    expect(handled).toEqual([1, 2, 2]);
    await second.close();
  });

  it("ROOM-11: deleteLocal forgets everything of this room, and nothing of others", async () => {
    const browser = createBrowser();
    const state = { notes: text() };
    const open = (id: string, at?: string) =>
      openRoom(id, { state, platform: createCountingPlatform(browser).platform, ...(at && { relay: at }) });
    const rooms = [
      await open("team"),
      await open("team-2"),
      await open("team", relay),
      await open("team", "http://local"),
    ];
    for (const room of rooms) room.state.notes.insert(0, room.id);
    await (await rooms[0]?.agent("planner"))?.send({ to: "planner", type: "NOTE", content: 1 });
    await rooms[0]?.deleteLocal();
    for (const room of rooms) await room.close();
    const again = [
      await open("team"),
      await open("team-2"),
      await open("team", relay),
      await open("team", "http://local"),
    ];
    expect(again.map((room) => room.state.notes.get())).toEqual(["", "team-2", "team", "team"]);
    expect([again[0]?.messages.get(), again[0]?.agents.get()]).toEqual([[], []]);
    for (const room of again) await room.close();
  });
});

describe("tabs of one browser, without a relay", () => {
  it("ROOM-12: a second tab has what the first has, both hear each other, and agents have a writer each", async () => {
    const browser = createBrowser();
    const state = { notes: text() };
    const tabs = [createCountingPlatform(browser), createCountingPlatform(browser)] as const;
    const first = await openRoom("team", { state, platform: tabs[0].platform });
    first.state.notes.insert(0, "before ");
    const planner = await first.agent("planner");
    await planner.send({ to: "critic", type: "QUERY", content: "early" });
    const second = await openRoom("team", { state, platform: tabs[1].platform });
    await until(() => second.state.notes.get() === "before ");
    const critic = await second.agent("critic");
    const twin = await second.agent("planner");
    expect(twin.writer).not.toBe(planner.writer);
    const heard: unknown[] = [];
    critic.onMessage({}, ({ content }) => heard.push(content));
    await planner.send({ to: "critic", type: "QUERY", content: "late" });
    second.state.notes.insert(7, "after");
    await until(() => heard.length === 2 && first.state.notes.get() === "before after");
    expect(heard).toEqual(["early", "late"]);
    await Promise.all([first.close(), second.close()]);
    expect([tabs[0].held(), tabs[1].held()]).toEqual([nothing, nothing]);
  });

  it("ROOM-12: a new agent in a tab that is alone handles what others left here, after a second", async () => {
    const browser = createBrowser();
    const first = await openRoom("team", { platform: createCountingPlatform(browser).platform });
    await (await first.agent("planner")).send({ to: "critic", type: "QUERY", content: "left" });
    await first.close();
    const { platform, clock } = createCountingPlatform(browser);
    const second = await openRoom("team", { platform });
    const heard: unknown[] = [];
    (await second.agent("critic")).onMessage({}, ({ content }) => heard.push(content));
    await settle();
    expect(heard).toEqual([]);
    clock.advance(1_000);
    await until(() => heard.length === 1);
    await second.close();
  });
});

describe("the machine", () => {
  it("ROOM-13: opening never waits for the network; status tells how it stands", async () => {
    const { platform, relay: network, clock } = createCountingPlatform();
    const room = await openRoom("team", { relay, platform });
    const seen: string[] = [room.status.get().network];
    room.status.subscribe(({ network: now }) => now !== seen.at(-1) && seen.push(now));
    network.last.join();
    network.last.close(1006);
    clock.advance(250);
    network.last.join();
    room.disconnect();
    room.connect();
    expect(seen).toEqual([
      "connecting",
      "online",
      "offline",
      "connecting",
      "online",
      "offline",
      "connecting",
    ]);
    await room.close();
  });

  it("ROOM-13: the browser going offline cuts the network, and its return restores it unless it was cut by hand", async () => {
    const { platform, relay: network, connectivity, held } = createCountingPlatform();
    const room = await openRoom("team", { relay, platform });
    connectivity.tell(false);
    expect([room.status.get().network, held().sockets]).toEqual(["offline", 0]);
    room.connect();
    expect(held().sockets).toBe(0);
    connectivity.tell(true);
    expect([room.status.get().network, held().sockets]).toEqual(["connecting", 1]);
    room.disconnect();
    connectivity.tell(false);
    connectivity.tell(true);
    expect([held().sockets, network.sockets.length]).toEqual([0, 2]);
    await room.close();
  });

  it("ROOM-14: what was written and is not relayed is counted as pending", async () => {
    const { platform } = createCountingPlatform();
    const room = await openRoom("team", { relay, state: { notes: text() }, platform });
    expect(room.status.get().pending).toBe(0);
    room.state.notes.insert(0, "x");
    const planner = await room.agent("planner");
    await planner.send({ to: "critic", type: "QUERY", content: 1 });
    expect(room.status.get().pending).toBeGreaterThanOrEqual(2);
    expect(Object.isFrozen(room.status.get())).toBe(true);
    await room.close();
  });

  it("ROOM-15: where the browser refuses storage the room works in memory, and says so", async () => {
    const before = Object.getOwnPropertyDescriptor(globalThis, "indexedDB");
    Object.defineProperty(globalThis, "indexedDB", {
      configurable: true,
      value: {
        open() {
          throw new DOMException("denied", "SecurityError");
        },
      },
    });
    try {
      const room = await openRoom("team", { state: { notes: text() } });
      await room.state.notes.insert(0, "x").settled("local");
      expect([room.status.get().storage, room.state.notes.get()]).toEqual(["memory-only", "x"]);
      await room.close();
    } finally {
      if (before) Object.defineProperty(globalThis, "indexedDB", before);
      else Reflect.deleteProperty(globalThis, "indexedDB");
    }
  });

  it("ROOM-15: storage that fails later is told with a code and shown; the room goes on", async () => {
    const persistence = createInMemoryPersistence();
    const failing = { writes: false };
    const { platform } = createCountingPlatform(
      createBrowser({
        persistence: {
          ...persistence,
          async open(name) {
            const store = await persistence.open(name);
            return {
              ...store,
              async write(change) {
                if (failing.writes) throw new FlockError("crdt/storage-failed", "disk full");
                await store.write(change);
              },
            };
          },
        },
      }),
    );
    const room = await openRoom("team", { platform });
    const problems: string[] = [];
    room.onProblem(({ code }) => problems.push(code));
    const planner = await room.agent("planner");
    await settle();
    failing.writes = true;
    const sent = await planner.send({ to: "planner", type: "NOTE", content: 1 });
    await expect(sent.settled("local")).rejects.toMatchObject({ code: "crdt/storage-failed" });
    expect([room.status.get().storage, problems[0], room.messages.get().length]).toEqual([
      "failed",
      "crdt/storage-failed",
      1,
    ]);
    failing.writes = false;
    await room.close();
  });

  it("ROOM-16: presence past 4 KiB is reported and not sent, and the room stays connected", async () => {
    const { platform, relay: network, clock } = createCountingPlatform();
    const room = await openRoom("team", { relay, platform });
    const problems: string[] = [];
    room.onProblem(({ code }) => problems.push(code));
    network.last.join();
    room.awareness.setLocalStateField("user", { picture: "x".repeat(5_000) });
    clock.advance(50);
    await settle();
    room.awareness.setLocalStateField("user", { name: "Ann" });
    clock.advance(50);
    await settle();
    const states = network.last.sent.flatMap((each) => (each.type === "presence" ? [each.state ?? ""] : []));
    expect(problems).toEqual(["protocol/presence-too-large"]);
    expect(states.every((state) => state.length < 4_096)).toBe(true);
    expect(states.at(-1)).toContain("Ann");
    await room.close();
  });
});
