import { afterAll, beforeAll, describe, vi } from "vitest";
import type * as Y from "yjs";
import { list, map, type Room, text } from "../../src/index.ts";
import { createSimulation } from "../../src/testing/index.ts";
import { createRandom } from "../protocol/gate/random.ts";
import { forSeeds, seedsFor } from "./seeds.ts";
import { createStockClient } from "./stock-clients.ts";
import { differencesOf } from "./stock-flock.ts";
import { createStockRelay } from "./stock-relay.ts";

/** Named as the editors of stock clients name theirs. */
const state = { t: text(), a: list(), m: map() };
type ListedRoom = Room<typeof state>;

beforeAll(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
});

afterAll(() => {
  vi.useRealTimers();
});

/** Whole rooms of ours and y-websocket's own providers, through one relay that sleeps and crashes. */
async function playMixedRoom(seed: number): Promise<void> {
  const random = createRandom(seed);
  const relay = createStockRelay();
  const simulation = createSimulation({ seed, relay: relay.code });
  const stock = [21, 22].map((client) => createStockClient(relay, { principal: `stock-${client}`, client }));
  const replicas = [simulation.replica("left"), simulation.replica("right")];

  async function pass(ms: number): Promise<void> {
    relay.pump();
    await simulation.advance(ms);
    relay.pump();
    vi.advanceTimersByTime(ms);
  }

  try {
    const rooms: ListedRoom[] = await simulation.until(
      Promise.all(replicas.map((replica) => replica.open("lab", { state }))),
    );
    await pass(1_000);
    for (const client of stock) client.connect();
    for (let step = 0; step < 60; step++) {
      const room = random.pick(rooms);
      const client = random.pick(stock);
      const what = random.below(20);
      if (what < 5) client.edit(random);
      else if (what < 8) room.state.t.insert(random.below(room.state.t.y.length + 1), `r${step} `);
      else if (what < 10) room.state.m.set(`k${random.below(4)}`, step);
      else if (what < 12) room.state.a.push({ step });
      else if (what === 12) room.state.m.delete(`k${random.below(4)}`);
      else if (what === 13 && room.state.t.y.length > 0)
        room.state.t.delete(random.below(room.state.t.y.length), 1);
      else if (what === 14) client.cut();
      else if (what === 15) random.pick(replicas).cut();
      else if (what === 16) simulation.relay.sleep();
      else if (what === 17 && random.chance(0.3)) {
        relay.breakAll();
        simulation.relay.crash();
        simulation.relay.start();
      } else await pass(random.below(400));
    }
    for (let round = 0; round < 12; round++) {
      for (const client of stock) client.connect();
      await pass(10_000);
    }
    const first = (rooms[0] as ListedRoom).state.t.y.doc as Y.Doc;
    const others: [name: string, doc: Y.Doc][] = [
      ["the other room", (rooms[1] as ListedRoom).state.t.y.doc as Y.Doc],
      ...stock.map(({ name, doc }): [string, Y.Doc] => [name, doc]),
    ];
    const complaints = [
      ...relay.closes.map((close) => `the relay closed a stock client: ${close}`),
      ...stock.flatMap((client) => client.complaints),
      ...others.flatMap(([name, doc]) =>
        differencesOf(first, doc).map((difference) => `${name} beside the first room: ${difference}`),
      ),
    ];
    if (complaints.length > 0) throw new Error(complaints.join("\n"));
  } finally {
    for (const client of stock) client.close();
    await simulation.close();
  }
}

describe("rooms of ours and stock clients", () => {
  forSeeds(
    "THREAT-4 converge in state and deletions after cuts, sleep and crashes",
    seedsFor(20),
    playMixedRoom,
  );
});
