import { describe, expect, it, onTestFinished } from "vitest";
import { createInMemoryStorage, createRoomCore } from "../../src/edge/index.ts";
import { list, type Persistence, type Room, storageFailureOf } from "../../src/index.ts";
import {
  createSimulation,
  type SimulatedReplica,
  type Simulation,
  type SimulationOptions,
} from "../../src/testing/index.ts";

const relay = { createStorage: createInMemoryStorage, createCore: createRoomCore };
const state = { log: list<number>() };
type Lab = Room<typeof state>;
type Options = Partial<Omit<SimulationOptions<ReturnType<typeof createInMemoryStorage>, never>, "relay">>;

function simulate(options: Options = {}): Simulation {
  const simulation = createSimulation({ seed: 1, relay, ...options });
  onTestFinished(() => simulation.close());
  return simulation;
}

function open(simulation: Simulation, replica: SimulatedReplica): Promise<Lab> {
  return simulation.until(replica.open("lab", { state }));
}

function persistenceOf(replica: SimulatedReplica): Persistence {
  if (!replica.platform.persistence) throw new RangeError("The replica has no persistence.");
  return replica.platform.persistence;
}

const online = (room: Lab) => room.status.get().network === "online";

/** Writes and tells how it went: `done`, or the reason of the failure. */
async function outcomeOf(simulation: Simulation, write: Promise<void>): Promise<string> {
  return simulation.until(
    write.then(
      () => "done",
      (failure: unknown) => storageFailureOf(failure) ?? String(failure),
    ),
  );
}

describe("a simulated clock", () => {
  it("SIM-11 is as wrong as asked, jumps when told, and moves no timer", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab", { skewMs: -60_000 });
    const right = simulation.replica("right");
    expect([tab.clock.now() - simulation.now(), right.clock.now() - simulation.now()]).toEqual([-60_000, 0]);
    const rang: number[] = [];
    const start = simulation.now();
    tab.clock.after(1_000, () => rang.push(simulation.now() - start));
    tab.skew(3_600_000);
    await simulation.advance(2_000);
    expect([rang, tab.clock.now() - simulation.now()]).toEqual([[1_000], 3_600_000]);
  });

  it("SIM-11 of a hidden tab lets its timers go off once a minute, and at once when it is shown", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab");
    const minuteMs = 60_000;
    await simulation.advance(minuteMs - (simulation.now() % minuteMs));
    const start = simulation.now();
    const rang: number[] = [];
    const ring = () => rang.push(simulation.now() - start);
    for (const delayMs of [1_000, 59_000, 61_000]) tab.clock.after(delayMs, ring);
    tab.clock.after(2_000, () => rang.push(-1))();
    tab.hide();
    await simulation.advance(2 * minuteMs + 1_000);
    expect(rang).toEqual([minuteMs, minuteMs, 2 * minuteMs]);
    tab.clock.after(1_000, ring);
    await simulation.advance(10_000);
    tab.show();
    await simulation.advance(0);
    expect(rang.at(-1)).toBe(2 * minuteMs + 11_000);
  });
});

