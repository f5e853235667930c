import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import type { FlockError, HistoryCursor, HistoryOptions, HistoryRecord } from "../../src/index.ts";
import { readHistory } from "../../src/room/history.ts";
import { createSimulation } from "../../src/testing/index.ts";
import { writeLongLane } from "../messaging/sealed-world.ts";
import { createWorld } from "../messaging/world.ts";
import { relayCode } from "../properties/flock.ts";

const writers = ["ann.planner.AAAAAAAAAAA", "anon.critic.BBBBBBBBBBB", "anon.writer.CCCCCCCCCCC"] as const;
const [planner, critic, writer] = writers;

type World = ReturnType<typeof createWorld>;

async function read(world: World, options: HistoryOptions = {}): Promise<HistoryRecord[]> {
  const records: HistoryRecord[] = [];
  for await (const record of readHistory(world.documents, options)) records.push(record);
  return records;
}

const bodies = (records: readonly HistoryRecord[]): unknown[] =>
  records.map(({ message }) => message?.content);

/** Three lanes whose pages interleave in time, each sealed to another height. */
async function setUp({ pages = 12, perPage = 3 } = {}) {
  const world = createWorld();
  const said: { content: string; clock: number; writer: string }[] = [];
  const lanes = [];
  for (const [index, id] of writers.entries()) {
    const clockOf = (number: number): number => 10 * (number + 1) * (index + 1) + index;
    const contents = Array.from({ length: pages }, (_, page) =>
      Array.from({ length: perPage }, (_, at) => `${index} ${page}/${at}`),
    );
    for (const [page, each] of contents.entries())
      for (const content of each) said.push({ content, clock: clockOf(page), writer: id });
    const lane = await writeLongLane(world, id, contents, { clockOf });
    const low = pages - 2 - index;
    lane.arrive(low);
    lane.seal(low);
    lanes.push(lane);
  }
  // Stable, so that pages and indices stay in their order.
  said.sort((a, b) => a.clock - b.clock || (a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : 0));
  return { world, lanes, oldest: said.map(({ content }) => content) };
}

