import { it } from "vitest";
import { createWorld, settle } from "./world.ts";
const critic = "anon.critic.AAAAAAAAAAA";
const ids = (n: number) => Array.from({ length: n }, (_, i) => `anon.m${i}.${`${i}`.padStart(11, "B")}`);
it("costs", async () => {
  for (const n of [1000, 10000]) {
    const world = createWorld();
    const base = process.memoryUsage().heapUsed;
    for (const [i, id] of ids(n).entries()) world.arrive(id, { to: "critic", content: i });
    (globalThis as any).gc?.();
    const h0 = process.memoryUsage().heapUsed;
    const c = world.consume(critic);
    for (let i = 0; i < 5 && c.handled.length < n; i++) { await settle(); world.clock.runNext(); }
    while (c.handled.length < n) { world.clock.runNext(); await settle(); }
    (globalThis as any).gc?.();
    const h1 = process.memoryUsage().heapUsed;
    console.log(n, "lanes: bytes per lane of a consumer", Math.round((h1 - h0) / n), "world", Math.round((h0-base)/n), c.handled.length);
    let t = performance.now();
    for (let k = 0; k < 20; k++) { world.arrive(ids(n)[k]!, { to: "critic", content: k }); await settle(); }
    console.log("one message with settle", ((performance.now() - t) / 20).toFixed(2), "ms");
    t = performance.now();
    const w = ids(n);
    for (let k = 0; k < 5; k++) world.present(...w);
    console.log("presence change", ((performance.now() - t) / 5).toFixed(2), "ms");
    c.stop();
  }
}, 120000);
it("group none", async () => {
  for (const members of [10, 100, 1000]) {
    const world = createWorld();
    const names = ids(members);
    for (const id of names) world.records.set(id, { version: 1, since: 1, capabilities: [], consumers: { "group:g/topic:jobs/*": { filter: { topic: "jobs" }, group: "g", lanes: {} } } } as never);
    const c = world.consume(critic, { group: "g", filter: { topic: "jobs" } });
    world.present(...names);
    world.catchUp();
    await settle();
    for (let i = 0; i < 200; i++) world.arrive("anon.p.CCCCCCCCCCC", { topic: "jobs", content: i });
    await settle();
    const t = performance.now();
    for (let i = 0; i < 50; i++) { world.arrive("anon.p.CCCCCCCCCCC", { topic: "jobs", content: i }); await settle(); }
    console.log(members, "members: an arrival", ((performance.now() - t) / 50).toFixed(2), "ms", c.handled.length);
    c.stop();
  }
}, 120000);
