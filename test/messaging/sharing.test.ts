import { describe, expect, it } from "vitest";
import type { ReceivedMessage } from "../../src/messaging/index.ts";
import { until } from "../refstore/manual-clock.ts";
import { writeLongLane } from "./sealed-world.ts";
import { createWorld, settle } from "./world.ts";

const critic = "anon.critic.AAAAAAAAAAA";
const twin = "anon.critic.BBBBBBBBBBB";
const helper = "anon.helper.EEEEEEEEEEE";
const planner = "anon.planner.CCCCCCCCCCC";
const writer = "anon.writer.DDDDDDDDDDD";

const said = (content: unknown, more: object = {}) => ({ to: "critic", content, ...more });
const senders = Array.from({ length: 20 }, (_, index) => `anon.a${index}.FFFFFFFFFFF`);

describe("messages to one writer", () => {
  it("MSG-63: are that writer's while it is present, also in lanes that another one handles", async () => {
    const world = createWorld();
    const [first, second] = [world.consume(critic), world.consume(twin)];
    world.present(critic, twin);
    for (const sender of senders) {
      world.arrive(sender, said("for one", { to: critic }));
      world.arrive(sender, said("for the other", { to: twin }));
    }
    await until(() => first.handled.length + second.handled.length === 40);
    expect([new Set(first.handled), new Set(second.handled)]).toEqual([
      new Set(['"for one" 1']),
      new Set(['"for the other" 1']),
    ]);
  });

  it("MSG-63: keep their place in the lane", async () => {
    const world = createWorld();
    const order: unknown[] = [];
    let open: () => void = () => undefined;
    const handle = ({ content }: ReceivedMessage) => {
      order.push(content);
      return content === 1
        ? new Promise<void>((resolve) => {
            open = resolve;
          })
        : undefined;
    };
    world.consume(critic, { handle });
    world.consume(twin, { handle });
    world.present(critic, twin);
    world.arriveAll(planner, [said(1, { to: critic }), said(2, { to: twin }), said(3, { to: critic })]);
    await settle();
    expect(order).toEqual([1]);
    open();
    await until(() => order.length === 3);
    expect(order).toEqual([1, 2, 3]);
  });

  it("MSG-63: are whoever's is picked where that writer is gone, or its consumer is", async () => {
    const world = createWorld();
    const consumer = world.consume(critic);
    const other = world.consume(twin);
    world.present(twin);
    other.stop();
    world.arrive(planner, said(1, { to: twin }));
    world.arrive(planner, said(2, { to: "anon.critic.ZZZZZZZZZZZ" }));
    await settle();
    expect(consumer.handled).toEqual(["1 1", "2 1"]);
  });
});

describe("messages to everybody, and replies", () => {
  it("MSG-64: a broadcast reaches every agent's direct consumers but its sender's", async () => {
    const world = createWorld();
    const consumers = [critic, helper, planner].map((id) => world.consume(id));
    world.arrive(planner, { to: "*", content: "all" });
    await settle();
    expect(consumers.map(({ handled }) => handled)).toEqual([['"all" 1'], ['"all" 1'], []]);
  });

  it("MSG-64: replies are only for those who ask for them", async () => {
    const world = createWorld();
    const plain = world.consume(critic);
    const replies = world.consume(critic, { filter: { replies: true } });
    world.arrive(planner, said("plain"));
    world.arrive(planner, said("reply", { role: "reply" }));
    await settle();
    expect([plain.handled, replies.handled]).toEqual([['"plain" 1'], ['"reply" 1']]);
  });
});

