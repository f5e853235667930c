import { describe, expect, it } from "vitest";
import { FlockError } from "../../src/base/index.ts";
import type { HandlerContext, ReceivedMessage } from "../../src/messaging/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";
import { createWorld, settle } from "./world.ts";

const critic = "anon.critic.AAAAAAAAAAA";
const twin = "anon.critic.BBBBBBBBBBB";
const planner = "anon.planner.CCCCCCCCCCC";
const writer = "anon.writer.DDDDDDDDDDD";

const said = (content: unknown, more: object = {}) => ({ to: "critic", content, ...more });

describe("handlers that return what is no promise of the platform's", () => {
  const thenables: Record<string, () => unknown> = {
    "whose `then` can't be read": () =>
      Object.defineProperty({}, "then", {
        get() {
          throw new Error("no");
        },
      }),
    "whose `then` throws": () => ({
      then() {
        throw new Error("no");
      },
    }),
  };
  for (const [what, make] of Object.entries(thenables)) {
    it(`MSG-150: one ${what} has failed, and the others go on`, async () => {
      const world = createWorld();
      const consumer = world.consume(critic, {
        handle: ({ content }) => (content === 1 ? make() : undefined),
      });
      world.arrive(planner, said(1));
      world.arrive(writer, said(2));
      await settle();
      expect(consumer.handled).toEqual(["1 1", "2 1"]);
      world.clock.advance(500);
      await settle();
      expect(consumer.handled).toEqual(["1 1", "2 1", "1 2"]);
    });
  }
});

describe("content that is slow", () => {
  it("MSG-151: is handled, however long it takes each time", async () => {
    const world = createWorld();
    const resolve = (message: unknown) =>
      new Promise<ReceivedMessage>((done) =>
        world.clock.after(3_000, () => done(message as ReceivedMessage)),
      );
    const consumer = world.consume(critic, { resolve: resolve as never });
    world.arrive(planner, said(1));
    await settle();
    for (let times = 0; times < 200 && consumer.handled.length === 0; times++) {
      world.clock.runNext();
      await settle();
    }
    expect(consumer.handled).toEqual(["1 1"]);
  });

  it("MSG-152: that comes after another writer handled its message breaks no order", async () => {
    const world = createWorld();
    let come: () => void = () => undefined;
    let running = 0;
    let most = 0;
    const consumer = world.consume(critic, {
      resolve: ((message: ReceivedMessage) =>
        message.content === 0
          ? new Promise((done) => {
              come = () => done(message);
            })
          : message) as never,
      handle: async () => {
        most = Math.max(most, ++running);
        await new Promise((done) => setImmediate(done));
        running--;
      },
    });
    world.arrive(planner, said(0));
    await settle();
    world.clock.advance(1_000);
    await settle();
    const record = world.records.get(critic);
    world.publish(twin, {
      version: 1,
      since: 1,
      capabilities: [],
      consumers: {
        [consumer.key]: { filter: {}, closed: true, lanes: { [planner]: { below: 0, pages: { "0-7": 1 } } } },
      },
    });
    await settle();
    come();
    await settle();
    expect(record).toBeDefined();
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
    const consumer = world.consume(critic, {
      handle(_: unknown, context: HandlerContext) {
        if (context.attempt === 1) context.nak({ delayMs: 1e9 });
      },
    });
    const { log } = world;
    world.publish(planner, { version: 1, since: 1, capabilities: [], consumers: {} });
    world.arrive(planner, said(1));
    world.catchUp();
    await settle();
    expect(consumer.handled).toEqual(["1 1"]);
    const [page] = log.pages(planner);
    if (page) log.release(planner, page.name);
    world.depart(planner);
    await settle();
    world.publish(planner, { version: 1, since: 1, capabilities: [], consumers: {} });
    world.arrive(planner, said(2));
    await settle();
    expect(consumer.handled.slice(1)).toEqual(["1 1", "2 1"]);
  });
});

describe("a wall clock that is set back", () => {
  it("MSG-154: delays nothing by as much", async () => {
    const manual = createManualClock(10_000_000);
    let back = 0;
    const clock = { ...manual, now: () => manual.now() - back };
    const world = createWorld();
    const consumer = world.consume(critic, {
      clock,
      handle(_: unknown, context: HandlerContext) {
        if (context.attempt === 1) context.nak({ delayMs: 2_000 });
      },
    });
    world.arrive(planner, said(1));
    await settle();
    back = 3_600_000;
    manual.advance(100);
    world.arrive(writer, said(2));
    await settle();
    manual.advance(3_000);
    await settle();
    expect(consumer.handled).toEqual(["1 1", "2 1", "1 2", "2 2"]);
  });
});

describe("what can't be written", () => {
  for (const reason of ["half \ud800 pair", undefined, Symbol("why")]) {
    it(`MSG-155: a reason that is no text does not keep a message for ever: ${String(reason)}`, async () => {
      const world = createWorld();
      const consumer = world.consume(critic, {
        handle: (_: unknown, c: HandlerContext) => c.term(reason as string),
      });
      world.arrive(planner, said(1));
      await settle();
      for (let times = 0; times < 20; times++) {
        world.clock.runNext();
        await settle();
      }
      expect(world.letters()).toHaveLength(1);
      expect(consumer.position(planner)?.pages).toEqual({ "0-7": 1 });
    });
  }
});

describe("a database that fails", () => {
  it("MSG-156: ", async () => {
    const world = createWorld();
    const flush = () => Promise.reject(new FlockError("crdt/storage-failed", "no"));
    expect(flush).toBeDefined();
    void world;
  });
});

describe("costs", () => {
  it("MSG-157: presence that changes nothing looks at no lane", async () => {
    const world = createWorld();
    const consumer = world.consume(critic);
    for (let at = 0; at < 100; at++) world.arrive(`anon.a${at}.FFFFFFFFFFF`, said(at));
    await settle();
    let reads = 0;
    const { pages } = world.log;
    world.log.pages = (id) => {
      reads++;
      return pages(id);
    };
    world.present(writer);
    await settle();
    expect(consumer.handled).toHaveLength(100);
    expect(reads).toBe(0);
  });

  it("MSG-158: handlers with promises let others have a turn too", async () => {
    const world = createWorld();
    const consumer = world.consume(critic, {
      handle: async () => undefined,
      clock: {
        now: () => Date.now(),
        after(ms, task) {
          const t = setTimeout(task, ms);
          return () => clearTimeout(t);
        },
      },
    });
    for (let at = 0; at < 20; at++)
      world.arriveAll(
        planner,
        Array.from({ length: 1_000 }, (_, content) => said(content)),
      );
    let handledThen = -1;
    await new Promise<void>((done) =>
      setTimeout(() => {
        handledThen = consumer.handled.length;
        done();
      }, 0),
    );
    console.log("handled when timer fired", handledThen);
    for (let i = 0; i < 1000 && consumer.handled.length < 20_000; i++)
      await new Promise((d) => setTimeout(d, 1));
    expect(consumer.handled).toHaveLength(20_000);
    expect(handledThen).toBeLessThan(20_000);
    consumer.stop();
  });
});
