import { describe, expect, it } from "vitest";
import type { LaneGap } from "../../src/messaging/index.ts";
import { until } from "../refstore/manual-clock.ts";
import { type Contents, writeLongLane } from "./sealed-world.ts";
import { createWorld, settle } from "./world.ts";

const critic = "anon.critic.AAAAAAAAAAA";
const twin = "anon.critic.BBBBBBBBBBB";
const planner = "anon.planner.CCCCCCCCCCC";
const writer = "anon.writer.DDDDDDDDDDD";

const numbered = (count: number, perPage = 2): Contents[] =>
  Array.from({ length: count }, (_, page) =>
    Array.from({ length: perPage }, (_, index) => `${page}/${index}`),
  );
const all = (pages: readonly Contents[]): string[] => pages.flat().map((content) => `"${content}" 1`);
const quiet = async (): Promise<void> => {
  for (let turns = 0; turns < 50; turns++) await settle();
};

describe("consumers of sealed lanes", () => {
  it("MSG-23: what is sealed is read in order from history, then what is live, each message once", async () => {
    const world = createWorld();
    const contents = numbered(40);
    const lane = await writeLongLane(world, planner, contents);
    lane.arrive(37);
    lane.seal(37);
    const consumer = world.consume(critic);
    await until(() => consumer.handled.length === 80);
    await quiet();
    expect(consumer.handled).toEqual(all(contents));
    expect(world.problems).toEqual([]);
    expect(consumer.position(planner)).toEqual({ below: 39, pages: { "39-139": 2 } });
    expect(world.pages.gets.length).toBeLessThan(45);
  });

  it("MSG-23: lanes that are sealed meanwhile, in the midst of a page too, go on from where they were", async () => {
    const world = createWorld();
    const contents = numbered(12);
    const lane = await writeLongLane(world, planner, contents);
    lane.arrive(0, 3);
    const consumer = world.consume(critic, { handle: () => settle() });
    await until(() => consumer.handled.length === 3);
    consumer.stop();
    await quiet();
    lane.arrive(10);
    lane.seal(10);
    const after = world.consume(critic, { handle: () => settle() });
    await until(() => after.handled.length === 22);
    lane.seal(11);
    await quiet();
    // The third was begun when the consumer stopped.
    expect(after.handled).toEqual(['"1/0" 2', ...all(contents).slice(3)]);
  });

  it("MSG-23: a position past the sealed part fetches nothing", async () => {
    const world = createWorld();
    const lane = await writeLongLane(world, planner, numbered(6));
    lane.arrive();
    const consumer = world.consume(critic);
    await until(() => consumer.handled.length === 12);
    for (const low of [2, 4, 5]) lane.seal(low);
    await quiet();
    consumer.stop();
    const again = world.consume(critic);
    await quiet();
    expect([again.handled, world.pages.gets]).toEqual([[], []]);
    expect(world.log.pages(planner)).toHaveLength(1);
  });

  it("MSG-23: what a consumer is about to read is held here, so that nothing is fetched", async () => {
    const world = createWorld();
    const lane = await writeLongLane(world, planner, numbered(12, 1));
    lane.arrive();
    let open = (): void => undefined;
    const blocked = new Promise<void>((resolve) => {
      open = resolve;
    });
    const consumer = world.consume(critic, {
      handle: ({ content }) => (content === "1/0" ? blocked : undefined),
    });
    await until(() => consumer.handled.length === 2);
    lane.seal(11);
    expect(world.log.pages(planner).map(({ name }) => name.number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 11]);
    open();
    await until(() => consumer.handled.length === 12);
    expect(consumer.handled).toEqual(all(numbered(12, 1)));
    expect(world.pages.gets.length).toBeLessThanOrEqual(3);
  });

  it("MSG-24: a lane out of reach waits without a word, holds up no other, and goes on once online", async () => {
    const world = createWorld();
    const lane = await writeLongLane(world, planner, numbered(5));
    lane.seal(5);
    world.pages.isOffline = true;
    const consumer = world.consume(critic);
    await quiet();
    world.arrive(writer, { to: "critic", content: "live" });
    await quiet();
    expect(consumer.handled).toEqual(['"live" 1']);
    const asked = world.pages.gets.length;
    world.clock.advance(1_000);
    await quiet();
    expect(world.pages.gets.length).toBeGreaterThan(asked);
    world.pages.isOffline = false;
    world.online.set(true);
    await until(() => consumer.handled.length === 11);
    expect(world.problems).toEqual([]);
    consumer.stop();
    expect(world.clock.delays()).toEqual([]);
  });

  it("MSG-24: it asks later and later, and a minute is the longest", async () => {
    const world = createWorld();
    const lane = await writeLongLane(world, planner, numbered(2));
    lane.seal(2);
    world.pages.isOffline = true;
    world.consume(critic);
    const waits: number[] = [];
    for (let times = 0; times < 8; times++) {
      await until(() => world.clock.delays().length > 0);
      waits.push(...world.clock.delays());
      world.clock.runNext();
      await quiet();
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  it.each<[string, (seal: Uint8Array) => void]>([["crdt/history-corrupt", (seal) => seal.set([255], 3)]])(
    "MSG-24: %s is told once, and the lane waits: nothing is skipped",
    async (code, bend) => {
      const world = createWorld();
      const lane = await writeLongLane(world, planner, numbered(6));
      lane.arrive(4);
      lane.seal(4);
      world.pages.isBlind = true;
      bend(world.pages.seals.get(lane.written[2]?.hash as string) as Uint8Array);
      const consumer = world.consume(critic);
      await until(() => world.problems.length > 0);
      for (let times = 0; times < 3; times++) {
        world.clock.runNext();
        await quiet();
      }
      expect(consumer.handled.length).toBeLessThanOrEqual(4);
      expect(consumer.handled).toEqual(all(numbered(2)).slice(0, consumer.handled.length));
      expect(world.problems.map((problem) => [problem.code, problem.details["writer"]])).toEqual([
        [code, planner],
      ]);
    },
  );
});

describe("gaps", () => {
  async function setUp() {
    const world = createWorld();
    const lane = await writeLongLane(world, planner, numbered(20));
    lane.arrive(0, 3);
    const before = world.consume(critic);
    await until(() => before.handled.length === 6);
    before.stop();
    lane.seal(18, { first: 12 });
    lane.expire(12);
    return { world, lane };
  }

  it("MSG-25: what retention took before it was read is one gap, told to the consumer and the room, and then it goes on", async () => {
    const { world, lane } = await setUp();
    lane.arrive(18);
    const gaps: LaneGap[] = [];
    const consumer = world.consume(critic, { onGap: (gap) => gaps.push(gap) });
    await until(() => consumer.handled.length === 16);
    await quiet();
    const gap = { lane: planner, from: 2, to: 11, pages: 10 };
    expect(gaps).toEqual([gap]);
    expect(world.problems.map(({ code, details }) => [code, details])).toEqual([
      ["messaging/gap", { ...gap, consumer: "direct/*" }],
    ]);
    expect(consumer.handled).toEqual(all(numbered(20)).slice(24));
  });

  it("MSG-25: neither a reload nor another writer of the agent tells it again", async () => {
    const { world } = await setUp();
    const gaps: LaneGap[] = [];
    const onGap = (gap: LaneGap): unknown => gaps.push(gap);
    const first = world.consume(critic, { onGap });
    await until(() => first.handled.length === 12);
    first.stop();
    const again = world.consume(critic, { onGap });
    const other = world.consume(twin, { onGap });
    await quiet();
    expect([gaps.length, again.handled, other.handled]).toEqual([1, [], []]);
  });

  it("MSG-25: a gap that its handler refuses is told again, and nothing behind it comes first", async () => {
    const { world } = await setUp();
    let failures = 2;
    const told: LaneGap[] = [];
    const consumer = world.consume(critic, {
      onGap(gap) {
        told.push(gap);
        if (failures-- > 0) throw new Error("not yet");
      },
    });
    await until(() => told.length === 1);
    await quiet();
    expect(consumer.handled).toEqual([]);
    while (world.clock.runNext()) await quiet();
    await until(() => consumer.handled.length === 12);
    expect(told).toEqual([told[0], told[0], told[0]]);
    expect(world.problems.map(({ code }) => code)).toEqual([
      "messaging/handler-failed",
      "messaging/handler-failed",
      "messaging/gap",
    ]);
  });

  it("MSG-25: where the last page before what is kept was read whole, nothing is missing and nothing is told", async () => {
    for (const [low, first] of [
      [18, 3],
      [3, 3],
    ] as const) {
      const world = createWorld();
      const lane = await writeLongLane(world, planner, numbered(20));
      lane.arrive(0, 3);
      const before = world.consume(critic);
      await until(() => before.handled.length === 6);
      before.stop();
      lane.seal(low, { first });
      lane.expire(first);
      lane.arrive(low);
      const consumer = world.consume(critic);
      await until(() => consumer.handled.length === 34);
      expect(world.problems).toEqual([]);
    }
  });

  it("MSG-25: a consumer that nobody opened before begins with what is kept, and misses nothing", async () => {
    const world = createWorld();
    const lane = await writeLongLane(world, planner, numbered(20));
    lane.seal(20, { first: 12 });
    lane.expire(12);
    const consumer = world.consume(critic);
    await until(() => consumer.handled.length === 16);
    expect([world.problems, consumer.handled]).toEqual([[], all(numbered(20)).slice(24)]);
  });
});

describe("where a consumer begins", () => {
  it.each([
    ["start", 40],
    ["live", 6],
    ["now", 0],
  ] as const)("MSG-26: from %s", async (start, count) => {
    const world = createWorld();
    const lane = await writeLongLane(world, planner, numbered(20));
    lane.arrive(17);
    lane.seal(17);
    const consumer = world.consume(critic, { start });
    await until(() => consumer.handled.length === count);
    world.online.set(true);
    world.arrive(writer, { to: "critic", content: "a new lane" });
    await until(() => consumer.handled.length === count + 1);
    await quiet();
    expect(consumer.handled).toEqual([...all(numbered(20)).slice(40 - count), '"a new lane" 1']);
    consumer.stop();
    const again = world.consume(critic, { start: "start" });
    await quiet();
    expect(again.handled).toEqual([]);
  });

  it("MSG-26: a fresh writer waits until it can tell whether the consumer is new", async () => {
    const world = createWorld();
    const lane = await writeLongLane(world, planner, numbered(20));
    lane.arrive(17);
    lane.seal(17);
    const consumer = world.consume(critic, { start: "live", resumed: false });
    await quiet();
    expect(consumer.handled).toEqual([]);
    const lanes = { [planner]: { below: 10, pages: {} } };
    const record = { version: 1 as const, since: 1, capabilities: [] };
    world.publish(twin, { ...record, consumers: { [consumer.key]: { filter: {}, lanes } } });
    world.catchUp();
    await until(() => consumer.handled.length === 20);
    expect(consumer.handled).toEqual(all(numbered(20)).slice(20));
  });
});

describe("positions of lanes that depart", () => {
  it("MSG-27: are forgotten, also where an older register of another writer still has them", async () => {
    const world = createWorld();
    const lane = await writeLongLane(world, planner, numbered(4));
    lane.arrive();
    lane.seal(3);
    const consumer = world.consume(critic);
    await until(() => consumer.handled.length === 8);
    const record = { version: 1 as const, since: 1, capabilities: [] };
    const lanes = { [planner]: { below: 3, pages: { "3-103": 2 } } };
    const remember = () =>
      world.publish(twin, { ...record, consumers: { [consumer.key]: { filter: {}, lanes } } });
    remember();
    for (const { name } of lane.written) world.log.release(planner, name);
    world.records.delete(planner);
    world.depart(planner);
    remember();
    world.arrive(writer, { to: "critic", content: "next" });
    await until(() => consumer.handled.length === 9);
    expect([consumer.position(planner), consumer.position(writer)]).toEqual([
      undefined,
      { below: 0, pages: { "0-7": 1 } },
    ]);
  });
});

describe("clones", () => {
  it("MSG-28: a clone's page below the mark, which comes after the chain was passed, is handled once", async () => {
    const world = createWorld();
    const contents = numbered(8);
    const lane = await writeLongLane(world, planner, contents);
    lane.arrive();
    const consumer = world.consume(critic);
    await until(() => consumer.handled.length === 16);
    lane.seal(7);
    const clone = await writeLongLane(world, planner, [["clone 3"], ["clone 4"]], {
      from: { number: 3, client: 900, before: lane.written[2] },
    });
    clone.arrive();
    await until(() => consumer.handled.length === 18);
    await quiet();
    expect(consumer.handled).toEqual([...all(contents), '"clone 3" 1', '"clone 4" 1']);
    world.arrive(writer, { to: "critic", content: "next" });
    await until(() => consumer.handled.length === 19);
  });
});