describe("groups", () => {
  const group = "workers";

  it("MSG-65: each message is handled by one of the agents that are present, and all of them get some", async () => {
    const world = createWorld();
    const members = [critic, helper].map((id) => world.consume(id, { group, filter: { topic: "jobs" } }));
    world.present(critic, helper);
    for (let content = 0; content < 60; content++) world.arrive(planner, { topic: "jobs", content });
    await settle();
    const handled = members.flatMap((member) => member.handled);
    expect(handled.sort()).toEqual(Array.from({ length: 60 }, (_, content) => `${content} 1`).sort());
    expect(Math.min(...members.map((member) => member.handled.length))).toBeGreaterThan(10);
  });

  it("MSG-65: members in one page share too, though nobody else is present", async () => {
    const world = createWorld();
    const members = [critic, helper].map((id) => world.consume(id, { group, filter: { topic: "jobs" } }));
    for (let content = 0; content < 60; content++) world.arrive(planner, { topic: "jobs", content });
    await settle();
    expect(members.flatMap((member) => member.handled)).toHaveLength(60);
    expect(Math.min(...members.map((member) => member.handled.length))).toBeGreaterThan(10);
  });

  it("MSG-65: what a member says is for the others too, and for itself where it is picked", async () => {
    const world = createWorld();
    const members = [critic, helper].map((id) => world.consume(id, { group, filter: { topic: "jobs" } }));
    world.present(critic, helper);
    for (let content = 0; content < 40; content++) world.arrive(critic, { topic: "jobs", content });
    await settle();
    expect(members.flatMap((member) => member.handled)).toHaveLength(40);
    expect(Math.min(...members.map((member) => member.handled.length))).toBeGreaterThan(5);
  });

  it("MSG-65: one that leaves is taken over by the others, with what it had begun", async () => {
    const world = createWorld();
    const options = { group, filter: { topic: "jobs" } };
    const stuck = world.consume(critic, { ...options, handle: () => new Promise(() => undefined) });
    const other = world.consume(helper, options);
    world.present(critic, helper);
    for (let content = 0; content < 20; content++) world.arrive(planner, { topic: "jobs", content });
    await settle();
    const begun = stuck.handled.length;
    expect([begun + other.handled.length, begun > 0]).toEqual([20, true]);
    stuck.stop();
    world.present(helper);
    await settle();
    expect(other.handled.filter((each) => each.endsWith(" 2"))).toHaveLength(begun);
    expect(other.handled).toHaveLength(20);
  });

  it("MSG-65: another group, and a consumer without one, get all of it", async () => {
    const world = createWorld();
    const filter = { topic: "jobs" };
    const consumers = [
      world.consume(critic, { group, filter }),
      world.consume(helper, { group: "others", filter }),
      world.consume(writer, { filter }),
    ];
    world.present(critic, helper, writer);
    for (let content = 0; content < 10; content++) world.arrive(planner, { topic: "jobs", content });
    await settle();
    expect(consumers.map(({ handled }) => handled.length)).toEqual([10, 10, 10]);
  });

  it("MSG-65: a new member handles nothing before it knows what the group has, not even of lanes written here", async () => {
    const world = createWorld();
    const consumer = world.consume(critic, { group, resumed: false, filter: { topic: "jobs" } });
    world.arrive(critic, { topic: "jobs", content: 1 });
    world.arrive(critic, { topic: "jobs", content: 2 });
    await settle();
    expect(consumer.handled).toEqual([]);
    world.publish(helper, {
      version: 1,
      since: 1,
      capabilities: [],
      consumers: {
        [consumer.key]: {
          filter: { topic: "jobs" },
          group,
          lanes: { [critic]: { below: 0, pages: { "0-7": 1 } } },
        },
      },
    });
    world.catchUp();
    await settle();
    expect(consumer.handled).toEqual(["2 1"]);
  });

  it("MSG-66: picks are by lane where order is kept, and by message where it is not", async () => {
    for (const [order, isWhole] of [
      ["lane", true],
      ["none", false],
    ] as const) {
      const world = createWorld();
      const members = [critic, helper].map((id) =>
        world.consume(id, { group, order, filter: { topic: "jobs" } }),
      );
      world.present(critic, helper);
      for (let content = 0; content < 30; content++) world.arrive(planner, { topic: "jobs", content });
      await settle();
      const counts = members.map((member) => member.handled.length);
      expect([Math.max(...counts) === 30, Math.max(...counts) + Math.min(...counts)]).toEqual([isWhole, 30]);
    }
  });
});

