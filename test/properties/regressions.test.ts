import { describe, expect, it, onTestFinished } from "vitest";
import { list, type Persistence, type Room } from "../../src/index.ts";
import {
  createSimulation,
  explore,
  type FaultMix,
  type FlockStep,
  type SimulatedReplica,
  type Simulation,
} from "../../src/testing/index.ts";
import { flockScenario, relayCode } from "./flock.ts";

const state = { kept: list<string>() };
type Lab = Room<typeof state>;

function simulate(seed = 1): Simulation {
  const simulation = createSimulation({ seed, relay: relayCode });
  onTestFinished(() => simulation.close());
  return simulation;
}

function open(
  simulation: Simulation,
  replica: SimulatedReplica,
  platform: Partial<SimulatedReplica["platform"]> = {},
): Promise<Lab> {
  return simulation.until(replica.open("lab", { state, platform: { ...replica.platform, ...platform } }));
}

/** The contents of the messages that a room shows. */
function said(room: Lab): unknown[] {
  return room.messages.get().map(({ content }) => content);
}

async function say(simulation: Simulation, room: Lab, content: string): Promise<void> {
  const agent = await simulation.until(room.agent("speaker"));
  const sent = await simulation.until(agent.send({ topic: "news", type: "STATUS", content }));
  await simulation.until(sent.settled("local"));
}

/** A persistence whose databases of some names do as `alter` says. */
function altered(
  persistence: Persistence | undefined,
  alter: (name: string, store: Awaited<ReturnType<Persistence["open"]>>) => Partial<typeof store>,
): Persistence {
  if (!persistence) throw new RangeError("The replica has no persistence.");
  return {
    ...persistence,
    async open(name) {
      const store = await persistence.open(name);
      return { ...store, ...alter(name, store) };
    },
  };
}

describe("what simulated runs brought to light stays mended", () => {
  it("PROP-1 a reset relay gets again what it had, though the replica crashed before all was sent", async () => {
    for (let seed = 0; seed < 10; seed++) {
      const simulation = createSimulation({ seed, relay: relayCode });
      try {
        const writer = simulation.replica("writer");
        const room = await open(simulation, writer);
        room.state.kept.push("a shared word");
        await say(simulation, room, "a message");
        // Long enough for the replica to note that the relay has both.
        await simulation.advance(5_000);
        simulation.relay.reset();
        await simulation.advance(100 * seed);
        writer.crash();
        const again = await open(simulation, simulation.replica("writer"));
        await simulation.until(again.agent("speaker"));
        const other = await open(simulation, simulation.replica("other"));
        await simulation.advance(30_000);
        expect([seed, said(other), other.state.kept.get()]).toEqual([seed, ["a message"], ["a shared word"]]);
      } finally {
        await simulation.close();
      }
    }
  });

  it("PROP-5 a handle that was taken within a transaction waits for it", async () => {
    const simulation = simulate();
    const replica = simulation.replica("writer");
    replica.partition();
    const room = await open(simulation, replica);
    let isRelayed = false;
    room.transact(() => {
      const write = room.state.kept.push("not sent yet");
      void write.settled("relayed").then(() => {
        isRelayed = true;
      });
    });
    await simulation.advance(5_000);
    expect(isRelayed).toBe(false);
    replica.heal();
    await simulation.untilTrue(() => isRelayed);
  });

  it("PROP-2 a tab is told nothing that its neighbour has not stored", async () => {
    const simulation = simulate();
    const writer = simulation.replica("writer", { browser: "laptop" });
    let isStalled = false;
    const persistence = altered(writer.platform.persistence, (name, store) => ({
      write: (change) =>
        isStalled && name.includes("/writer/") ? new Promise(() => {}) : store.write(change),
    }));
    const room = await open(simulation, writer, { persistence });
    await say(simulation, room, "stored");
    const agent = await simulation.until(room.agent("second"));
    isStalled = true;
    await simulation.until(agent.send({ topic: "news", type: "STATUS", content: "never stored" }));
    const neighbour = await open(simulation, simulation.replica("neighbour", { browser: "laptop" }));
    await simulation.advance(5_000);
    expect(said(room)).toEqual(["stored", "never stored"]);
    expect(said(neighbour)).toEqual(["stored"]);
  });

  it("PROP-1 a tab that opens while another stores has every row that its cursor covers", async () => {
    const simulation = simulate();
    const far = await open(simulation, simulation.replica("far"));
    const first = simulation.replica("first", { browser: "laptop" });
    await open(simulation, first);
    const second = simulation.replica("second", { browser: "laptop" });
    let resume: () => void = () => {};
    const paused = new Promise<void>((resolve) => {
      resume = resolve;
    });
    const persistence = altered(second.platform.persistence, (name, store) => ({
      async entries(prefix) {
        const read = await store.entries(prefix);
        // Between its reads the first tab stores a row and the cursor past it, and is gone.
        if (name.endsWith("/records") && prefix.startsWith("update")) await paused;
        return read;
      },
    }));
    const opening = second.open("lab", { state, platform: { ...second.platform, persistence } });
    await simulation.advance(2_000);
    await say(simulation, far, "in between");
    await simulation.advance(5_000);
    first.crash();
    resume();
    const room = await simulation.until(opening);
    await simulation.advance(10_000);
    expect(said(room)).toEqual(["in between"]);
  });

  it("PROP-2 a tab that missed a message asks for it once it meets the gap", async () => {
    const simulation = simulate();
    const writer = simulation.replica("writer", { browser: "laptop" });
    const reader = simulation.replica("reader", { browser: "laptop" });
    for (const replica of [writer, reader]) replica.partition();
    const room = await open(simulation, writer);
    let isAsleep = false;
    const { openTabChannel } = reader.platform;
    const sleepy = await open(simulation, reader, {
      openTabChannel: (name, hear) => {
        if (!openTabChannel) throw new RangeError("The replica has no tab channel.");
        return openTabChannel(name, (message) => {
          if (!isAsleep) hear(message);
        });
      },
    });
    await say(simulation, room, "first");
    await simulation.advance(1_000);
    isAsleep = true;
    const agent = await simulation.until(room.agent("second"));
    await simulation.until(agent.send({ topic: "news", type: "STATUS", content: "missed" }));
    await simulation.advance(1_000);
    isAsleep = false;
    await simulation.until(agent.send({ topic: "news", type: "STATUS", content: "third" }));
    await simulation.advance(1_000);
    expect(said(sleepy)).toEqual(["first", "missed", "third"]);
  });
});

