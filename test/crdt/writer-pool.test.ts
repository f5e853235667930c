import { describe, expect, it, onTestFinished } from "vitest";
import { createHybridClock, createStore, type FlockError, parseWriterId } from "../../src/base/index.ts";
import { defaultRetention } from "../../src/crdt/index.ts";
import { createEntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import type { Persistence } from "../../src/crdt/persistence/port.ts";
import { createWriterPool, listWriters } from "../../src/crdt/writers/writer-pool.ts";
import { createManualClock, until } from "../refstore/manual-clock.ts";
import { settle } from "./fake-relay.ts";
import { createLocalPages } from "./pages.ts";
import { acknowledged, createScriptedLink } from "./scripted-link.ts";
import { random, register } from "./writer-harness.ts";

/** A tab's pool over a device's persistence. */
async function openTab(
  persistence: Persistence,
  link = createScriptedLink({ answer: acknowledged }),
  startMs = 0,
) {
  const clock = createManualClock(startMs);
  const problems: FlockError[] = [];
  const present = createStore<readonly string[]>([]);
  const pool = createWriterPool({
    principal: "anon",
    prefix: "room/",
    persistence,
    records: await persistence.open("room/records"),
    log: createEntryLog(),
    hybrid: createHybridClock(clock),
    clock,
    random,
    link,
    received: () => [],
    onStored: () => undefined,
    onFrozen: () => undefined,
    onRegisterChanged: () => undefined,
    onAdopted: () => undefined,
    onWriters: (writers) => present.set(writers),
    pages: createLocalPages(),
    retention: defaultRetention,
    onPending: () => undefined,
    onProblem: (error) => problems.push(error),
  });
  onTestFinished(() => pool.close());
  const join = (epoch = "epoch") => {
    link.online(true);
    pool.joined(epoch);
  };
  return { pool, link, clock, problems, present, join };
}

/** Counts the locks that are held. */
function counting(persistence: Persistence) {
  const held = new Set<string>();
  const counted: Persistence = {
    ...persistence,
    async tryLock(name) {
      const release = await persistence.tryLock(name);
      if (!release) return undefined;
      held.add(name);
      return () => {
        held.delete(name);
        release();
      };
    },
  };
  return { counted, held };
}

/** As where the browser has no Web Locks. */
function withoutLocks(persistence: Persistence): Persistence {
  return { ...persistence, locks: false, tryLock: async () => undefined };
}

const dayMs = 86_400_000;
const note = (body: string) => ({ kind: "note", parents: [], body });

describe("writers of a device", () => {
  it("POOL-1: an agent's first writer is new; after the tab has closed, the next tab takes it", async () => {
    const persistence = createInMemoryPersistence();
    const first = await openTab(persistence);
    const opened = await first.pool.open("planner");
    expect(parseWriterId(opened.writer.id)).toMatchObject({ principal: "anon", agent: "planner" });
    expect([opened.resumed, first.pool.isOpen(opened.writer.id)]).toEqual([false, true]);
    await first.pool.close();
    const second = await openTab(persistence);
    const again = await second.pool.open("planner");
    expect([again.writer.id, again.resumed]).toEqual([opened.writer.id, true]);
  });

  it("POOL-1: a second tab gets a writer of its own, and so does a second agent", async () => {
    const persistence = createInMemoryPersistence();
    const first = await openTab(persistence);
    const second = await openTab(persistence);
    const ids = [];
    for (const { pool } of [first, second]) ids.push((await pool.open("planner")).writer.id);
    ids.push((await first.pool.open("critic")).writer.id);
    expect(new Set(ids).size).toBe(3);
    expect(first.present.get()).toEqual([ids[0], ids[2]]);
    expect((await listWriters(await persistence.open("room/records"))).sort()).toEqual([...ids].sort());
  });

  it("POOL-1: two openings at once never take one writer", async () => {
    const persistence = createInMemoryPersistence();
    const { pool } = await openTab(persistence);
    await (await openTab(persistence)).pool.close();
    const [a, b] = await Promise.all([pool.open("planner"), pool.open("planner")]);
    expect(a?.writer.id).not.toBe(b?.writer.id);
  });

  it("POOL-1: where there are no locks every opening is a new writer", async () => {
    const persistence = withoutLocks(createInMemoryPersistence());
    const first = await openTab(persistence);
    const { writer } = await first.pool.open("planner");
    await first.pool.close();
    const second = await openTab(persistence);
    expect((await second.pool.open("planner")).writer.id).not.toBe(writer.id);
  });

  it("POOL-5: a writer that nobody had open for longer than it is kept is not opened again", async () => {
    const persistence = createInMemoryPersistence();
    const first = await openTab(persistence);
    first.join();
    const { writer } = await first.pool.open("planner");
    writer.setRegister(register());
    await writer.append(note("sent")).settled("relayed");
    first.clock.advance(50);
    await until(() => first.pool.pending === 0);
    await first.pool.close();
    const almost = await openTab(persistence, undefined, 90 * dayMs);
    expect((await almost.pool.open("planner")).writer.id).toBe(writer.id);
    await almost.pool.close();
    const late = await openTab(persistence, undefined, 91 * dayMs);
    const opened = await late.pool.open("planner");
    expect([opened.writer.id === writer.id, opened.resumed]).toEqual([false, false]);
  });

  it("POOL-2: a released writer can be opened again here, and its entries stay at hand meanwhile", async () => {
    const { pool, present, join } = await openTab(createInMemoryPersistence());
    join();
    const { writer } = await pool.open("planner");
    writer.append(note("a"));
    writer.setRegister(register(["plan"]));
    pool.release(writer.id);
    pool.release(writer.id);
    await settle();
    expect([pool.isOpen(writer.id), present.get(), [...pool.registers()].length]).toEqual([false, [], 1]);
    const again = await pool.open("planner");
    expect([again.writer.id, again.resumed, present.get()]).toEqual([writer.id, true, [writer.id]]);
  });

  it("POOL-3: what a closed tab left unsent is sent by the next to join, and then its writer is let go", async () => {
    const { counted, held } = counting(createInMemoryPersistence());
    const first = await openTab(counted);
    const { writer } = await first.pool.open("planner");
    writer.append(note("unsent"));
    await first.pool.close();
    expect([first.link.uploads, held.size]).toEqual([[], 0]);
    const second = await openTab(counted);
    expect(second.pool.pending).toBe(0);
    second.join();
    await until(() => second.link.uploads.some(({ name }) => name.startsWith("lane/")));
    await until(() => held.size === 0);
    expect([second.present.get(), [...second.pool.documents()]]).toEqual([[], []]);
  });

  it("POOL-3: a writer that another tab has open is left alone", async () => {
    const persistence = createInMemoryPersistence();
    const first = await openTab(persistence);
    const { writer } = await first.pool.open("planner");
    writer.append(note("unsent"));
    await writer.flush();
    const second = await openTab(persistence);
    second.join();
    await second.pool.flush();
    await settle();
    expect(second.link.uploads).toEqual([]);
  });

  it("POOL-3: an adopted writer stays until the relay has everything, and an agent may take it over meanwhile", async () => {
    const persistence = createInMemoryPersistence();
    const first = await openTab(persistence);
    const { writer } = await first.pool.open("planner");
    writer.append(note("unsent"));
    await first.pool.close();
    const second = await openTab(persistence, createScriptedLink());
    second.join();
    await until(() => second.link.uploads.length > 0);
    expect(second.pool.pending).toBeGreaterThan(0);
    const taken = await second.pool.open("planner");
    expect([taken.writer.id, taken.resumed]).toEqual([writer.id, true]);
    for (const { answer } of second.link.uploads) await answer(acknowledged);
    expect(second.pool.isOpen(writer.id)).toBe(true);
    expect(second.pool.stateVectors().map(([name]) => name)).toContain(`register/${writer.id}`);
  });

  it("POOL-4: closing lets go of every lock, and nothing opens after it", async () => {
    const { counted, held } = counting(createInMemoryPersistence());
    const { pool, clock } = await openTab(counted);
    await Promise.all([pool.open("planner"), pool.open("critic")]);
    expect(held.size).toBe(2);
    await pool.close();
    expect([held.size, clock.delays()]).toEqual([0, []]);
    await expect(pool.open("planner")).rejects.toMatchObject({ code: "crdt/closed" });
    expect(held.size).toBe(0);
  });

  it("POOL-4: a database that does not open gives its lock back", async () => {
    const persistence = createInMemoryPersistence();
    const { counted, held } = counting({
      ...persistence,
      open: async (name) => {
        if (name.includes("/writer/")) throw new Error("no space");
        return persistence.open(name);
      },
    });
    const { pool } = await openTab(counted);
    await expect(pool.open("planner")).rejects.toThrow("no space");
    expect(held.size).toBe(0);
  });
});