describe("redrives", () => {
  const asked = (message: string, more: object = {}) => ({
    message,
    agent: "anon.critic",
    consumer: "direct/*",
    ...more,
  });
  const redrive = { kind: "redrive" };

  it("MSG-67: a redriven message is handled under its own id, with attempts from 1, and its letter names it", async () => {
    const world = createWorld();
    const ids: string[] = [];
    let fails = true;
    const consumer = world.consume(critic, {
      maxDeliver: 2,
      handle({ id }, context) {
        ids.push(id);
        if (fails) context.nak({ delayMs: 0 });
      },
    });
    const id = world.arrive(planner, said(1));
    await settle();
    world.arrive(writer, asked(id), redrive);
    await settle();
    while (world.clock.runNext()) await settle();
    expect(consumer.handled).toEqual(["1 1", "1 2", "1 1", "1 2"]);
    expect(new Set(ids)).toEqual(new Set([id]));
    expect(world.letters().map(({ messages, outcome }) => [messages, outcome])).toEqual([
      [[id], "exhausted"],
      [[id], "exhausted"],
    ]);
    fails = false;
    world.arrive(writer, asked(id), redrive);
    await settle();
    expect(consumer.handled.at(-1)).toBe("1 1");
    expect(consumer.position(writer)).toEqual({ below: 0, pages: { "0-7": 2 } });
  });

  it("MSG-67: it is found in history, and handled though it has expired", async () => {
    const world = createWorld();
    const lane = await writeLongLane(world, planner, [["a"], ["b"], ["c"]], { to: "helper" });
    lane.arrive(2);
    lane.seal(2);
    const consumer = world.consume(helper, { start: "live" });
    await until(() => consumer.handled.length === 1);
    const expired = world.arrive(writer, { to: "helper", content: "late", expiresAt: 1 });
    const more = { agent: "anon.helper" };
    world.arrive(writer, asked(`${planner}/0-100/0`, more), redrive);
    world.arrive(writer, asked(expired, more), redrive);
    await until(() => consumer.handled.length === 3);
    expect(consumer.handled).toEqual(['"c" 1', '"a" 1', '"late" 1']);
  });

  it("MSG-67: others pass it, and one of a message that is nowhere is given up", async () => {
    const world = createWorld();
    const [direct, other] = [world.consume(critic), world.consume(helper)];
    const id = world.arrive(planner, said(1));
    await settle();
    world.arrive(writer, asked(id, { consumer: "another" }), redrive);
    world.arrive(writer, { message: "nothing" }, redrive);
    world.arrive(writer, asked(`${planner}/0-7/9`), redrive);
    await settle();
    expect([direct.handled, other.handled]).toEqual([["1 1"], []]);
    expect(world.letters().map(({ messages, outcome }) => [messages, outcome])).toEqual([
      [[`${planner}/0-7/9`], "unreadable"],
    ]);
    for (const { position } of [direct, other]) {
      expect(position(writer)).toEqual({ below: 0, pages: { "0-7": 3 } });
    }
  });

  it("MSG-67: in a group any of its members takes it, once", async () => {
    const world = createWorld();
    const options = { group: "workers", filter: { topic: "jobs" } };
    const members = [critic, helper].map((id) => world.consume(id, options));
    world.present(critic, helper);
    const id = world.arrive(planner, { topic: "jobs", content: 1 });
    await settle();
    world.arrive(writer, asked(id, { agent: "anon.gone", consumer: members[0]?.key }), redrive);
    await settle();
    expect(members.flatMap(({ handled }) => handled)).toEqual(["1 1", "1 1"]);
  });
});

describe("messages of one key", () => {
  it("MSG-68: one that repeats another that is done is passed in silence; it waits for one that is not", async () => {
    const world = createWorld();
    let open: () => void = () => undefined;
    let first = "";
    const consumer = world.consume(critic, {
      handle: () =>
        new Promise<void>((resolve) => {
          open = resolve;
        }),
      duplicateOf: async ({ id }, isDone) => (id === first ? undefined : { isDone: isDone(first) }),
    });
    first = world.arrive(planner, said("once", { idempotencyKey: "key" }));
    world.arrive(writer, said("twice", { idempotencyKey: "key" }));
    await settle();
    expect([consumer.handled, consumer.position(writer)]).toEqual([['"once" 1'], undefined]);
    open();
    await settle();
    world.clock.runNext();
    await settle();
    expect(consumer.handled).toEqual(['"once" 1']);
    expect(consumer.position(writer)).toEqual({ below: 0, pages: { "0-7": 1 } });
    expect([world.letters(), world.problems, world.clock.delays()]).toEqual([[], [], []]);
  });

  it("MSG-68: nobody is asked about a message without a key", async () => {
    const world = createWorld();
    let asked = 0;
    const consumer = world.consume(critic, {
      async duplicateOf() {
        asked++;
        return undefined;
      },
    });
    world.arrive(planner, said(1));
    await settle();
    expect([asked, consumer.handled]).toEqual([0, ["1 1"]]);
  });
});
