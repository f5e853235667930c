import { describe, expect, it } from "vitest";
import { createWorld, settle } from "./world.ts";

const critic = "anon.critic.AAAAAAAAAAA";
const twin = "anon.critic.BBBBBBBBBBB";
const planner = "anon.planner.CCCCCCCCCCC";
const writer = "anon.writer.DDDDDDDDDDD";

/** A promise that the test settles. */
function gate() {
  let open = () => {};
  let fail = (_: Error) => {};
  const passed = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { passed, open, fail };
}

describe("which messages", () => {
  it("MSG-8: an agent handles what names it, of every sender, and nothing else", async () => {
    const world = createWorld();
    const consumer = world.consume(critic);
    world.arrive(planner, { to: "critic", content: 1 });
    world.arrive(planner, { to: "writer", content: 2 });
    world.arrive(planner, { topic: "news", content: 3 });
    world.arrive(writer, { to: "anon.critic", content: 4 });
    world.arrive(writer, { to: "ann.critic", content: 5 });
    world.arrive(critic, { to: "critic", content: 6 });
    await settle();
    expect(consumer.handled.sort()).toEqual(["1 1", "4 1", "6 1"]);
  });

  it("MSG-8: a topic's consumer handles what is said to the topic, but not what its own agent said", async () => {
    const world = createWorld();
    const consumer = world.consume(critic, { filter: { topic: "news" } });
    world.arrive(planner, { topic: "news", content: 1 });
    world.arrive(planner, { topic: "news.sport", content: 2 });
    world.arrive(planner, { to: "critic", content: 3 });
    world.arrive(critic, { topic: "news", content: 4 });
    world.arrive(twin, { topic: "news", content: 5 });
    await settle();
    expect(consumer.handled).toEqual(["1 1"]);
  });

  it("MSG-8: entries that are no message, or no valid one, are passed over", async () => {
    const world = createWorld();
    const consumer = world.consume(critic, { filter: { type: "QUERY" } });
    world.arrive(planner, { to: "critic", content: 1 }, { kind: "note" });
    world.arrive(planner, { to: "critic", confidence: 7 });
    world.arrive(planner, { to: "critic", type: "STATUS", content: 2 });
    world.arrive(planner, { to: "critic", content: 3 });
    await settle();
    expect(consumer.handled).toEqual(["3 1"]);
  });

  it("MSG-9: a condition decides as well; one that throws is a failed handling, not the end of the lane", async () => {
    const world = createWorld();
    let broken = true;
    const where = ({ content }: { content?: unknown }) => {
      if (content === 2 && broken) throw new Error("bad condition");
      return content !== 1;
    };
    const consumer = world.consume(critic, { filter: { where }, name: "mine" });
    for (const content of [1, 2, 3]) world.arrive(planner, { to: "critic", content });
    await settle();
    expect([consumer.handled, world.problems.map(({ code }) => code)]).toEqual([
      [],
      ["messaging/handler-failed"],
    ]);
    broken = false;
    world.clock.runNext();
    await settle();
    expect(consumer.handled).toEqual(["2 2", "3 1"]);
  });
});

