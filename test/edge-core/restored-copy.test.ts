import { expect, test } from "vitest";
import { createInMemoryStorage, createRoomCore, type RoomStorage } from "../../src/edge/index.ts";
import type { FlockError } from "../../src/index.ts";
import { createSimulation, type SimulatedReplica, type Simulation } from "../../src/testing/index.ts";

/** Small pages, so that few messages fill a lane past its live window. */
const lanes = { pageEntries: 4, pageBytes: 64 * 1024, liveEntries: 8, liveBytes: 64 * 1024, livePages: 4 };
const count = 60;

interface World {
  simulation: Simulation;
  /** How many pages the relay was told to drop. */
  dropped(): number;
  /** Updates that the relay refused because their pages were dropped. */
  refusals(): number;
}

function createWorld(seed: number): World {
  let storage: RoomStorage | undefined;
  let refusals = 0;
  const simulation = createSimulation({
    seed,
    relay: {
      createStorage() {
        storage = createInMemoryStorage();
        return storage;
      },
      createCore: (ports: Parameters<typeof createRoomCore>[0]) =>
        createRoomCore({
          ...ports,
          observer: {
            count: (name, by = 1, label) => {
              if (name === "updates_refused" && label === "edge/dropped") refusals += by;
            },
            gauge: () => {},
            log: () => {},
          },
        }),
    },
  });
  return {
    simulation,
    dropped: () => storage?.droppedCount() ?? 0,
    refusals: () => refusals,
  };
}

async function open(replica: SimulatedReplica) {
  const problems: FlockError[] = [];
  const room = await replica.open("lab", { platform: { ...replica.platform, lanes } });
  room.onProblem((problem) => problems.push(problem));
  return { room, problems, agent: await room.agent("speaker") };
}

/** Copies a browser whose lane is unsealed; then the original seals it, and is gone for good. */
async function sealBehindCopy(simulation: Simulation, dropped: () => number): Promise<void> {
  const home = simulation.replica("home", { browser: "home" });
  const original = await simulation.until(open(home));
  home.partition();
  for (let number = 0; number < count; number++) {
    const sent = original.agent.send({ topic: "news", type: "STATUS", content: `${number}` });
    await simulation.until(sent.then((message) => message.settled("local")));
  }
  simulation.browser("home").clone("copy");
  home.heal();
  await simulation.untilTrue(() => dropped() > 5);
  home.crash();
}

test("DROP-17: a copy of a writer from before its pages were sealed sends them once, and reports nothing", async () => {
  const { simulation, dropped, refusals } = createWorld(1);
  try {
    await sealBehindCopy(simulation, dropped);
    const again = simulation.replica("copy", { browser: "copy" });
    const copy = await simulation.until(open(again));
    await simulation.untilTrue(() => copy.room.status.get().pending === 0);
    await simulation.advance(60_000);
    expect(refusals()).toBeGreaterThan(5);
    expect(copy.problems).toEqual([]);
    // Each page once: what was refused so counts as acknowledged, over the copy's next connections as well.
    const once = refusals();
    again.cut();
    await simulation.advance(60_000);
    expect([refusals(), copy.room.status.get().pending, copy.problems]).toEqual([once, 0, []]);
  } finally {
    await simulation.close();
  }
});

test("WRITER-8: a copy that knows nothing of the seals takes nobody's history away", async () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const { simulation, dropped } = createWorld(seed);
    try {
      await sealBehindCopy(simulation, dropped);
      const copy = await simulation.until(open(simulation.replica("copy", { browser: "copy" })));
      await simulation.until(
        copy.agent
          .send({ topic: "news", type: "STATUS", content: "from the copy" })
          .then((sent) => sent.settled("relayed")),
      );
      await simulation.advance(60_000);
      const reader = await simulation.until(open(simulation.replica("reader", { browser: "reader" })));
      await simulation.advance(30_000);
      const said: unknown[] = [];
      const reading = (async () => {
        for await (const { message } of reader.room.history({ order: "oldest" })) said.push(message?.content);
      })();
      await simulation.until(reading);
      expect([seed, said]).toEqual([
        seed,
        [...Array.from({ length: count }, (_, number) => `${number}`), "from the copy"],
      ]);
      expect([seed, reader.problems]).toEqual([seed, []]);
    } finally {
      await simulation.close();
    }
  }
});
