import { randomFillSync } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import { createInMemoryStorage, createRoomCore } from "../../src/edge/index.ts";
import { list, type Room, text } from "../../src/index.ts";
import {
  createSimulation,
  type SimulatedReplica,
  type Simulation,
  type SimulationOptions,
} from "../../src/testing/index.ts";
import { sealGrant } from "../../src/testing/simulation/tokens.ts";
import { playFlock } from "../properties/flock.ts";

const relay = { createStorage: createInMemoryStorage, createCore: createRoomCore };
const state = { notes: text(), log: list<number>() };
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

describe("a simulation", () => {
  it("SIM-1 gives the same run for the same seed, however busy the machine is", async () => {
    for (const seed of [1, 2, 3]) {
      const calm = await playFlock(seed);
      const noise = setInterval(() => randomFillSync(new Uint8Array(60_000)), 0);
      const busy = await playFlock(seed).finally(() => clearInterval(noise));
      expect(busy).toEqual(calm);
    }
    const [one] = (await playFlock(1)).fingerprints.values();
    expect((await playFlock(2)).fingerprints.get(2)).not.toBe(one);
  });

  it("SIM-2 runs events by moment, and at one moment in the order of scheduling", async () => {
    const simulation = simulate();
    const { clock } = simulation.replica("one");
    const heard: string[] = [];
    clock.after(20, () => heard.push("late"));
    clock.after(10, () => heard.push("first"));
    clock.after(10, () => heard.push("second"));
    clock.after(10, () => heard.push("never"))();
    const start = simulation.now();
    await simulation.advance(10);
    expect([heard, simulation.now() - start]).toEqual([["first", "second"], 10]);
    await simulation.advance(10);
    expect(heard).toEqual(["first", "second", "late"]);
  });

  it("SIM-2 takes steps one after another, and waits for a promise or a condition in virtual time", async () => {
    const simulation = simulate();
    const { clock } = simulation.replica("one");
    const start = simulation.now();
    const at: number[] = [];
    const note = () => at.push(simulation.now() - start);
    await simulation.run([
      { afterMs: 5, act: note },
      { afterMs: 5_000, act: note },
    ]);
    expect(at).toEqual([5, 5_005]);
    await simulation.until(new Promise<void>((resolve) => clock.after(70_000, resolve)));
    expect(simulation.now() - start).toBe(75_005);
    await expect(simulation.until(new Promise(() => {}), { limitMs: 100 })).rejects.toThrow(RangeError);
    await expect(simulation.untilTrue(() => false, { limitMs: 100 })).rejects.toThrow("seed 1");
  });

  it("SIM-3 is the only one at a time, and gives the platform back", async () => {
    const simulation = simulate();
    expect(() => createSimulation({ seed: 2, relay })).toThrow(RangeError);
    const digest = crypto.subtle.digest("SHA-256", new Uint8Array());
    await simulation.close();
    expect((await digest).byteLength).toBe(32);
    expect(Object.hasOwn(crypto.subtle, "digest")).toBe(false);
    await createSimulation({ seed: 2, relay }).close();
  });
});