const storageFails = /^(crdt\/storage|refstore\/)/;

/** Steps that a failure was shrunk to, with the seed of their world. */
const shrunk: readonly { title: string; seed: number; faults: FaultMix; steps: readonly FlockStep[] }[] = [
  {
    title: "what the disk refused comes back from the relay after a crash",
    seed: 11,
    faults: { fullDisk: 8, crash: 5 },
    steps: [
      { afterMs: 200, does: "fullDisk", on: "replica-1", forMs: 20000 },
      { afterMs: 7614, does: "edit", on: "replica-2", draw: 168 },
      { afterMs: 92, does: "edit", on: "replica-2", draw: 286 },
      { afterMs: 343, does: "fullDisk", on: "replica-1", forMs: 20000 },
      { afterMs: 196, does: "edit", on: "replica-1", draw: 6911 },
      { afterMs: 10405, does: "send", on: "replica-1", draw: 0 },
      { afterMs: 314, does: "edit", on: "replica-1", draw: 0 },
      { afterMs: 258, does: "edit", on: "replica-0", draw: 9673 },
      { afterMs: 239, does: "edit", on: "replica-2", draw: 0 },
      { afterMs: 291, does: "edit", on: "replica-1", draw: 5949 },
      { afterMs: 241, does: "edit", on: "replica-0", draw: 0 },
      { afterMs: 69, does: "crash", on: "replica-1", forMs: 300 },
    ],
  },
  {
    title: "a writer of which the relay has more than its database leaves nothing pending",
    seed: 165,
    faults: { abortedWrites: 8, crash: 5, relayReset: 0 },
    steps: [
      { afterMs: 40, does: "send", on: "replica-0", draw: 4088 },
      { afterMs: 15, does: "abortedWrites", on: "replica-1", forMs: 100, value: 0.5 },
      { afterMs: 32, does: "send", on: "replica-0", draw: 7926 },
      { afterMs: 10, does: "send", on: "replica-1", draw: 0 },
      { afterMs: 0, does: "send", on: "replica-1", draw: 7691 },
      { afterMs: 11, does: "crash", on: "replica-0", forMs: 50 },
      { afterMs: 0, does: "send", on: "replica-1", draw: 0 },
      { afterMs: 24, does: "abortedWrites", on: "replica-1", forMs: 100, value: 0.1 },
      { afterMs: 0, does: "send", on: "replica-1", draw: 0 },
      { afterMs: 0, does: "send", on: "replica-1", draw: 3669 },
      { afterMs: 20, does: "close", on: "replica-1", forMs: 5000 },
      { afterMs: 1316, does: "send", on: "replica-0", draw: 0 },
      { afterMs: 0, does: "abortedWrites", on: "replica-0", forMs: 200, value: 0.5 },
      { afterMs: 13, does: "send", on: "replica-0", draw: 0 },
      { afterMs: 2, does: "send", on: "replica-0", draw: 0 },
      { afterMs: 7, does: "relaySleep" },
      { afterMs: 4, does: "close", on: "replica-0", forMs: 2000 },
      { afterMs: 2, does: "crash", on: "replica-0", forMs: 1000 },
    ],
  },
  {
    title: "a writer that a copied profile writes on is read as everybody else reads it",
    seed: 8,
    faults: { clone: 3, relayReset: 0 },
    steps: [
      { afterMs: 100, does: "clone", on: "replica-0" },
      { afterMs: 182, does: "send", on: "replica-1", draw: 0 },
    ],
  },
];

describe("what shrunk runs brought to light stays mended", () => {
  it.each(shrunk)("PROP-14 $title", async ({ seed, faults, steps }) => {
    const scenario = flockScenario({ expected: storageFails, faults });
    await explore(scenario, { relay: relayCode, seeds: [seed], steps, shrinkRuns: 0 });
  });
});
