import { describe, expect, it } from "vitest";
import { timestampFromMs } from "../../src/base/index.ts";
import type { Pen } from "../../src/crdt/index.ts";
import {
  createConsumerPositions,
  isServed,
  withoutServed,
} from "../../src/messaging/consumer/consumer-positions.ts";
import type { ConsumerStart } from "../../src/messaging/consumer/history-start.ts";
import type { LanePosition } from "../../src/protocol/index.ts";
import { writeLongLane } from "./sealed-world.ts";
import { createWorld, settle } from "./world.ts";

const critic = "anon.critic.AAAAAAAAAAA";
const twin = "anon.critic.BBBBBBBBBBB";
const planner = "anon.planner.CCCCCCCCCCC";
const mallory = "mallory.critic.DDDDDDDDDDD";
const name = "direct/*";
const everything: LanePosition = { below: 900, pages: {}, done: { "900-1": [2, 3] } };

type World = ReturnType<typeof createWorld>;

function open(
  world: World,
  { id = critic, group, start = "start" }: { id?: string; group?: string; start?: ConsumerStart } = {},
) {
  world.records.set(id, world.records.get(id) ?? { version: 1, since: 1, capabilities: [], consumers: {} });
  const writer = {
    id,
    register: () => world.records.get(id),
    setRegister: (record) => world.publish(id, record),
  } as Pick<Pen, "id" | "register" | "setRegister"> as Pen;
  const positions = createConsumerPositions({
    name,
    declared: {},
    group,
    start,
    since: 5_000,
    writer,
    documents: world.documents,
    onForgotten: () => undefined,
  });
  return { positions, record: () => world.records.get(id)?.consumers[name] };
}

/** A writer's register says that its consumer of the name has done everything in the planner's lane. */
function claim(world: World, id: string, over: object = {}): void {
  world.publish(id, {
    version: 1,
    since: 1,
    capabilities: [],
    consumers: { [name]: { filter: {}, lanes: { [planner]: everything }, ...over } },
  });
}

describe("whose registers move a consumer", () => {
  it.each<[string, string, object, string | undefined, boolean]>([
    ["another writer of its agent", twin, {}, undefined, true],
    ["another writer of its agent that has closed it", twin, { closed: true }, undefined, true],
    ["its agent's consumer in a group of the same name", twin, { group: "crew" }, undefined, false],
    ["another principal's agent of the same name", mallory, {}, undefined, false],
    ["another principal's, in a group", mallory, { group: "crew" }, undefined, false],
    ["another agent", planner, {}, undefined, false],
    ["no writer at all", "critic", {}, undefined, false],
    ["a member of its group, of another principal", mallory, { group: "crew" }, "crew", true],
    ["a member of another group", mallory, { group: "gang" }, "crew", false],
    ["another principal's of the same name without a group", mallory, {}, "crew", false],
    ["its own agent's of the same name without a group", twin, {}, "crew", false],
  ])("MSG-37: %s", (_, id, over, group, moves) => {
    const world = createWorld();
    world.arrive(planner, { to: "critic", content: 1 });
    const { positions, record } = open(world, group === undefined ? {} : { group });
    positions.caughtUp();
    claim(world, id, over);
    expect(positions.learn(id).length > 0).toBe(moves);
    expect(positions.learn(id)).toEqual([]);
    positions.publish();
    expect(positions.cursor(planner).record()).toEqual(moves ? everything : { below: 0, pages: {} });
    expect(record()?.lanes[planner]).toEqual(moves ? everything : undefined);
    // And no more so where it was there first.
    const later = open(world, { id: "anon.critic.EEEEEEEEEEE", ...(group !== undefined && { group }) });
    expect(later.positions.cursor(planner).record()).toEqual(moves ? everything : { below: 0, pages: {} });
  });
});

