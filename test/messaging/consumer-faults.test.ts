import { describe, expect, it } from "vitest";
import type { HandlerContext, ReceivedMessage } from "../../src/messaging/index.ts";
import type { ConsumerRecord } from "../../src/protocol/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";
import { createWorld, settle } from "./world.ts";

const critic = "anon.critic.AAAAAAAAAAA";
const twin = "anon.critic.BBBBBBBBBBB";
const planner = "anon.planner.CCCCCCCCCCC";
const writer = "anon.writer.DDDDDDDDDDD";

const said = (content: unknown, more: object = {}) => ({ to: "critic", content, ...more });
const senders = (count: number) => Array.from({ length: count }, (_, at) => `anon.a${at}.FFFFFFFFFFF`);
const registerOf = (consumers: Record<string, ConsumerRecord> = {}) => ({
  version: 1 as const,
  since: 1,
  capabilities: [],
  consumers,
});

/** Counts how often the pages of a lane are asked for. */
function countReads(world: ReturnType<typeof createWorld>): () => number {
  const { pages } = world.log;
  let reads = 0;
  world.log.pages = (id) => {
    reads++;
    return pages(id);
  };
  return () => reads;
}

describe("handlers that return what is no promise of the platform's", () => {
  const failing = new Error("no");
  const then = "then";
  const thenables: [string, unknown][] = [
    [
      "whose `then` can't be read",
      {
        get [then]() {
          throw failing;
        },
      },
    ],
    [
      "whose `then` throws",
      {
        [then]() {
          throw failing;
        },
      },
    ],
  ];

  it.each(thenables)("MSG-150: one %s has failed, and the others go on", async (_, result) => {
    const world = createWorld();
    const consumer = world.consume(critic, { handle: ({ content }) => (content === 1 ? result : undefined) });
    world.arrive(planner, said(1));
    world.arrive(writer, said(2));
    await settle();
    expect(consumer.handled).toEqual(["1 1", "2 1"]);
    world.clock.advance(500);
    await settle();
    expect(consumer.handled).toEqual(["1 1", "2 1", "1 2"]);
    expect(world.problems.map(({ cause }) => cause)).toEqual([failing, failing]);
  });

  it("MSG-150: one that answers twice has acknowledged once", async () => {
    const world = createWorld();
    const twice = {
      [then](resolve: () => void, reject: (reason: unknown) => void) {
        resolve();
        reject(failing);
      },
    };
    const consumer = world.consume(critic, { handle: () => twice });
    world.arriveAll(planner, [said(1), said(2)]);
    await settle();
    expect([consumer.handled, world.problems]).toEqual([["1 1", "2 1"], []]);
  });
});

describe("content that is slow", () => {
  it("MSG-151: is handled, however long it takes each time that it is asked for", async () => {
    const world = createWorld();
    let asked = 0;
    const consumer = world.consume(critic, {
      resolve(message) {
        asked++;
        return new Promise((done) => world.clock.after(30_000, () => done(message as ReceivedMessage)));
      },
    });
    world.arrive(planner, said(1));
    await settle();
    for (let times = 0; times < 100 && consumer.handled.length === 0; times++) {
      world.clock.runNext();
      await settle();
    }
    expect(consumer.handled).toEqual(["1 1"]);
    // A second at first, and twice as long each time.
    expect(asked).toBe(6);
  });

  it("MSG-151: of a redriven message that has expired waits without a hand too", async () => {
    const world = createWorld();
    let asked = 0;
    const { handled, key } = world.consume(critic, {
      maxInFlight: 1,
      resolve(message) {
        if (message.content !== "late") return message as ReceivedMessage;
        asked++;
        return new Promise(() => undefined);
      },
    });
    const late = world.arrive(planner, said("late", { expiresAt: 2_000 }));
    await settle();
    world.clock.advance(1_000);
    await settle();
    expect(world.letters()).toMatchObject([{ outcome: "expired" }]);
    world.arrive(writer, { message: late, agent: "anon.critic", consumer: key }, { kind: "redrive" });
    for (let times = 0; times < 10; times++) {
      await settle();
      world.clock.advance(1_000);
    }
    world.arrive(planner, said("other"));
    await settle();
    expect(handled).toEqual(['"other" 1']);
    expect(asked).toBe(2);
  });
});

describe("content that comes too late", () => {
  it("MSG-152: after another writer has handled its message breaks no order", async () => {
    const world = createWorld();
    let come: () => void = () => undefined;
    let running = 0;
    let most = 0;
    const consumer = world.consume(critic, {
      resolve(message) {
        if (message.content !== 0) return message as ReceivedMessage;
        return new Promise((done) => {
          come = () => done(message as ReceivedMessage);
        });
      },
      async handle() {
        most = Math.max(most, ++running);
        await settle();
        running--;
      },
    });
    world.arrive(planner, said(0));
    await settle();
    world.clock.advance(1_000);
    await settle();
    const lanes = { [planner]: { below: 0, pages: { "0-7": 1 } } };
    world.publish(twin, registerOf({ [consumer.key]: { filter: {}, closed: true, lanes } }));
    await settle();
    come();
    await settle();
    for (let content = 1; content < 10; content++) world.arrive(planner, said(content));
    for (let times = 0; times < 50 && consumer.handled.length < 9; times++) await settle();
    expect(consumer.handled).toHaveLength(9);
    expect(most).toBe(1);
  });
});

