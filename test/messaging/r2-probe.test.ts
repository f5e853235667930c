import { describe, expect, it } from "vitest";
import { defineMessage, openRoom } from "../../src/index.ts";
import { createInMemoryStore } from "../../src/refstore/index.ts";
import { createManualClock, until } from "../refstore/manual-clock.ts";
import { createBrowser } from "../room/platform.ts";
import { createWorld, settle } from "./world.ts";
import { createMessageTypes } from "../../src/messaging/index.ts";

const open = (options = {}) => {
  const { persistence, openTabChannel } = createBrowser();
  return openRoom("orders", { platform: { persistence, openTabChannel, openReferences: async () => createInMemoryStore() }, ...options });
};
const outcome = (p: Promise<unknown>) => p.then((v) => ["ok", v], (e) => [e.code ?? e.name, e.message]);

describe("probe", () => {
  it("constructor names", async () => {
    const room = await open();
    const agent = await room.agent("shop");
    for (const consumer of ["constructor", "toString", "valueOf", "hasOwnProperty"]) {
      const got: unknown[] = [];
      try { agent.onMessage({}, ({content}) => void got.push(content), { consumer }); } catch (e) { console.log(consumer, String(e)); continue; }
      await agent.send({ to: "shop", type: "A", content: 1 });
      await new Promise((r) => setTimeout(r, 50));
      console.log(consumer, got);
    }
    await room.close();
  });
  it("undo twice", async () => {
    const room = await open();
    const agent = await room.agent("shop");
    const u = agent.onMessage({}, () => undefined);
    u();
    agent.onMessage({}, () => undefined);
    u();
    expect(() => agent.onMessage({}, () => undefined)).toThrow();
    await room.close();
  });
  it("keyed handle at close", async () => {
    const room = await open();
    const agent = await room.agent("shop");
    const m = { to: "x", type: "A", content: 1, idempotencyKey: "k" };
    const a = await agent.send(m);
    const b = await agent.send(m);
    const ra = outcome(a.settled("relayed"));
    const rb = outcome(b.settled("relayed"));
    await new Promise((r) => setTimeout(r, 50));
    await room.close();
    console.log("first", await ra, "again", await Promise.race([rb, new Promise((r) => setTimeout(r, 300, "HANGS"))]));
  });
  it("schema throws", async () => {
    const bad = defineMessage("t", { schema: { "~standard": { version: 1, vendor: "x", validate: (v: unknown) => { JSON.parse(v as string); return { value: v }; } } } as never });
    const types = createMessageTypes([bad]);
    try { console.log("write", types.write("t", "{")); } catch (e) { console.log("write", String(e), (e as any).code); }
    try { console.log(types.read({ type: "t", content: "{" } as never)); } catch (e) { console.log("read", String(e), (e as any).code); }
  });
  it("bad from", async () => {
    const room = await open();
    const agent = await room.agent("shop");
    for (const from of [null, 5, "begin", { time: new Date() }, { cursor: 4 }, {}]) {
      try { agent.onMessage({}, () => undefined, { from: from as never, consumer: `c${JSON.stringify(from)}` }); console.log("taken", from); } catch (e) { console.log(JSON.stringify(from), (e as any).code, String(e)); }
    }
    await room.close();
  });
  it("hostile group peer", async () => {
    const world = createWorld();
    const me = "alice.worker.AAAAAAAAAAA", evil = "eve.worker.BBBBBBBBBBB", from = "carol.shop.CCCCCCCCCCC";
    world.present(evil);
    const bounds = Array.from({ length: 512 }, (_, i) => 1000 + 2 * i);
    const c = world.consume(me, { name: "jobs", group: "g", filter: { type: "QUERY" }, handle: (_, ctx) => new Promise(() => undefined) , order: "none", maxInFlight: 4});
    world.publish(evil, { version: 1, since: 1, capabilities: [], consumers: { [c.key]: { filter: { type: "QUERY" }, group: "g", closed: true, lanes: { [from]: { below: 0, pages: {}, done: { "0-7": bounds } } } } } } as never);
    for (let i = 0; i < 20; i++) world.arrive(from, { to: "worker", content: i });
    await settle();
    world.publish(evil, { version: 1, since: 1, capabilities: [], consumers: { [c.key]: { filter: { type: "QUERY" }, group: "g", closed: true, lanes: { [from]: { below: 0, pages: {}, done: { "0-7": bounds.map((b) => b + 3000) } } } } } } as never);
    await settle();
    world.clock.advance(1000);
    await settle();
    const { registerRecordSchema } = await import("../../src/protocol/index.ts");
    const r = registerRecordSchema.safeParse(world.records.get(me));
    console.log("own register", r.success, r.error?.issues?.[0]?.message, c.handled.length, JSON.stringify(c.position(from)).length);
  });
});
