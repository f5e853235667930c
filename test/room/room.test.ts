import { describe, expect, it, onTestFinished } from "vitest";
import {
  list,
  openRoom,
  type RoomOptions,
  type RoomPlatform,
  type StateSchema,
  text,
} from "../../src/index.ts";
import { until } from "../refstore/manual-clock.ts";
import { createCountingPlatform } from "./platform.ts";

async function open<S extends StateSchema = Record<never, never>>(id: string, options?: RoomOptions<S>) {
  const room = await openRoom(id, options);
  onTestFinished(() => room.close());
  return room;
}

describe("a room without a relay", () => {
  it("ROOM-1: two agents talk", async () => {
    const room = await open("team", { state: { notes: text(), log: list<string>() } });
    const planner = await room.agent("planner", { capabilities: ["plan"] });
    const critic = await room.agent("critic");
    const heard: unknown[] = [];
    critic.onMessage({ type: "QUERY" }, ({ content }) => heard.push(content));
    const sent = await planner.send({ to: "critic", type: "QUERY", content: { question: "Is it done?" } });
    await sent.settled("delivered");
    expect(heard).toEqual([{ question: "Is it done?" }]);
    expect(room.messages.get().map(({ stage, type }) => [stage, type])).toEqual([["delivered", "QUERY"]]);
    expect(room.status.get()).toEqual({
      storage: "memory-only",
      network: "offline",
      pending: 0,
      halted: false,
    });
  });

  it("ROOM-1: large content arrives as it was sent, JSON and bytes", async () => {
    const room = await open("team");
    const planner = await room.agent("planner");
    const critic = await room.agent("critic");
    const heard: unknown[] = [];
    critic.onMessage({}, ({ content }) => heard.push(content));
    const rows = Array.from({ length: 5_000 }, (_, index) => ({ index }));
    await planner.send({ to: "critic", type: "tool_result", content: rows });
    await (await planner.send({ to: "critic", type: "dataset", content: new Uint8Array(70_000) })).settled(
      "delivered",
    );
    expect(heard).toEqual([rows, new Uint8Array(70_000)]);
    expect(room.messages.get().every(({ reference, content }) => reference && content === undefined)).toBe(
      true,
    );
  });

  it("ROOM-2: agents are listed by name, with their capabilities, here and online", async () => {
    const room = await open("team");
    const planner = await room.agent("planner", { capabilities: ["plan", "deal"] });
    await room.agent("critic");
    await until(() => room.agents.get().length === 2);
    expect(room.agents.get()).toMatchObject([
      { name: "critic", principal: "anon", capabilities: [], online: true, here: true },
      { name: "planner", writer: planner.writer, capabilities: ["plan", "deal"], online: true, here: true },
    ]);
  });

  it("ROOM-3: writes to the state are one write in a transaction, and settle locally", async () => {
    const room = await open("team", { state: { notes: text(), log: list<string>() } });
    const heard: string[] = [];
    room.state.notes.subscribe((value) => heard.push(value));
    const write = room.transact(() => {
      room.state.notes.insert(0, "b");
      room.state.notes.insert(0, "a");
      room.state.log.push("both");
    });
    await write.settled("local");
    expect([heard, room.state.log.get()]).toEqual([["ab"], ["both"]]);
    await expect(write.settled("delivered")).rejects.toMatchObject({ code: "crdt/no-addressee" });
  });

  it("ROOM-4: a handler that fails is told to the room, and gets the message again", async () => {
    const room = await open("team");
    const [planner, critic] = [await room.agent("planner"), await room.agent("critic")];
    const problems: string[] = [];
    room.onProblem(({ code }) => problems.push(code));
    const attempts: number[] = [];
    critic.onMessage({}, (_, { attempt }) => {
      attempts.push(attempt);
      if (attempt === 1) throw new Error("not yet");
    });
    const sent = await planner.send({ to: "critic", type: "QUERY", content: 1 });
    await sent.settled("delivered");
    expect([attempts, problems]).toEqual([[1, 2], ["messaging/handler-failed"]]);
  });

  it("ROOM-5, MSG-133: an agent's consumers have names of their own, and one that stops can be opened again", async () => {
    const room = await open("team");
    const critic = await room.agent("critic");
    const stop = critic.onMessage({ type: "QUERY" }, () => undefined);
    critic.onMessage({ type: "QUERY" }, () => undefined, { consumer: "second" });
    const again = () => critic.onMessage({ type: "QUERY" }, () => undefined);
    expect(again).toThrow(expect.objectContaining({ code: "messaging/consumer-exists" }));
    stop();
    again();
    // It has stopped already: the name is another consumer's by now.
    stop();
    expect(again).toThrow(expect.objectContaining({ code: "messaging/consumer-exists" }));
    expect(() => critic.onMessage({ where: () => true }, () => undefined)).toThrow(
      expect.objectContaining({ code: "messaging/consumer-name-required" }),
    );
    expect(() => critic.onMessage({ type: "no type" }, () => undefined)).toThrow(
      expect.objectContaining({ code: "messaging/invalid-filter" }),
    );
  });
});