describe("a lane that departs", () => {
  it("MSG-153: and comes back is read from where it is then, whatever was delayed of it", async () => {
    const world = createWorld();
    world.online.set(true);
    let hasFailed = false;
    const consumer = world.consume(critic, {
      handle(_: unknown, context: HandlerContext) {
        if (!hasFailed) context.nak({ delayMs: 1e9 });
        hasFailed = true;
      },
    });
    world.publish(planner, registerOf());
    world.arrive(planner, said(1));
    world.catchUp();
    await settle();
    expect(consumer.handled).toEqual(["1 1"]);
    for (const { name } of [...world.log.pages(planner)]) world.log.release(planner, name);
    world.depart(planner);
    await settle();
    world.publish(planner, registerOf());
    world.arrive(planner, said(2));
    await settle();
    expect(consumer.handled.map((each) => each[0])).toEqual(["1", "1", "2"]);
  });
});

describe("a wall clock that is set back", () => {
  it("MSG-154: delays nothing by as much", async () => {
    const manual = createManualClock(10_000_000);
    let backMs = 0;
    const clock = { ...manual, now: () => manual.now() - backMs };
    const world = createWorld();
    const consumer = world.consume(critic, {
      clock,
      handle(_: unknown, context: HandlerContext) {
        if (context.attempt === 1) context.nak({ delayMs: 2_000 });
      },
    });
    world.arrive(planner, said(1));
    await settle();
    backMs = 3_600_000;
    manual.advance(100);
    world.arrive(writer, said(2));
    await settle();
    manual.advance(3_000);
    await settle();
    expect(consumer.handled).toEqual(["1 1", "2 1", "1 2", "2 2"]);
  });

  it("MSG-154: or on by mistake and then back, brings nothing forward: a message that expires waits as any other", async () => {
    const manual = createManualClock(10_000_000);
    let aheadMs = 3_600_000;
    const clock = { ...manual, now: () => manual.now() + aheadMs };
    const world = createWorld();
    const consumer = world.consume(critic, { clock, handle: () => Promise.reject(new Error("no")) });
    world.arrive(writer, said(0));
    await settle();
    aheadMs = 0;
    world.arrive(planner, said(1, { expiresAt: manual.now() + 60_000 }));
    await settle();
    expect(consumer.handled).toEqual(["0 1", "1 1"]);
    manual.advance(499);
    await settle();
    expect(consumer.handled).toEqual(["0 1", "1 1"]);
  });
});

describe("reasons", () => {
  it.each([undefined, Symbol("why"), 7])(
    "MSG-155: that are no text are written as one: %s",
    async (reason) => {
      const world = createWorld();
      const consumer = world.consume(critic, {
        handle: (_: unknown, context: HandlerContext) => context.term(reason as unknown as string),
      });
      world.arrive(planner, said(1));
      await settle();
      expect(world.letters()).toMatchObject([{ outcome: "terminated", reason: String(reason) }]);
      expect(consumer.position(planner)?.pages).toEqual({ "0-7": 1 });
    },
  );
});

describe("what a consumer costs", () => {
  it("MSG-157: presence that brings nobody who consumes looks at no lane", async () => {
    const world = createWorld();
    const consumer = world.consume(critic);
    for (const sender of senders(100)) world.arrive(sender, said(0));
    await settle();
    const reads = countReads(world);
    world.present(writer, ...senders(50));
    await settle();
    expect([consumer.handled.length, reads()]).toEqual([100, 0]);
  });

  it("MSG-157: another writer's register has only the lanes looked at of which it says something new", async () => {
    const world = createWorld();
    const consumer = world.consume(critic);
    for (const sender of senders(100)) world.arrive(sender, said(0));
    await settle();
    const [first = "", ...others] = senders(100);
    for (const sender of senders(100)) world.publish(sender, registerOf());
    const lanes = Object.fromEntries(
      others.map((id) => [id, consumer.position(id) ?? { below: 0, pages: {} }]),
    );
    const record = { filter: {}, closed: true as const };
    world.publish(twin, registerOf({ [consumer.key]: { ...record, lanes } }));
    await settle();
    const reads = countReads(world);
    const moved = { below: 0, pages: { "0-7": 2 } };
    world.publish(twin, registerOf({ [consumer.key]: { ...record, lanes: { ...lanes, [first]: moved } } }));
    await settle();
    expect(reads()).toBeGreaterThan(0);
    expect(reads()).toBeLessThan(10);
  });

  it("MSG-158: handlers whose promises resolve at once let others have a turn", async () => {
    const world = createWorld();
    const consumer = world.consume(critic, { handle: async () => world.clock.advance(1) });
    world.arriveAll(
      planner,
      Array.from({ length: 200 }, (_, content) => said(content)),
    );
    await settle();
    const handled = consumer.handled.length;
    expect(handled).toBeLessThan(100);
    expect(world.clock.delays()).toEqual([0]);
    while (world.clock.runNext()) await settle();
    expect(consumer.handled).toHaveLength(200);
  });
});