describe("a simulated replica", () => {
  it("SIM-4 crashes without a goodbye: timers never go off, writes not yet done are lost, locks are free", async () => {
    const lost: boolean[] = [];
    for (let seed = 0; seed < 20; seed++) {
      const simulation = createSimulation({ seed, relay, latency: { diskMs: 50 } });
      try {
        const tab = simulation.replica("tab", { browser: "laptop" });
        const { persistence } = tab.platform;
        if (!persistence) throw new RangeError("no persistence");
        const store = await simulation.until(persistence.open("pairs"));
        await simulation.until(store.write({ put: [["a", 1]] }));
        expect(await persistence.tryLock("lock")).toBeTypeOf("function");
        let acknowledged = false;
        let rang = false;
        void store
          .write({
            put: [
              ["b", 2],
              ["c", 3],
            ],
          })
          .then(() => {
            acknowledged = true;
          });
        tab.clock.after(10, () => {
          rang = true;
        });
        tab.crash();
        await simulation.advance(1_000);
        expect([acknowledged, rang, tab.alive]).toEqual([false, false, false]);
        const next = simulation.replica("tab", { browser: "laptop" }).platform.persistence;
        const pairs = await simulation.until(
          next?.open("pairs").then((opened) => opened.entries("")) ?? Promise.resolve([]),
        );
        // All of a transaction or nothing of it.
        expect([["a"], ["a", "b", "c"]]).toContainEqual(pairs.map(([key]) => key));
        lost.push(pairs.length === 1);
        expect(await next?.tryLock("lock")).toBeTypeOf("function");
      } finally {
        await simulation.close();
      }
    }
    expect(new Set(lost)).toEqual(new Set([true, false]));
  });

  it("SIM-5 is cut off until it heals, over its crashes too", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab");
    const room = await open(simulation, tab);
    await simulation.untilTrue(() => room.status.get().network === "online");
    tab.partition();
    await simulation.untilTrue(() => room.status.get().network === "connecting");
    tab.crash();
    const again = simulation.replica("tab");
    const reopened = await open(simulation, again);
    await simulation.advance(60_000);
    expect(reopened.status.get().network).toBe("connecting");
    again.heal();
    await simulation.untilTrue(() => reopened.status.get().network === "online");
  });

  it("SIM-5 that is cut off silently finds out by its own watch", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab");
    const room = await open(simulation, tab);
    await simulation.untilTrue(() => room.status.get().network === "online");
    const cutAt = simulation.now();
    tab.cut({ silent: true });
    await simulation.untilTrue(() => room.status.get().network !== "online");
    expect(simulation.now() - cutAt).toBeGreaterThan(20_000);
  });

  it("SIM-6 loses the end of what is in flight at a cut: an update, or only its acknowledgement", async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const simulation = createSimulation({ seed, relay });
      try {
        const tab = simulation.replica("tab");
        const room = await open(simulation, tab);
        await simulation.advance(2_000);
        const write = room.state.log.push(1);
        let acknowledged = false;
        void write.settled("relayed").then(() => {
          acknowledged = true;
        });
        await simulation.advance(seed * 3);
        tab.partition();
        await simulation.advance(1_000);
        const witness = await open(simulation, simulation.replica("witness"));
        await simulation.advance(2_000);
        outcomes.add(
          `${witness.state.log.get().length === 1 ? "stored" : "lost"}, ${acknowledged ? "told" : "not told"}`,
        );
      } finally {
        await simulation.close();
      }
    }
    expect([...outcomes].sort()).toEqual(["lost, not told", "stored, not told", "stored, told"]);
  });
});

describe("simulated tab channels", () => {
  async function hear(tabChannels: Options["tabChannels"]): Promise<unknown[]> {
    const simulation = simulate({ tabChannels: { delayMs: 50, ...tabChannels } });
    const [left, right, elsewhere] = ["laptop", "laptop", "phone"].map((browser, index) =>
      simulation.replica(`tab-${index}`, { browser }),
    );
    const heard: unknown[] = [];
    const channelOf = (tab: SimulatedReplica | undefined, listener: (message: unknown) => void) => {
      if (!tab?.platform.openTabChannel) throw new RangeError("no channel");
      return tab.platform.openTabChannel("room", listener);
    };
    const channel = channelOf(left, () => heard.push("an echo"));
    channelOf(right, (message) => heard.push(message));
    channelOf(elsewhere, () => heard.push("another browser"));
    for (let number = 0; number < 30; number++) channel.post(number);
    await simulation.advance(1_000);
    await simulation.close();
    return heard;
  }

  const all = Array.from({ length: 30 }, (_, number) => number);

  it("SIM-7 tell the other tabs of the browser everything in order, unless asked to fail", async () => {
    expect(await hear({})).toEqual(all);
  });

  it("SIM-7 duplicate, reorder and drop as asked", async () => {
    expect((await hear({ duplicate: 0.3 })).length).toBeGreaterThan(30);
    const reordered = await hear({ reorder: true });
    expect(reordered).not.toEqual(all);
    expect([...reordered].sort((a, b) => Number(a) - Number(b))).toEqual(all);
    expect((await hear({ drop: 0.3 })).length).toBeLessThan(30);
  });
});