describe("what an agent can't do", () => {
  it("MSG-140: have more than 256 consumers, those of earlier sessions included", async () => {
    const room = await open("team");
    const critic = await room.agent("critic");
    const listen = (consumer: string) => critic.onMessage({}, () => undefined, { consumer });
    for (let index = 0; index < 256; index++) listen(`c${index}`)();
    expect(() => listen("one more")).toThrow(
      expect.objectContaining({ code: "messaging/too-many-consumers" }),
    );
    listen("c17");
    await critic.close();
    const again = await room.agent("critic");
    expect(() => again.onMessage({}, () => undefined, { consumer: "one more" })).toThrow(
      expect.objectContaining({ code: "messaging/too-many-consumers" }),
    );
  });

  it.each(["request", "stream"])("MSG-141: send a %s by itself", async (role) => {
    const room = await open("team");
    const planner = await room.agent("planner");
    const message = { to: "critic", type: "QUERY", content: 1, role };
    await expect(planner.send(message)).rejects.toMatchObject({
      code: "messaging/invalid-message",
      details: { path: "role" },
    });
    expect(room.messages.get()).toEqual([]);
  });
});

describe("what cannot be opened", () => {
  it.each(["", "a b", "a/b", "../x", "x".repeat(65), undefined, 7])("ROOM-6: %j is no room", async (id) => {
    await expect(openRoom(id as string)).rejects.toMatchObject({ code: "protocol/invalid-room" });
  });

  it.each(["", "not a url", "ftp://relay.example", "localhost:8787", "javascript:alert(1)"])(
    "ROOM-6: %j is no relay",
    async (relay) => {
      await expect(openRoom("team", { relay })).rejects.toMatchObject({ code: "room/invalid-options" });
    },
  );

  it("ROOM-6: a socket that the page may not open has a code", async () => {
    class Forbidden {
      constructor() {
        throw new DOMException("insecure", "SecurityError");
      }
    }
    const platform = { WebSocket: Forbidden as unknown as NonNullable<RoomPlatform["WebSocket"]> };
    await expect(openRoom("team", { relay: "ws://relay.example", platform })).rejects.toMatchObject({
      code: "room/invalid-options",
    });
  });

  it("ROOM-6: a relay needs a WebSocket", async () => {
    const { WebSocket } = globalThis;
    Reflect.deleteProperty(globalThis, "WebSocket");
    try {
      await expect(openRoom("team", { relay: "http://localhost:1" })).rejects.toMatchObject({
        code: "room/invalid-options",
      });
    } finally {
      if (WebSocket) globalThis.WebSocket = WebSocket;
    }
  });

  it("ROOM-6: a state whose name is no id", async () => {
    await expect(openRoom("team", { state: { "a b": text() } })).rejects.toMatchObject({
      code: "crdt/invalid-state",
    });
  });

  it("ROOM-7: an agent needs a name that is an id, and capabilities that fit", async () => {
    const room = await open("team");
    await expect(room.agent("a.b")).rejects.toMatchObject({ code: "base/invalid-id" });
    for (const capabilities of [new Array(65).fill("a"), ["c".repeat(65)], [7 as never]]) {
      await expect(room.agent("planner", { capabilities })).rejects.toMatchObject({
        code: "room/invalid-options",
      });
    }
    await room.agent("planner", { capabilities: new Array(64).fill("c".repeat(64)) });
    await until(() => room.agents.get().length === 1);
  });

  it("ROOM-7: an agent that is open here is not opened again; once closed it is, with what it was", async () => {
    const room = await open("team");
    const planner = await room.agent("planner");
    await expect(room.agent("planner")).rejects.toMatchObject({ code: "room/agent-exists" });
    const handled: unknown[] = [];
    planner.onMessage({}, ({ content }) => handled.push(content));
    await (await planner.send({ to: "planner", type: "NOTE", content: 1 })).settled("delivered");
    await planner.close();
    await planner.close();
    await expect(planner.send({ to: "planner", type: "NOTE", content: 2 })).rejects.toMatchObject({
      code: "room/closed",
    });
    expect(() => planner.onMessage({}, () => undefined)).toThrow(
      expect.objectContaining({ code: "room/closed" }),
    );
    const again = await room.agent("planner");
    expect(again.writer).toBe(planner.writer);
    again.onMessage({}, ({ content }) => handled.push(content));
    await (await again.send({ to: "planner", type: "NOTE", content: 3 })).settled("delivered");
    expect(handled).toEqual([1, 3]);
  });

  it("ROOM-7: two openings of one agent at once give one agent and one error", async () => {
    const room = await open("team");
    const outcomes = await Promise.allSettled([room.agent("planner"), room.agent("planner")]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  });
});

describe("a room with tokens", () => {
  it("ROOM-22: references carry the token that the socket has; a 401 asks for another one", async () => {
    const { platform, relay } = createCountingPlatform();
    const asked: string[] = [];
    const sent: (string | null)[] = [];
    let valid = "token-1";
    const room = await open("team", {
      relay: "https://relay.example",
      principal: "alice",
      token: () => `token-${asked.push("asked")}`,
      platform: {
        ...platform,
        fetch: async (_, init) => {
          const authorization = new Headers(init?.headers).get("authorization");
          sent.push(authorization);
          return new Response(null, { status: authorization === `Bearer ${valid}` ? 404 : 401 });
        },
      },
    });
    await until(() => relay.sockets.length > 0);
    relay.last.join({ principal: "alice" });
    const id = "0".repeat(64);
    const missing = { code: "refstore/not-found" };
    await expect(room.refs.get(id)).rejects.toMatchObject(missing);
    valid = "token-2";
    await expect(room.refs.get(id)).rejects.toMatchObject(missing);
    await expect(room.refs.get(id)).rejects.toMatchObject(missing);
    expect([sent, asked.length]).toEqual([
      ["Bearer token-1", "Bearer token-1", "Bearer token-2", "Bearer token-2"],
      2,
    ]);
  });

  it("ROOM-22: a token that cannot be had leaves references waiting, not refused", async () => {
    const { platform, relay } = createCountingPlatform();
    let fails = false;
    const room = await open("team", {
      relay: "https://relay.example",
      principal: "alice",
      token: () => {
        if (fails) throw new Error("no session");
        return "token";
      },
      platform: { ...platform, fetch: async () => new Response(null, { status: 401 }) },
    });
    await until(() => relay.sockets.length > 0);
    relay.last.join({ principal: "alice" });
    fails = true;
    await expect(room.refs.get("0".repeat(64))).rejects.toMatchObject({ code: "refstore/unavailable" });
  });
});