describe("the history of a room", () => {
  it("HIST-30: gives all that was said, sealed or live, in the room's order, either way", async () => {
    const { world, oldest } = await setUp();
    expect(bodies(await read(world, { order: "oldest" }))).toEqual(oldest);
    expect(bodies(await read(world))).toEqual(oldest.toReversed());
  });

  it("HIST-31: any cursor goes on exactly, either way, also where more is sealed meanwhile", async () => {
    const { world, lanes, oldest } = await setUp();
    const records = await read(world, { order: "oldest" });
    await fc.assert(
      fc.asyncProperty(fc.nat(records.length - 1), fc.boolean(), fc.nat(2), async (at, isOldest, lane) => {
        lanes[lane]?.seal(11);
        const cursor = JSON.parse(JSON.stringify((records[at] as HistoryRecord).cursor)) as HistoryCursor;
        const rest = isOldest ? oldest.slice(at + 1) : oldest.slice(0, at).reverse();
        const order = isOldest ? "oldest" : "newest";
        expect(bodies(await read(world, { order, cursor }))).toEqual(rest);
        expect(bodies(await read(world, { order, cursor, limit: 4 }))).toEqual(rest.slice(0, 4));
        expect(JSON.stringify(cursor).length).toBeLessThan(120);
      }),
      { numRuns: 60 },
    );
  });

  it("HIST-31: what is no cursor is refused with a code", async () => {
    const { world } = await setUp({ pages: 6 });
    for (const cursor of [{ clock: 1, id: "x" }, { clock: -1, id: `${planner}/0-1/0` }, {}]) {
      await expect(read(world, { cursor: cursor as HistoryCursor })).rejects.toMatchObject({
        code: "room/invalid-options",
      });
    }
  });

  it("HIST-32: reads a page of a lane only once its turn has come", async () => {
    const { world } = await setUp({ pages: 40 });
    expect(await read(world, { limit: 3 })).toHaveLength(3);
    expect(world.pages.gets).toEqual([]);
    const some: unknown[] = [];
    for await (const { message } of readHistory(world.documents, {})) {
      some.push(message?.content);
      if (some.length === 60) break;
    }
    expect(world.pages.gets.length).toBeLessThan(25);
  });

  it("HIST-32: finds a time or a cursor by halves", async () => {
    const { world } = await setUp({ pages: 400, perPage: 1 });
    const records = await read(world, { order: "oldest", writer: planner });
    const { cursor } = records[50] as HistoryRecord;
    for (const order of ["oldest", "newest"] as const) {
      const asked = world.pages.gets.length;
      const [next] = await read(world, { order, cursor, writer: planner, limit: 1 });
      expect(next?.id).toBe(records[order === "oldest" ? 51 : 49]?.id);
      expect(world.pages.gets.length - asked).toBeLessThan(40);
    }
  });

  it("HIST-33: filters by who said it, to whom, what, and when", async () => {
    const world = createWorld();
    const clockOf = (number: number): number => 1_024 * 1_000 * (number + 1);
    const one = await writeLongLane(world, planner, [["a"], ["b"], ["c"]], { to: "anon.critic", clockOf });
    const other = await writeLongLane(world, critic, [["d"], ["e"]], { topic: "news", clockOf });
    one.arrive(2);
    one.seal(2);
    other.arrive();
    world.arrive(writer, { note: 1 }, { kind: "note" });
    const of = async (options: HistoryOptions): Promise<unknown[]> =>
      bodies(await read(world, { order: "oldest", ...options }));
    expect(await of({ from: "planner" })).toEqual(["a", "b", "c"]);
    expect(await of({ from: "anon.planner" })).toEqual([]);
    expect(await of({ from: "ann.planner", limit: 2 })).toEqual(["a", "b"]);
    expect(await of({ writer: critic })).toEqual(["d", "e"]);
    expect(await of({ to: "critic" })).toEqual(["a", "b", "c"]);
    expect(await of({ to: "ann.critic" })).toEqual([]);
    expect(await of({ topic: "news" })).toEqual(["d", "e"]);
    expect(await of({ type: "STATUS" })).toEqual([]);
    expect(await of({ type: "QUERY", after: 1_000, before: 3_000 })).toEqual(["b", "e"]);
    expect(await of({ conversation: "c" })).toEqual([]);
    expect(await of({ kind: "note" })).toEqual([undefined]);
    expect((await read(world, { kind: "note" }))[0]).toMatchObject({ kind: "note", writer, at: 0 });
    expect(await of({ limit: 0 })).toEqual([]);
  });

  it("HIST-34: a lane begins with what retention has kept, and nobody is told", async () => {
    const { world, lanes, oldest } = await setUp();
    lanes[0]?.expire(5);
    const kept = oldest.filter((content) => !/^0 [0-4]\//.test(content));
    expect(bodies(await read(world, { order: "oldest" }))).toEqual(kept);
    expect(bodies(await read(world))).toEqual(kept.toReversed());
  });

  it("HIST-34: retention that comes while a lane is read ends it, or goes on with what is kept", async () => {
    const { world, lanes, oldest } = await setUp({ pages: 40 });
    for (const order of ["newest", "oldest"] as const) {
      const seen: unknown[] = [];
      for await (const { message } of readHistory(world.documents, { order, writer: planner })) {
        if (seen.push(message?.content) === 3) lanes[0]?.expire(order === "newest" ? 20 : 34);
      }
      const said = oldest.filter((content) => content.startsWith("0 "));
      const kept = order === "newest" ? said.toReversed() : said.slice(60);
      expect(seen).toEqual(kept.filter((content) => seen.includes(content)));
      expect(seen).toEqual(expect.arrayContaining(said.slice(-9)));
    }
  });

  it("HIST-35: what is out of reach is thrown, or told and left out", async () => {
    const { world, oldest } = await setUp();
    world.pages.isOffline = true;
    await expect(read(world)).rejects.toMatchObject({ code: "refstore/unavailable" });
    const missing: FlockError[] = [];
    const records = await read(world, { order: "oldest", onMissing: (failure) => missing.push(failure) });
    expect(missing.map(({ code }) => code)).toEqual(Array(3).fill("refstore/unavailable"));
    const live = oldest.filter((content) => {
      const [lane = 0, page = 0] = content.split(/[ /]/).map(Number);
      return page >= 10 - lane;
    });
    expect(bodies(records)).toEqual(live);
  });

  it("HIST-35: a page that is not what its lane says is thrown, with its lane", async () => {
    const { world, lanes } = await setUp();
    world.pages.isBlind = true;
    world.pages.seals.get(lanes[1]?.written[4]?.hash as string)?.set([255], 3);
    await expect(read(world)).rejects.toMatchObject({
      code: "crdt/history-corrupt",
      details: { writer: critic },
    });
  });

  it("HIST-36: an aborted reading ends with the signal's reason, also while it waits for a page", async () => {
    const { world } = await setUp();
    const { get } = world.pages;
    const controller = new AbortController();
    world.pages.get = async (hash) => {
      controller.abort(new Error("enough"));
      await new Promise(() => undefined);
      return get(hash);
    };
    await expect(read(world, { signal: controller.signal })).rejects.toThrow("enough");
    await expect(read(world, { signal: controller.signal })).rejects.toThrow("enough");
  });
});

describe("rooms", () => {
  const lanes = { pageEntries: 8, liveEntries: 16 };

  async function simulate() {
    const simulation = createSimulation({ seed: 5, relay: relayCode });
    onTestFinished(() => simulation.close());
    const open = (name: string) => {
      const replica = simulation.replica(name);
      return simulation.until(replica.open("lab", { platform: { ...replica.platform, lanes } }));
    };
    const home = await open("home");
    const ann = await simulation.until(home.agent("planner"));
    const worker = await simulation.until(home.agent("worker"));
    for (let number = 0; number < 100; number++) {
      await simulation.until(ann.send({ to: "worker", type: "QUERY", content: number }));
      if (number % 5 === 0)
        await simulation.until(worker.send({ topic: "news", type: "STATUS", content: -number }));
      await simulation.advance(20);
    }
    await simulation.advance(300_000);
    const collect = async <T>(source: AsyncIterable<T>): Promise<T[]> => {
      const all: T[] = [];
      await simulation.until(
        (async () => {
          for await (const each of source) all.push(each);
        })(),
      );
      return all;
    };
    return { simulation, open, home, ann, worker, collect };
  }

  it("HIST-37: a replica that comes late reads back all that was said, and goes on from another's cursor", async () => {
    const { simulation, open, home, collect } = await simulate();
    const away = await open("away");
    await simulation.advance(2_000);
    const there = await collect(away.history({ order: "oldest" }));
    expect(there).toHaveLength(120);
    expect(away.messages.get().length).toBeLessThan(60);
    const here = await collect(home.history({ order: "oldest" }));
    expect(there).toEqual(here);
    const { cursor } = here[37] as HistoryRecord;
    expect(await collect(away.history({ order: "oldest", cursor }))).toEqual(here.slice(38));
    expect(await collect(away.history({ cursor, limit: 10 }))).toEqual(here.slice(27, 37).reverse());
  });

  it("HIST-38: a replay gives what an agent said and was told, and what of that it had not acknowledged", async () => {
    const { simulation, home, worker, collect, open } = await simulate();
    let handled = 0;
    worker.onMessage({}, () => {
      if (++handled > 40) throw new Error("it fails from here on");
    });
    await simulation.untilTrue(() => handled > 40);
    await simulation.until(worker.leave());
    const away = await open("away");
    await simulation.advance(2_000);
    for (const room of [home, away]) {
      const replayed = await collect(room.replay({ agent: "worker" }));
      expect(replayed).toHaveLength(120);
      const open = replayed.filter(({ isAcknowledged }) => isAcknowledged === false);
      expect(open.map(({ message }) => message?.content)).toEqual(
        Array.from({ length: 60 }, (_, index) => 40 + index),
      );
      expect(replayed.filter(({ isSaid }) => isSaid)).toHaveLength(20);
      expect(await collect(room.replay({ writer: worker.writer }))).toEqual(replayed);
      const after = replayed[99]?.at as number;
      expect((await collect(room.replay({ agent: "anon.worker", after }))).length).toBeLessThan(21);
    }
    expect(() => home.replay({})).toThrow(expect.objectContaining({ code: "room/invalid-options" }));
  });

  it("WRITER-20: an agent that leaves is listed no more, until it is opened here again as the same writer", async () => {
    const { simulation, home, worker, open } = await simulate();
    const away = await open("away");
    const listed = () => away.agents.get().map(({ name }) => name);
    await simulation.untilTrue(() => listed().length === 2);
    await simulation.until(worker.leave());
    await simulation.until(worker.leave());
    await expect(worker.send({ to: "planner", type: "QUERY", content: 1 })).rejects.toMatchObject({
      code: "room/closed",
    });
    await simulation.untilTrue(() => listed().length === 1);
    const again = await simulation.until(home.agent("worker"));
    expect(again.writer).toBe(worker.writer);
    await simulation.untilTrue(() => listed().length === 2);
  });
});