describe("order and redelivery", () => {
  it("MSG-10: a lane is handled in its order, one message at a time; lanes do not wait for each other", async () => {
    const world = createWorld();
    const slow = gate();
    const consumer = world.consume(critic, {
      handle: ({ content }) => (content === "slow" ? slow.passed : undefined),
    });
    world.arrive(planner, { to: "critic", content: "slow" });
    world.arrive(planner, { to: "critic", content: "next" });
    world.arrive(writer, { to: "critic", content: "other" });
    await settle();
    expect(consumer.handled).toEqual(['"slow" 1', '"other" 1']);
    slow.open();
    await settle();
    expect(consumer.handled).toEqual(['"slow" 1', '"other" 1', '"next" 1']);
  });

  it("MSG-11: a message is acknowledged when its handler's promise resolves, and not before", async () => {
    const world = createWorld();
    const slow = gate();
    const consumer = world.consume(critic, { handle: () => slow.passed });
    world.arrive(planner, { to: "critic", content: 1 });
    await settle();
    expect(consumer.position(planner)).toEqual({ below: 0, pages: {}, tries: { "0-7/0": 1 } });
    slow.open();
    await settle();
    expect(consumer.position(planner)).toEqual({ below: 0, pages: { "0-7": 1 } });
  });

  it("MSG-11: a handler that fails gets the message again, later each time, and is told the attempt", async () => {
    const world = createWorld();
    let failures = 9;
    const consumer = world.consume(critic, {
      handle() {
        if (failures-- > 0) throw new Error("not yet");
      },
    });
    world.arrive(planner, { to: "critic", content: 1 });
    world.arrive(planner, { to: "critic", content: 2 });
    await settle();
    const waits: number[] = [];
    while (world.clock.delays().length > 0) {
      waits.push(...world.clock.delays());
      world.clock.runNext();
      await settle();
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    expect(consumer.handled.at(-2)).toBe("1 10");
    expect(consumer.handled.at(-1)).toBe("2 1");
    expect(world.problems.map(({ code, details }) => [code, details["attempt"]]).at(-1)).toEqual([
      "messaging/handler-failed",
      9,
    ]);
  });

  it("MSG-11: what was not acknowledged is handled by the next consumer of that name, what was is not", async () => {
    const world = createWorld();
    const never = gate();
    const before = world.consume(critic, {
      handle: ({ content }) => (content === 2 ? never.passed : undefined),
    });
    world.arrive(planner, { to: "critic", content: 1 });
    world.arrive(planner, { to: "critic", content: 2 });
    await settle();
    before.stop();
    never.open();
    await settle();
    expect(before.position(planner)).toEqual({ below: 0, pages: { "0-7": 1 }, tries: { "0-7/1": 1 } });
    const after = world.consume(critic);
    await settle();
    expect(after.handled).toEqual(["2 2"]);
    const another = world.consume(critic, { name: "another" });
    await settle();
    expect(another.handled).toEqual(["1 1", "2 1"]);
  });

  it("MSG-12: a consumer that stops aborts its signal, waits for nothing and leaves no timer", async () => {
    const world = createWorld();
    const signals: AbortSignal[] = [];
    const consumer = world.consume(critic, {
      handle({ content }, context) {
        signals.push(context.signal);
        if (content === 1) throw new Error("fails");
        return new Promise(() => undefined);
      },
    });
    world.arrive(planner, { to: "critic", content: 1 });
    world.arrive(writer, { to: "critic", content: 2 });
    await settle();
    expect(world.clock.delays()).toEqual([500]);
    consumer.stop();
    expect([signals.map(({ aborted }) => aborted), world.clock.delays()]).toEqual([[false, true], []]);
    world.arrive(planner, { to: "critic", content: 3 });
    world.clock.advance(60_000);
    await settle();
    expect(consumer.handled).toEqual(["1 1", "2 1"]);
  });
});

describe("several writers of one agent", () => {
  it("MSG-13: a new writer handles what comes from elsewhere only once it is caught up", async () => {
    const world = createWorld();
    const consumer = world.consume(critic, { resumed: false });
    world.arrive(planner, { to: "critic", content: 1 });
    world.arrive(critic, { to: "critic", content: 2 });
    await settle();
    expect(consumer.handled).toEqual(["2 1"]);
    world.catchUp();
    await settle();
    expect(consumer.handled).toEqual(["2 1", "1 1"]);
  });

  it("MSG-13: it then goes on from what the agent's other writers have acknowledged", async () => {
    const world = createWorld();
    world.arrive(planner, { to: "critic", content: 1 });
    world.arrive(planner, { to: "critic", content: 2 });
    const consumer = world.consume(critic, { resumed: false });
    world.publish(twin, {
      version: 1,
      since: 1,
      capabilities: [],
      consumers: { "direct/*": { filter: {}, lanes: { [planner]: { below: 0, pages: { "0-7": 1 } } } } },
    });
    world.catchUp();
    await settle();
    expect(consumer.handled).toEqual(["2 1"]);
  });

  it("MSG-14: of two that are present exactly one handles each lane; one that leaves is taken over", async () => {
    const world = createWorld();
    // Both replicas share one room here: each is present to the other.
    const [first, second] = [world.consume(critic), world.consume(twin)];
    world.present(critic, twin);
    const senders = Array.from({ length: 40 }, (_, index) => `anon.a${index}.EEEEEEEEEEE`);
    for (const sender of senders) world.arrive(sender, { to: "critic", content: sender });
    await settle();
    const handled = [...first.handled, ...second.handled];
    expect(handled.sort()).toEqual(senders.map((sender) => `"${sender}" 1`).sort());
    expect(Math.min(first.handled.length, second.handled.length)).toBeGreaterThan(5);
    first.stop();
    world.present(twin);
    const before = second.handled.length;
    for (const sender of senders) world.arrive(sender, { to: "critic", content: "more" });
    await settle();
    expect(second.handled.length - before).toBe(senders.length);
  });

  it("MSG-14: one that is present but does not consume under this name takes nothing", async () => {
    const world = createWorld();
    const consumer = world.consume(critic);
    world.consume(twin, { name: "something else" }).stop();
    world.present(twin);
    const senders = Array.from({ length: 20 }, (_, index) => `anon.a${index}.EEEEEEEEEEE`);
    for (const sender of senders) world.arrive(sender, { to: "critic", content: 1 });
    await settle();
    expect(consumer.handled).toHaveLength(senders.length);
  });
});
