import { describe, expect, it } from "vitest";
import type { ConsumerOptions, ReceivedMessage } from "../../src/messaging/index.ts";
import { until } from "../refstore/manual-clock.ts";
import { writeLongLane } from "./sealed-world.ts";
import { createWorld, settle } from "./world.ts";

const critic = "anon.critic.AAAAAAAAAAA";
const planner = "anon.planner.CCCCCCCCCCC";
const writer = "anon.writer.DDDDDDDDDDD";

const said = (content: unknown, more: object = {}) => ({ to: "critic", content, ...more });
const numbers = (count: number) => Array.from({ length: count }, (_, content) => said(content));

/** A handler that holds everything until the test lets go of it. */
function holding() {
  const held = new Map<unknown, () => void>();
  return {
    held,
    handle: ({ content }: ReceivedMessage) =>
      new Promise<void>((resolve) => {
        held.set(content, resolve);
      }),
    async release(content: unknown) {
      held.get(content)?.();
      held.delete(content);
      await settle();
    },
  };
}

describe("priorities", () => {
  it("MSG-56: of what is due the most urgent is handled first, and each lane offers its first", async () => {
    const world = createWorld();
    const hands = holding();
    const consumer = world.consume(critic, { maxInFlight: 1, handle: hands.handle });
    world.arrive(planner, said("begin"));
    await settle();
    world.arrive(planner, said("low", { priority: 1 }));
    world.arrive(planner, said("behind", { priority: 9 }));
    world.arrive(writer, said("high", { priority: 8 }));
    for (const content of ["begin", "high", "low", "behind"]) {
      await settle();
      expect(consumer.handled.at(-1)).toBe(`"${content}" 1`);
      await hands.release(content);
    }
  });

  it("MSG-56: without an order the most urgent of a lane comes first; equals by their clocks", async () => {
    const world = createWorld();
    const hands = holding();
    const consumer = world.consume(critic, { order: "none", maxInFlight: 1, handle: hands.handle });
    world.arrive(planner, said("begin"));
    await settle();
    world.arrive(planner, said("second"), { clock: 20 });
    world.arrive(planner, said("urgent", { priority: 9 }), { clock: 30 });
    world.arrive(writer, said("first"), { clock: 10 });
    for (const content of ["begin", "urgent", "first", "second"]) {
      await settle();
      expect(consumer.handled.at(-1)).toBe(`"${content}" 1`);
      await hands.release(content);
    }
  });
});

describe("order none", () => {
  it("MSG-57: one that is delayed holds up nothing, and comes when it is due", async () => {
    const world = createWorld();
    world.arriveAll(planner, numbers(400));
    const consumer = world.consume(critic, {
      order: "none",
      handle: ({ content }, context) =>
        content === 3 && context.attempt === 1 && context.nak({ delayMs: 5_000 }),
    });
    await settle();
    // 255 after the one that waits: more would be past what a position may say.
    expect(consumer.handled).toHaveLength(3 + 256);
    expect(consumer.position(planner)).toMatchObject({ pages: { "0-7": 3 }, done: { "0-7": [4, 259] } });
    world.clock.advance(5_000);
    await settle();
    expect(consumer.handled).toHaveLength(401);
    expect(consumer.position(planner)).toEqual({ below: 0, pages: { "0-7": 400 } });
  });

  it("MSG-57: handlers that wait do so at once, and what is done meanwhile is kept", async () => {
    const world = createWorld();
    const hands = holding();
    world.arriveAll(planner, numbers(5));
    const consumer = world.consume(critic, { order: "none", handle: hands.handle });
    await settle();
    expect(hands.held.size).toBe(5);
    await hands.release(2);
    await hands.release(4);
    expect(consumer.position(planner)).toMatchObject({ pages: {}, done: { "0-7": [2, 3, 4, 5] } });
    consumer.stop();
    const after = world.consume(critic, { order: "none" });
    await settle();
    expect(after.handled).toEqual(["0 2", "1 2", "3 2"]);
  });

  it("MSG-57: a delayed one in the sealed part does not hold up the pages after it", async () => {
    const world = createWorld();
    const contents = Array.from({ length: 12 }, (_, page) => [`${page}/0`, `${page}/1`]);
    const lane = await writeLongLane(world, planner, contents);
    lane.arrive(10);
    lane.seal(10);
    const consumer = world.consume(critic, {
      order: "none",
      handle: ({ content }, context) =>
        content === "0/1" && context.attempt === 1 && context.nak({ delayMs: 9_000 }),
    });
    await until(() => consumer.handled.length === 16);
    world.clock.advance(9_000);
    await until(() => consumer.handled.length === 25);
    expect(new Set(consumer.handled).size).toBe(25);
    await settle();
    expect(consumer.position(planner)).toEqual({ below: 11, pages: { "11-111": 2 } });
  });
});