describe("consumers that no handler is open for", () => {
  it("MSG-36: a consumer is served from its opening to its close, and keeps where it is", () => {
    const world = createWorld();
    const [page] = [{ number: 0, client: 7 }];
    world.arrive(planner, { to: "critic", content: 1 });
    const { positions, record } = open(world);
    positions.caughtUp();
    expect(isServed(record())).toBe(true);
    positions.cursor(planner).pass(world.log.pages(planner), page as never, 0, 1);
    positions.close();
    expect(record()).toEqual({
      filter: {},
      closed: true,
      lanes: { [planner]: { below: 0, pages: { "0-7": 1 } } },
    });
    expect(isServed(record())).toBe(false);
    positions.publish();
    positions.close();
    expect(isServed(record())).toBe(false);
    const again = open(world);
    expect(isServed(again.record())).toBe(true);
    expect(again.positions.cursor(planner).record()).toEqual({ below: 0, pages: { "0-7": 1 } });
  });

  it("MSG-36: those of a time before are not served until they are opened", () => {
    const consumers = { [name]: { filter: {}, lanes: { [planner]: everything } } };
    const carried = withoutServed(consumers);
    expect(carried).toEqual({ [name]: { ...consumers[name], closed: true } });
    expect([isServed(carried[name]), isServed(consumers[name]), isServed(undefined)]).toEqual([
      false,
      true,
      false,
    ]);
  });

  it("MSG-36: who is in a group serves no consumer without one, nor one of another group", () => {
    const member = { filter: {}, group: "crew", lanes: {} };
    expect([isServed(member, "crew"), isServed(member), isServed(member, "gang")]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe("publishing", () => {
  it("MSG-35: what has not changed is not published again; a lane where nothing is done has no position", () => {
    const world = createWorld();
    world.arrive(planner, { to: "critic", content: 1 });
    const { positions, record } = open(world);
    positions.caughtUp();
    const before = record();
    positions.publish();
    expect(record()).toBe(before);
    expect(before?.lanes).toEqual({});
    const cursor = positions.cursor(planner);
    cursor.begin({ number: 0, client: 7 }, 0);
    positions.publish();
    expect(record()?.lanes).toEqual({ [planner]: { below: 0, pages: {}, tries: { "0-7/0": 1 } } });
    const after = record();
    positions.publish();
    expect(record()).toBe(after);
    cursor.pass(world.log.pages(planner), { number: 0, client: 7 }, 0, 1);
    positions.publish();
    expect(record()?.lanes).toEqual({ [planner]: { below: 0, pages: { "0-7": 1 } } });
  });
});

describe("a beginning in the sealed part of a lane", () => {
  const { signal } = new AbortController();

  async function setUp(start: ConsumerStart) {
    const world = createWorld();
    const contents = Array.from({ length: 10 }, (_, page) => [`${page}`]);
    const lane = await writeLongLane(world, planner, contents, {
      clockOf: (number) => timestampFromMs(1_000 * (number + 1)),
    });
    lane.arrive(8);
    lane.seal(8);
    return { world, ...open(world, { start }) };
  }

  it("MSG-40: the lane is not placed until it is found, and others are", async () => {
    const { world, positions, record } = await setUp({ time: 4_000 });
    expect(positions.isPlaced(planner)).toBe(false);
    expect(positions.place(planner, signal)).toBeUndefined();
    positions.caughtUp();
    world.arrive(twin, { to: "critic", content: 1 });
    expect([positions.isPlaced(planner), positions.isPlaced(twin)]).toEqual([false, true]);
    world.pages.isOffline = true;
    await expect(positions.place(planner, signal)).rejects.toMatchObject({ code: "refstore/unavailable" });
    expect(positions.isPlaced(planner)).toBe(false);
    world.pages.isOffline = false;
    await positions.place(planner, signal);
    expect(positions.isPlaced(planner)).toBe(true);
    expect(positions.cursor(planner).record()).toEqual({ below: 3, pages: { "3-103": 0 } });
    expect(record()?.lanes[planner]).toEqual({ below: 3, pages: { "3-103": 0 } });
    expect(positions.place(planner, signal)).toBeUndefined();
  });

  it("MSG-40: another writer that turns out to have begun says where", async () => {
    const { world, positions } = await setUp({ time: 4_000 });
    positions.caughtUp();
    const placing = positions.place(planner, signal);
    claim(world, twin, { lanes: { [planner]: { below: 2, pages: {} } } });
    positions.learn(twin);
    await placing;
    await settle();
    expect(positions.cursor(planner).record()).toEqual({ below: 2, pages: {} });
  });
});