describe("the simulated relay", () => {
  it("SIM-8 keeps its storage over a crash, its sockets over a sleep, and nothing over a reset", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab");
    const room = await open(simulation, tab);
    await simulation.until(room.state.log.push(1).settled("relayed"));
    const strangers = async (name: string) => {
      const stranger = await open(simulation, simulation.replica(name));
      await simulation.advance(2_000);
      return stranger.state.log.get();
    };

    simulation.relay.sleep();
    expect(room.status.get().network).toBe("online");
    await simulation.until(room.state.log.push(2).settled("relayed"));

    tab.crash();
    simulation.relay.crash();
    expect(simulation.relay.up).toBe(false);
    simulation.relay.start();
    expect(await strangers("after a crash")).toEqual([1, 2]);
  });

  it("SIM-8 forgets everything at a reset", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab");
    const room = await open(simulation, tab);
    await simulation.until(room.state.log.push(1).settled("relayed"));
    tab.crash();
    simulation.relay.reset();
    const stranger = await open(simulation, simulation.replica("stranger"));
    await simulation.advance(2_000);
    expect(stranger.state.log.get()).toEqual([]);
  });

  it("SIM-10 takes a socket for whom its token names; its alarm outlives sleep and crash", async () => {
    const simulation = simulate();
    const expiresAt = simulation.now() + 30_000;
    const token = sealGrant({ principal: "alice", scopes: ["read"], tokenId: "one", issuedAt: 0, expiresAt });
    const replica = simulation.replica("alice");
    const room = await simulation.until(replica.open("lab", { principal: "alice", token: () => token }));
    const problems: unknown[] = [];
    room.onProblem(({ code, details }) => problems.push([code, details["code"]]));
    await simulation.untilTrue(() => room.status.get().network === "online");
    simulation.relay.sleep();
    simulation.relay.crash();
    await simulation.advance(1_000);
    simulation.relay.start();
    await simulation.untilTrue(() => room.status.get().network === "online");
    await simulation.untilTrue(() => problems.length > 0);
    expect([simulation.now() - expiresAt < 1_000, problems]).toEqual([
      true,
      [["room/token-failed", "edge/token-expired"]],
    ]);
  });

  it("SIM-9 keeps references, checks their hash, and cannot be reached without a line", async () => {
    const simulation = simulate();
    const tab = simulation.replica("tab");
    const room = await open(simulation, tab);
    const reference = await simulation.until(room.refs.put(new Uint8Array([1, 2, 3])));
    await simulation.untilTrue(() => room.refs.state(reference.id)?.state === "remote");
    const reader = simulation.replica("reader");
    const other = await open(simulation, reader);
    reader.partition();
    await simulation.advance(1_000);
    const read = other.refs.get(reference);
    await expect(simulation.until(read)).rejects.toThrow("relay");
    reader.heal();
    await simulation.untilTrue(() => other.status.get().network === "online");
    expect(await simulation.until(other.refs.get(reference))).toEqual(new Uint8Array([1, 2, 3]));

    const { fetch } = tab.platform;
    const forged = fetch?.(`http://relay.test/v1/rooms/lab/refs/${"0".repeat(64)}`, {
      method: "PUT",
      body: new Uint8Array([9]),
    });
    expect((await simulation.until(forged ?? Promise.reject(new RangeError("no fetch")))).status).toBe(422);
  });
});