describe("back pressure", () => {
  it.each(["lane", "none"] as const)(
    "MSG-58: with the order %s no more content is fetched than handlers take at once",
    async (order) => {
      const world = createWorld();
      let open = 0;
      let most = 0;
      const hands = holding();
      const resolve: ConsumerOptions["resolve"] = async (message) => {
        most = Math.max(most, ++open);
        await settle();
        return message as ReceivedMessage;
      };
      const consumer = world.consume(critic, {
        order,
        maxInFlight: 3,
        resolve,
        handle: (message) => hands.handle(message).finally(() => open--),
      });
      for (let lane = 0; lane < 8; lane++) {
        world.arriveAll(`anon.a${lane}.EEEEEEEEEEE`, [said(`${lane}/0`), said(`${lane}/1`)]);
      }
      for (let handled = 0; handled < 16; handled++) {
        await until(() => hands.held.size > 0);
        await hands.release([...hands.held.keys()][0]);
      }
      expect([most, consumer.handled.length]).toEqual([3, 16]);
    },
  );

  it("MSG-58: 256 lanes are handled at once, and no more", async () => {
    const world = createWorld();
    const hands = holding();
    for (let lane = 0; lane < 300; lane++) world.arrive(`anon.a${lane}.EEEEEEEEEEE`, said(lane));
    world.consume(critic, { handle: hands.handle });
    await settle();
    expect(hands.held.size).toBe(256);
    await hands.release(0);
    expect(hands.held.size).toBe(256);
  });

  it("MSG-58: handlers that do not wait let others have a turn", async () => {
    const world = createWorld();
    world.arriveAll(planner, numbers(100));
    const consumer = world.consume(critic, { handle: () => world.clock.advance(1) });
    await settle();
    // The first is stored before, and each after it takes a millisecond of a turn of eight.
    expect(consumer.handled).toHaveLength(9);
    expect(world.clock.delays()).toEqual([0]);
    while (world.clock.runNext()) await settle();
    expect(consumer.handled).toHaveLength(100);
  });
});

describe("content that is out of reach", () => {
  /** One message by reference, whose content comes when the test says so, between two others. */
  async function setUp(options: object) {
    const world = createWorld();
    const asked: AbortSignal[] = [];
    const reference = { id: "a".repeat(64), size: 1, contentType: "application/json" };
    const late = { to: "critic", reference, expiresAt: 90_000 };
    let come: () => void = () => undefined;
    const consumer = world.consume(critic, {
      resolve: (message, signal) => {
        if (!message.reference) return message as ReceivedMessage;
        asked.push(signal);
        return new Promise((resolve, reject) => {
          come = () => resolve({ ...message, content: "late" });
          signal.addEventListener("abort", () => reject(signal.reason));
        });
      },
      ...options,
    });
    world.arriveAll(planner, [said("early"), late, said("after")]);
    await settle();
    return { world, consumer, asked, come: () => come() };
  }

  it("MSG-59: waits without counting as a delivery, and holds up only its lane", async () => {
    const { world, consumer, come } = await setUp({ maxInFlight: 1 });
    world.arrive(writer, said("other"));
    await settle();
    expect(consumer.handled).toEqual(['"early" 1']);
    world.clock.advance(1_000);
    await settle();
    expect(consumer.handled).toEqual(['"early" 1', '"other" 1']);
    world.clock.advance(30_000);
    come();
    await settle();
    come();
    await settle();
    expect(consumer.handled).toEqual(['"early" 1', '"other" 1', '"late" 1', '"after" 1']);
    expect(world.problems).toEqual([]);
  });

  it("MSG-59: without an order it holds up only itself, and may expire", async () => {
    const { world, consumer, asked } = await setUp({ order: "none", maxInFlight: 1 });
    world.clock.advance(1_000);
    await settle();
    expect(consumer.handled).toEqual(['"early" 1', '"after" 1']);
    world.clock.advance(90_000);
    await settle();
    expect(asked.map(({ aborted }) => aborted)).toEqual([true]);
    expect(world.letters().map(({ outcome, attempts }) => [outcome, attempts])).toEqual([["expired", 0]]);
    expect(consumer.position(planner)).toEqual({ below: 0, pages: { "0-7": 3 } });
  });

  it("MSG-59: a consumer that stops asks for it no longer", async () => {
    const { world, consumer } = await setUp({});
    consumer.stop();
    await settle();
    expect([world.clock.delays(), consumer.handled]).toEqual([[], ['"early" 1']]);
  });
});
