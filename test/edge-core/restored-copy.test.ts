import { expect, test } from "vitest";
import { createInMemoryStorage, createRoomCore, type RoomStorage } from "../../src/edge/index.ts";
import type { FlockError, Room } from "../../src/index.ts";
import { createSimulation, type SimulatedReplica, type Simulation } from "../../src/testing/index.ts";

/** Small pages, so that few messages fill a lane past its live window. */
const lanes = { pageEntries: 4, pageBytes: 64 * 1024, liveEntries: 8, liveBytes: 64 * 1024, livePages: 4 };
const count = 60;

interface World {
  simulation: Simulation;
  storage(): RoomStorage;
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
    storage() {
      if (!storage) throw new Error("Nobody has come to the room yet.");
      return storage;
    },
    refusals: () => refusals,
  };
}

async function open(replica: SimulatedReplica) {
  const problems: FlockError[] = [];
  const room = await replica.open("lab", { platform: { ...replica.platform, lanes } });
  room.onProblem((problem) => problems.push(problem));
  return { room, problems, agent: await room.agent("speaker") };
}

/** Everything that was ever said in a room, from its seals on. */
async function contentsOf(room: Room): Promise<string[]> {
  const contents: string[] = [];
  for await (const { message } of room.history({ topic: "news" })) contents.push(String(message?.content));
  return contents;
}

test("DROP-17: a copy of a writer from before its pages were sealed sends them once, reports nothing and is whole", async () => {
  const { simulation, storage, refusals } = createWorld(1);
  try {
    const home = simulation.replica("home", { browser: "home" });
    const original = await simulation.until(open(home));
    home.partition();
    for (let number = 0; number < count; number++) {
      const sent = original.agent.send({ topic: "news", type: "STATUS", content: `${number}` });
      await simulation.until(sent.then((message) => message.settled("local")));
    }
    simulation.browser("home").clone("copy");
    home.heal();
    await simulation.untilTrue(() => storage().droppedCount() > 5);
    home.crash();
    const copy = await simulation.until(open(simulation.replica("copy", { browser: "copy" })));
    await simulation.untilTrue(() => copy.room.status.get().pending === 0);
    await simulation.advance(60_000);
    expect(refusals()).toBeGreaterThan(5);
    expect(copy.problems).toEqual([]);
    const reader = await simulation.until(open(simulation.replica("reader", { browser: "reader" })));
    await simulation.advance(60_000);
    const contents = await simulation.until(contentsOf(reader.room));
    const wanted = Array.from({ length: count }, (_, number) => `${number}`);
    expect(contents.sort()).toEqual(wanted.sort());
    expect(reader.problems).toEqual([]);
  } finally {
    await simulation.close();
  }
});