describe("a simulated disk", () => {
  it("SIM-12 refuses every write while it is full, and takes them again", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab");
    const store = await simulation.until(persistenceOf(tab).open("pairs"));
    const references = await simulation.until(
      tab.platform.openReferences?.("references") ?? Promise.reject(new RangeError("no references")),
    );
    tab.browser.impair({ full: true });
    expect(await outcomeOf(simulation, store.write({ put: [["a", 1]] }))).toBe("quota");
    await expect(simulation.until(references.put(new Uint8Array(9)))).rejects.toMatchObject({
      code: "refstore/quota",
    });
    expect(await simulation.until(store.entries(""))).toEqual([]);
    tab.browser.mend();
    expect(await outcomeOf(simulation, store.write({ put: [["a", 1]] }))).toBe("done");
  });

  it("SIM-12 aborts some transactions whole, and takes its time", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab");
    const store = await simulation.until(persistenceOf(tab).open("pairs"));
    tab.browser.impair({ aborted: 0.5 });
    const outcomes: string[] = [];
    for (let index = 0; index < 40; index++) {
      const key = `key-${String(index).padStart(2, "0")}`;
      outcomes.push(
        await outcomeOf(simulation, store.write({ put: [[key, 1] as const, [`${key}b`, 1] as const] })),
      );
    }
    expect(new Set(outcomes)).toEqual(new Set(["done", "aborted"]));
    const kept = outcomes.filter((outcome) => outcome === "done").length;
    expect(await simulation.until(store.entries(""))).toHaveLength(2 * kept);
    tab.browser.mend();
    tab.browser.impair({ slowMs: 5_000 });
    const start = simulation.now();
    await outcomeOf(simulation, store.write({ put: [["late", 1]] }));
    expect(simulation.now() - start).toBeGreaterThanOrEqual(5_000);
  });

  it("SIM-13 that loses power keeps a first part of the last seconds, and all before them", async () => {
    const kept = new Set<number>();
    for (let seed = 0; seed < 30; seed++) {
      const simulation = createSimulation({ seed, relay });
      try {
        const tab = simulation.replica("tab");
        const [left, right] = await simulation.until(
          Promise.all(["left", "right"].map((name) => persistenceOf(tab).open(name))),
        );
        await simulation.until(left?.write({ put: [["0", 0]] }) ?? Promise.resolve());
        await simulation.advance(6_000);
        for (let index = 1; index < 8; index++) {
          const store = index % 2 === 0 ? left : right;
          await simulation.until(store?.write({ put: [[String(index), index]] }) ?? Promise.resolve());
        }
        tab.browser.losePower();
        expect(tab.alive).toBe(false);
        const next = simulation.replica("tab");
        const found: unknown[] = [];
        for (const name of ["left", "right"]) {
          const store = await simulation.until(persistenceOf(next).open(name));
          found.push(...(await simulation.until(store.entries(""))).map(([, value]) => value));
        }
        found.sort();
        expect(found).toEqual(found.map((_, index) => index));
        expect(found.length).toBeGreaterThan(0);
        kept.add(found.length);
      } finally {
        await simulation.close();
      }
    }
    expect(kept.size).toBeGreaterThan(3);
  });

  it("SIM-14 is wiped under its tabs, which are told, or without any; the next finds nothing", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab");
    const told: unknown[] = [];
    const store = await simulation.until(
      persistenceOf(tab).open("pairs", { onFailed: (error) => told.push(storageFailureOf(error)) }),
    );
    await simulation.until(store.write({ put: [["a", 1]] }));
    const underWay = outcomeOf(simulation, store.write({ put: [["b", 1]] }));
    tab.browser.wipe();
    expect([await underWay, told]).toEqual(["aborted", ["closed"]]);
    expect(await outcomeOf(simulation, store.write({ put: [["c", 1]] }))).toBe("closed");
    const next = await simulation.until(
      persistenceOf(simulation.replica("next", { browser: "tab" })).open("pairs"),
    );
    expect(await simulation.until(next.entries(""))).toEqual([]);
    await simulation.until(next.write({ put: [["d", 1]] }));
    await simulation.until(next.close());
    tab.browser.wipe();
    const last = await simulation.until(
      persistenceOf(simulation.replica("last", { browser: "tab" })).open("pairs"),
    );
    expect(await simulation.until(last.entries(""))).toEqual([]);
  });

  it("SIM-15 is copied with its profile at one moment, references too; then each goes its way", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab", { browser: "laptop" });
    const store = await simulation.until(persistenceOf(tab).open("pairs"));
    const references = await simulation.until(
      tab.platform.openReferences?.("references") ?? Promise.reject(new RangeError("no references")),
    );
    await simulation.until(store.write({ put: [["a", 1]] }));
    const { id } = await simulation.until(references.put(new Uint8Array([7]), { pending: true }));
    const copy = tab.browser.clone("copy");
    await simulation.until(store.write({ put: [["a", 2]] }));
    const twin = simulation.replica("twin", { browser: copy.name });
    const copied = await simulation.until(persistenceOf(twin).open("pairs"));
    expect(await simulation.until(copied.entries(""))).toEqual([["a", 1]]);
    const held = await simulation.until(
      twin.platform.openReferences?.("references") ?? Promise.reject(new RangeError("no references")),
    );
    expect(await simulation.until(held.get(id))).toEqual(new Uint8Array([7]));
    expect(await simulation.until(held.uploads.load())).toHaveLength(1);
    expect(() => tab.browser.clone("copy")).toThrow(RangeError);
  });

  it("SIM-16 without locks grants none", async () => {
    const simulation = simulate();
    simulation.browser("plain", { locks: false });
    const persistence = persistenceOf(simulation.replica("tab", { browser: "plain" }));
    expect([persistence.locks, await persistence.tryLock("lock")]).toEqual([false, undefined]);
    expect(() => simulation.browser("plain", { locks: true })).toThrow(RangeError);
  });
});

