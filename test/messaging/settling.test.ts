import { describe, expect, it } from "vitest";
import { FlockError, isFlockError } from "../../src/base/index.ts";
import type { HandlerContext } from "../../src/messaging/index.ts";
import { createWorld, settle } from "./world.ts";

const critic = "anon.critic.AAAAAAAAAAA";
const planner = "anon.planner.CCCCCCCCCCC";
const writer = "anon.writer.DDDDDDDDDDD";

const said = (content: unknown, more: object = {}) => ({ to: "critic", content, ...more });
const codes = ({ problems }: ReturnType<typeof createWorld>) => problems.map(({ code }) => code);

/** A consumer of a few messages whose handler says what the test says. */
async function handling(say: (context: HandlerContext, content: unknown) => unknown, options: object = {}) {
  const world = createWorld();
  const consumer = world.consume(critic, {
    handle: ({ content }, context) => say(context, content),
    ...options,
  });
  for (const content of [1, 2]) world.arrive(planner, said(content));
  await settle();
  return { world, consumer };
}

describe("what a handler says", () => {
  it("MSG-46: an acknowledged message is passed before its handler comes to an end", async () => {
    const { consumer } = await handling((context, content) => {
      context.ack();
      return content === 1 ? new Promise(() => undefined) : undefined;
    });
    expect(consumer.handled).toEqual(["1 1", "2 1"]);
    expect(consumer.position(planner)).toEqual({ below: 0, pages: { "0-7": 2 } });
  });

  it("MSG-46: a message that is refused comes again after the delay that was named, and nobody is told", async () => {
    const { world, consumer } = await handling((context, content) => {
      if (content === 1 && context.attempt === 1) context.nak({ delayMs: 7_000 });
    });
    expect([consumer.handled, world.clock.delays()]).toEqual([["1 1"], [7_000]]);
    world.clock.runNext();
    await settle();
    expect([consumer.handled, world.problems]).toEqual([["1 1", "1 2", "2 1"], []]);
  });

  it("MSG-46: without one, after 0.5 s doubling to 30 s", async () => {
    const { world, consumer } = await handling((context) => context.nak(), { maxDeliver: 9 });
    const waits: number[] = [];
    while (world.clock.delays().length > 0 && consumer.handled.length < 9) {
      waits.push(...world.clock.delays());
      world.clock.runNext();
      await settle();
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it("MSG-46: a terminated message is given up with the reason, and told", async () => {
    const { world, consumer } = await handling((context, content) => {
      if (content === 1) context.term("no such order");
    });
    expect(consumer.handled).toEqual(["1 1", "2 1"]);
    expect(world.letters()).toEqual([
      {
        consumer: "direct/*",
        messages: [`${planner}/0-7/0`],
        outcome: "terminated",
        reason: "no such order",
        attempts: 1,
      },
    ]);
    expect(codes(world)).toEqual(["messaging/dead-letter"]);
  });

  it("MSG-46: the first word counts, whatever comes after it", async () => {
    const { world, consumer } = await handling(async (context) => {
      context.ack();
      context.nak();
      context.term("too late");
      throw new Error("too late");
    });
    expect(consumer.handled).toEqual(["1 1", "2 1"]);
    expect([world.letters(), world.problems, world.clock.delays()]).toEqual([[], [], []]);
  });

  it("MSG-46: a delay that is none is refused with a code", async () => {
    const failures: unknown[] = [];
    await handling((context) => {
      try {
        context.nak({ delayMs: -1 });
      } catch (failure) {
        failures.push(failure);
      }
    });
    expect(failures.map((failure) => isFlockError(failure, "messaging/invalid-options"))).toEqual([
      true,
      true,
    ]);
  });

  it("MSG-47: without a word for ackWaitMs the signal aborts, and the message comes again", async () => {
    const reasons: unknown[] = [];
    const { world, consumer } = await handling(
      ({ signal, attempt }) => {
        signal.addEventListener("abort", () => reasons.push(signal.reason));
        return attempt === 1 ? new Promise(() => undefined) : undefined;
      },
      { ackWaitMs: 2_000 },
    );
    expect(world.clock.delays()).toEqual([2_000]);
    world.clock.advance(1_999);
    await settle();
    expect(reasons).toEqual([]);
    world.clock.advance(1);
    await settle();
    expect(reasons.map((reason) => isFlockError(reason, "messaging/ack-timeout"))).toEqual([true]);
    expect(codes(world)).toEqual(["messaging/handler-failed"]);
    expect(world.problems[0]?.cause).toBe(reasons[0]);
    world.clock.advance(500);
    await settle();
    expect(consumer.handled).toEqual(["1 1", "1 2", "2 1"]);
  });

  it("MSG-47: a handler that is working gets that time anew", async () => {
    let context: HandlerContext | undefined;
    const { world, consumer } = await handling(
      (given) => {
        context ??= given;
        return new Promise(() => undefined);
      },
      { ackWaitMs: 2_000 },
    );
    for (let times = 0; times < 5; times++) {
      world.clock.advance(1_500);
      context?.working();
    }
    await settle();
    expect([consumer.handled, world.problems]).toEqual([["1 1"], []]);
    world.clock.advance(2_000);
    await settle();
    expect(codes(world)).toEqual(["messaging/handler-failed"]);
    context?.working();
    context?.ack();
    await settle();
    expect(consumer.position(planner)?.pages).toEqual({});
  });

  it("MSG-47: a signal that is read late has aborted already", async () => {
    let context: HandlerContext | undefined;
    const { world } = await handling(
      (given) => {
        context ??= given;
        return new Promise(() => undefined);
      },
      { ackWaitMs: 1_000 },
    );
    world.clock.advance(1_000);
    await settle();
    expect(context?.signal.aborted).toBe(true);
  });
});

describe("giving up", () => {
  it("MSG-48: a message is given up after maxDeliver deliveries, and its lane goes on", async () => {
    const { world, consumer } = await handling(
      (_, content) => {
        if (content === 1) throw new Error("out of paper");
      },
      { maxDeliver: 3 },
    );
    while (world.clock.runNext()) await settle();
    expect(consumer.handled).toEqual(["1 1", "1 2", "1 3", "2 1"]);
    expect(world.letters().map(({ outcome, reason, attempts }) => [outcome, reason, attempts])).toEqual([
      ["exhausted", "3 deliveries failed: out of paper", 3],
    ]);
    expect(codes(world).slice(-2)).toEqual(["messaging/handler-failed", "messaging/dead-letter"]);
    expect(consumer.position(planner)).toEqual({ below: 0, pages: { "0-7": 2 } });
  });

  it("MSG-48: never with maxDeliver Infinity", async () => {
    const { world, consumer } = await handling((context) => context.nak(), {
      maxDeliver: Number.POSITIVE_INFINITY,
    });
    for (let times = 0; times < 30; times++) {
      world.clock.runNext();
      await settle();
    }
    expect([consumer.handled.at(-1), world.letters()]).toEqual(["1 31", []]);
  });

  it("MSG-49: the position passes a message only once the letter is in the lane", async () => {
    let open: () => void = () => undefined;
    const written: unknown[] = [];
    const { world, consumer } = await handling((context, content) => content === 1 && context.term("no"), {
      giveUp: (letter: unknown) => {
        written.push(letter);
        return new Promise<void>((resolve) => {
          open = resolve;
        });
      },
    });
    expect([written.length, consumer.handled]).toEqual([1, ["1 1", "2 1"]]);
    expect(consumer.position(planner)).toMatchObject({ pages: { "0-7": 0 }, done: { "0-7": [1, 2] } });
    expect(world.problems).toEqual([]);
    open();
    await settle();
    expect(consumer.position(planner)).toEqual({ below: 0, pages: { "0-7": 2 } });
    expect(codes(world)).toEqual(["messaging/dead-letter"]);
  });

  it("MSG-49: a letter that could not be written is written again, and nothing is handled meanwhile", async () => {
    let fails = 2;
    const { world, consumer } = await handling((context, content) => content === 1 && context.term("no"), {
      giveUp: async () => {
        if (fails-- > 0) throw new FlockError("crdt/storage-failed", "full");
      },
    });
    while (world.clock.runNext()) await settle();
    expect(consumer.handled).toEqual(["1 1", "2 1"]);
    expect(codes(world)).toEqual(["crdt/storage-failed", "crdt/storage-failed", "messaging/dead-letter"]);
    expect(consumer.position(planner)).toEqual({ below: 0, pages: { "0-7": 2 } });
  });

  it("MSG-50: what expired before it was handled is given up in silence, many in few letters", async () => {
    const world = createWorld();
    world.arriveAll(
      planner,
      Array.from({ length: 100 }, (_, content) => said(content, { expiresAt: 999 })),
    );
    world.arrive(planner, said("fresh", { expiresAt: 60_000 }));
    const consumer = world.consume(critic);
    await settle();
    expect(consumer.handled).toEqual(['"fresh" 1']);
    const letters = world.letters();
    expect(letters.map(({ outcome, attempts }) => [outcome, attempts])).toEqual([
      ["expired", 0],
      ["expired", 0],
    ]);
    expect(letters.flatMap(({ messages }) => messages)).toHaveLength(100);
    expect([world.problems, consumer.position(planner)]).toEqual([[], { below: 0, pages: { "0-7": 101 } }]);
  });

  it("MSG-50: one that expires while it waits for another delivery holds up its lane no longer", async () => {
    const world = createWorld();
    world.arrive(planner, said(1, { expiresAt: 4_000 }));
    world.arrive(planner, said(2));
    const consumer = world.consume(critic, {
      handle: ({ content }, context) => content === 1 && context.nak({ delayMs: 60_000 }),
    });
    await settle();
    world.clock.advance(3_000);
    await settle();
    expect(consumer.handled).toEqual(["1 1", "2 1"]);
    expect(world.letters().map(({ outcome, attempts }) => [outcome, attempts])).toEqual([["expired", 1]]);
  });

  it("MSG-50: a handler that runs when its message expires may come to its end", async () => {
    const world = createWorld();
    world.arrive(planner, said(1, { expiresAt: 2_000 }));
    let open: () => void = () => undefined;
    const consumer = world.consume(critic, {
      handle: () =>
        new Promise<void>((resolve) => {
          open = resolve;
        }),
    });
    await settle();
    world.clock.advance(5_000);
    open();
    await settle();
    expect([world.letters(), consumer.position(planner)?.pages]).toEqual([[], { "0-7": 1 }]);
  });

  it.each(["messaging/invalid-content", "messaging/invalid-message"] as const)(
    "MSG-51: content that is refused as %s is given up at once, undelivered",
    async (code) => {
      const world = createWorld();
      world.arrive(planner, said(1));
      world.arrive(planner, said(2));
      const consumer = world.consume(critic, {
        resolve: async (message) => {
          if (message.content === 1) throw new FlockError(code, "not an order");
          return message as never;
        },
      });
      await settle();
      expect(consumer.handled).toEqual(["2 1"]);
      expect(world.letters().map(({ outcome, reason, attempts }) => [outcome, reason, attempts])).toEqual([
        ["unreadable", "not an order", 0],
      ]);
      expect(codes(world)).toEqual(["messaging/dead-letter"]);
    },
  );

  it("MSG-51: content that fails otherwise is a failed delivery", async () => {
    const world = createWorld();
    world.arrive(planner, said(1));
    const consumer = world.consume(critic, {
      maxDeliver: 2,
      resolve: () => {
        throw new FlockError("refstore/refused", "no");
      },
    });
    await settle();
    while (world.clock.runNext()) await settle();
    expect(consumer.handled).toEqual([]);
    expect(world.letters().map(({ outcome, attempts }) => [outcome, attempts])).toEqual([["exhausted", 2]]);
  });
});

describe("requests that are taken back", () => {
  async function setUp(handle: (context: HandlerContext) => unknown) {
    const world = createWorld();
    const reasons = new Map<string, string>();
    let listener: (cancelled: { id: string }) => void = () => undefined;
    const consumer = world.consume(critic, {
      handle: (_, context) => handle(context),
      cancelled: (id) => reasons.get(id),
      onCancelled(given) {
        listener = given;
        return () => undefined;
      },
    });
    const request = () => world.arrive(planner, said("ask", { role: "request" }));
    const cancel = async (id: string) => {
      reasons.set(id, "not needed");
      listener({ id });
      await settle();
    };
    return { world, consumer, request, cancel, reasons };
  }

  it("MSG-52: before they are handled are given up, in silence", async () => {
    const { world, consumer, request, cancel } = await setUp((context) => context.nak());
    const id = request();
    await settle();
    await cancel(id);
    expect(world.letters().map(({ outcome, reason, attempts }) => [outcome, reason, attempts])).toEqual([
      ["cancelled", "not needed", 1],
    ]);
    expect([consumer.handled, world.problems, consumer.position(planner)?.pages]).toEqual([
      ['"ask" 1'],
      [],
      { "0-7": 1 },
    ]);
  });

  it("MSG-52: while they are handled reach the handler, whose word decides", async () => {
    const { world, consumer, request, cancel } = await setUp(
      ({ signal }) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
    );
    const id = request();
    await settle();
    await cancel(id);
    expect([world.letters(), consumer.position(planner)?.pages]).toEqual([[], { "0-7": 1 }]);
  });

  it("MSG-52: a handler that fails after that is not asked again", async () => {
    const { world, request, cancel } = await setUp(
      ({ signal }) =>
        new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    const id = request();
    await settle();
    await cancel(id);
    expect(world.letters().map(({ outcome, attempts }) => [outcome, attempts])).toEqual([["cancelled", 1]]);
    expect([world.problems, world.clock.delays()]).toEqual([[], []]);
  });

  it("MSG-52: whose word came before the consumer did are never handled; other messages can't be taken back", async () => {
    const { world, consumer, request, reasons } = await setUp(() => undefined);
    reasons.set(`${planner}/0-7/0`, "not needed");
    reasons.set(`${writer}/0-7/0`, "not needed");
    request();
    world.arrive(writer, said("tell"));
    await settle();
    expect(consumer.handled).toEqual(['"tell" 1']);
  });
});

describe("options", () => {
  it.each([
    ["order", { order: "random" }],
    ["maxInFlight", { maxInFlight: 0 }],
    ["maxInFlight", { maxInFlight: 257 }],
    ["maxInFlight", { maxInFlight: 1.5 }],
    ["maxDeliver", { maxDeliver: 0 }],
    ["maxDeliver", { maxDeliver: Number.NaN }],
    ["ackWaitMs", { ackWaitMs: 0 }],
    ["ackWaitMs", { ackWaitMs: Number.POSITIVE_INFINITY }],
  ])("MSG-53: %s is refused in %j", (name, options) => {
    const world = createWorld();
    expect(() => world.consume(critic, options as never)).toThrow(
      expect.objectContaining({
        code: "messaging/invalid-options",
        details: expect.objectContaining({ name }),
      }),
    );
    expect(world.clock.delays()).toEqual([]);
  });
});