describe("a simulated network", () => {
  it.each(["up", "down"] as const)(
    "SIM-17 holds back what goes %s, and gives it on at the heal",
    async (way) => {
      const simulation = simulate();
      const [left, right] = [simulation.replica("left"), simulation.replica("right")];
      const [here, there] = [await open(simulation, left), await open(simulation, right)];
      await simulation.untilTrue(() => online(here) && online(there));
      left.partition({ way });
      here.state.log.push(1);
      there.state.log.push(2);
      await simulation.advance(3_000);
      const [seenHere, seenThere] = [here.state.log.get().includes(2), there.state.log.get().includes(1)];
      expect([seenHere, seenThere]).toEqual(way === "up" ? [true, false] : [false, true]);
      expect(online(here)).toBe(true);
      left.heal();
      await simulation.advance(1_000);
      expect(here.state.log.get()).toHaveLength(2);
      expect(there.state.log.get()).toEqual(here.state.log.get());
    },
  );

  it("SIM-17 of one direction ends the connection once its watch finds out, and opens none before the heal", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab");
    const room = await open(simulation, tab);
    await simulation.untilTrue(() => online(room));
    tab.partition({ way: "down" });
    await simulation.untilTrue(() => !online(room));
    await simulation.advance(60_000);
    expect(online(room)).toBe(false);
    tab.heal();
    await simulation.untilTrue(() => online(room));
  });

  it("SIM-18 takes longer to a slow relay; uploads fail and answers come late as asked, and a reference can be lost", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab");
    const room = await open(simulation, tab);
    await simulation.untilTrue(() => online(room));
    simulation.relay.impair({ slowMs: 2_000 });
    const start = simulation.now();
    await simulation.until(room.state.log.push(1).settled("relayed"));
    expect(simulation.now() - start).toBeGreaterThanOrEqual(4_000);

    simulation.relay.impair({ slowMs: 0, failedUploads: 1 });
    const { id } = await simulation.until(room.refs.put(new Uint8Array([1, 2])));
    await simulation.advance(30_000);
    expect([room.refs.state(id)?.state === "remote", simulation.relay.references()]).toEqual([false, []]);
    simulation.relay.impair({ failedUploads: 0, lateBlobsMs: 9_000 });
    await simulation.untilTrue(() => simulation.relay.references().includes(id));
    const storedAt = simulation.now();
    await simulation.untilTrue(() => room.refs.state(id)?.state === "remote");
    expect(simulation.now() - storedAt).toBeGreaterThanOrEqual(9_000);

    simulation.relay.mend();
    expect([simulation.relay.loseReference(id), simulation.relay.loseReference(id)]).toEqual([true, false]);
    const reader = await open(simulation, simulation.replica("reader"));
    await simulation.untilTrue(() => online(reader));
    await expect(simulation.until(reader.refs.get(id))).rejects.toMatchObject({ code: "refstore/not-found" });
  });

  it("SIM-19 heals all at once", async () => {
    const simulation = simulate();
    const tabs = ["one", "two", "three"].map((name) => simulation.replica(name));
    const rooms = await simulation.until(Promise.all(tabs.map((tab) => tab.open("lab", { state }))));
    tabs[0]?.partition();
    tabs[1]?.partition({ way: "up" });
    tabs[1]?.hide();
    tabs[2]?.browser.impair({ full: true, slowMs: 1_000 });
    simulation.relay.impair({ slowMs: 1_000 });
    simulation.relay.crash();
    await simulation.advance(1_000);
    for (const [index, room] of rooms.entries()) room.state.log.push(index);
    simulation.heal();
    await simulation.untilTrue(() =>
      rooms.every((room) => room.state.log.get().length === 3 && online(room)),
    );
  });
});

describe("a simulation that watches for the real world", () => {
  it("SIM-21 names the places that use the machine's clock, timers, randomness and network", async () => {
    const simulation = simulate();
    const uses = [
      () => Date.now(),
      () => new Date(),
      () => Math.random(),
      () => clearTimeout(setTimeout(() => {}, 0)),
      () => crypto.randomUUID(),
      () => performance.now(),
    ];
    for (const use of uses) use();
    // These read no clock.
    new Date(0).toISOString();
    Date.UTC(2030, 0, 1);
    expect(simulation.realWorld.map((use) => use.replace(/ at .*\/([^/]+):\d+:\d+$/, " at $1"))).toEqual(
      ["Date.now", "new Date", "Math.random", "setTimeout", "crypto.randomUUID", "performance.now"].map(
        (name) => `${name} at faults.test.ts`,
      ),
    );
    await simulation.close();
    expect([Date.name, Object.hasOwn(performance, "now"), Object.hasOwn(crypto, "randomUUID")]).toEqual([
      "Date",
      false,
      false,
    ]);
  });

  it("SIM-21 finds none in the library itself, and looks away when asked to", async () => {
    const simulation = simulate();
    const room = await open(simulation, simulation.replica("tab"));
    await simulation.until(room.state.log.push(1).settled("relayed"));
    await simulation.until(room.refs.put(new Uint8Array([1])));
    const agent = await simulation.until(room.agent("planner"));
    await simulation.until(agent.send({ to: "planner", type: "QUERY", content: "well?" }));
    await simulation.advance(60_000);
    expect(simulation.realWorld).toEqual([]);
    await simulation.close();
    const blind = simulate({ watchRealWorld: false });
    Math.random();
    expect(blind.realWorld).toEqual([]);
  });
});
