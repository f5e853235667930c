import { describe, expect, it } from "vitest";
import { createStore, FlockError } from "../../src/base/index.ts";
import type { Pen } from "../../src/crdt/index.ts";
import { deadLetterWriter } from "../../src/messaging/delivery/dead-letter-writer.ts";
import { redrive } from "../../src/messaging/delivery/redrive.ts";
import { openDeliveries } from "../../src/messaging/delivery/status.ts";
import { type DeadLetterBody, redriveKind } from "../../src/protocol/index.ts";
import { settle } from "../crdt/fake-relay.ts";
import { death, openLetters, past, publish, say, tried } from "./letters-world.ts";

async function setUp() {
  const world = await openLetters();
  const planner = await world.writer("planner");
  const critic = await world.writer("critic");
  await world.deadLetters.ready();
  const states = (id: string) =>
    world.deliveries.statusOf(id)?.map(({ agent, consumer, state }) => `${agent} ${consumer} ${state}`);
  /** What a promise comes to, as far as it has come. */
  const outcomes: unknown[] = [];
  function follow(promise: Promise<unknown>): void {
    promise.then(
      (value) => outcomes.push(value),
      (failure: FlockError) => outcomes.push(failure.code ?? failure.message),
    );
  }
  return { ...world, planner, critic, states, outcomes, follow };
}

describe("the status of a delivery", () => {
  it("MSG-123: it tells of each consumer that the message is for, and of no other", async () => {
    const { planner, critic, states } = await setUp();
    const id = await say(planner, { to: "critic", priority: 9 });
    expect(states(id)).toEqual([]);
    publish(critic, "direct/*");
    publish(critic, "urgent", { filter: { match: { priority: { gte: 8 } } } });
    publish(critic, "calm", { filter: { match: { priority: { lt: 8 } } } });
    publish(critic, "news", { filter: { topic: ">" } });
    publish(planner, "direct/*");
    expect(states(id)).toEqual(["anon.critic direct/* pending", "anon.critic urgent pending"]);
    publish(critic, "urgent", { lanes: tried(id, 2) });
    publish(critic, "direct/*", { lanes: past(id) });
    expect(states(id)).toEqual(["anon.critic direct/* acknowledged", "anon.critic urgent in-flight"]);
  });

  it("MSG-123: what is said to everybody is for all but its own agent", async () => {
    const { planner, critic, states } = await setUp();
    for (const pen of [planner, critic]) publish(pen, "direct/*");
    expect(states(await say(planner, { to: "*" }))).toEqual(["anon.critic direct/* pending"]);
    expect(states(await say(critic, { to: "planner" }))).toEqual(["anon.planner direct/* pending"]);
  });

  it.each<[DeadLetterBody["outcome"], string]>([
    ["exhausted", "dead"],
    ["terminated", "terminated"],
    ["expired", "expired"],
    ["cancelled", "cancelled"],
    ["unreadable", "unreadable"],
  ])("MSG-124: what was given up as %s is %s, with the reason", async (outcome, state) => {
    const { planner, critic, deliveries } = await setUp();
    const id = await say(planner, { to: "critic" });
    publish(critic, "work");
    await deadLetterWriter(critic)(death([id], { outcome, attempts: 3 }));
    const status = { agent: "anon.critic", consumer: "work", state, attempts: 3, reason: "it threw" };
    expect(deliveries.statusOf(id)).toEqual([status]);
    publish(critic, "work", { lanes: past(id) });
    expect(deliveries.statusOf(id)).toEqual([status]);
  });

  it("MSG-124: a redriven message is where its redrive is", async () => {
    const { planner, critic, deadLetters, states } = await setUp();
    const write = deadLetterWriter(critic);
    const id = await say(planner, { to: "critic" });
    publish(critic, "work");
    await write(death([id]));
    publish(critic, "work", { lanes: past(id) });
    const name = { id, agent: "anon.critic", consumer: "work" };
    const asked = await redrive(name, { writer: planner, deadLetters });
    expect(states(id)).toEqual(["anon.critic work pending"]);
    publish(critic, "work", { lanes: { ...past(id), ...tried(asked.id, 1) } });
    expect(states(id)).toEqual(["anon.critic work in-flight"]);
    await write(death([id], { outcome: "terminated" }), [asked.id]);
    expect(states(id)).toEqual(["anon.critic work terminated"]);
    const again = await redrive(name, { writer: critic, deadLetters });
    publish(critic, "work", { lanes: { ...past(id), ...past(again.id) } });
    expect(states(id)).toEqual(["anon.critic work acknowledged"]);
  });

  it("MSG-125: a group has one status, that of the member who is furthest", async () => {
    const { planner, critic, deliveries, writer } = await setUp();
    const helper = await writer("helper");
    const id = await say(planner, { topic: "jobs" });
    const group = { filter: { topic: "jobs" }, group: "workers" };
    for (const pen of [helper, critic]) publish(pen, "group:workers/work", group);
    publish(critic, "group:workers/work", { filter: { topic: "jobs" }, group: "workers" });
    const at = () => deliveries.statusOf(id);
    const status = { consumer: "group:workers/work", group: "workers", attempts: 0 };
    expect(at()).toEqual([{ ...status, agent: "anon.critic", state: "pending" }]);
    publish(helper, "group:workers/work", { lanes: past(id) });
    expect(at()).toEqual([{ ...status, agent: "anon.helper", state: "acknowledged" }]);
    await deadLetterWriter(helper)(death([id], { consumer: "group:workers/work" }));
    expect(at()).toMatchObject([{ agent: "anon.helper", state: "dead", attempts: 5 }]);
  });

  it("MSG-125: nobody's letter counts for a consumer that is not its agent's, or its group's", async () => {
    const { planner, critic, states, writer } = await setUp();
    const stranger = await writer("stranger");
    const id = await say(planner, { topic: "jobs" });
    publish(critic, "group:workers/work", { filter: { topic: "jobs" }, group: "workers", lanes: past(id) });
    await deadLetterWriter(stranger)(death([id], { consumer: "group:workers/work" }));
    publish(stranger, "group:workers/work", { filter: { topic: "jobs" }, group: "others" });
    expect(states(id)).toEqual([
      "anon.stranger group:workers/work dead",
      "anon.critic group:workers/work acknowledged",
    ]);
  });

  it("MSG-126: one who left for good and has not handled it is not waited for", async () => {
    const { planner, critic, states, writer } = await setUp();
    const helper = await writer("helper");
    const [one, two] = [await say(planner, { to: "*" }), await say(planner, { to: "*" })];
    publish(critic, "work");
    publish(helper, "work", { lanes: past(one) });
    helper.leave();
    expect(states(one)).toEqual(["anon.critic work pending", "anon.helper work acknowledged"]);
    expect(states(two)).toEqual(["anon.critic work pending"]);
  });

  it("MSG-126: what was passed is not called acknowledged before the dead letters are known", async () => {
    const { planner, critic, documents, clock, deadLetters } = await setUp();
    const id = await say(planner, { to: "critic" });
    publish(critic, "work", { lanes: past(id) });
    let isReady = false;
    const reading: typeof deadLetters = Object.create(deadLetters, { isReady: { get: () => isReady } });
    const deliveries = openDeliveries({ documents, deadLetters: reading, clock });
    expect(deliveries.statusOf(id)).toMatchObject([{ state: "pending" }]);
    isReady = true;
    expect(deliveries.statusOf(id)).toMatchObject([{ state: "acknowledged" }]);
  });

  it("MSG-123: of what is no message here nothing is told", async () => {
    const { planner, critic, deliveries } = await setUp();
    const asked = critic.append({ kind: redriveKind, parents: [], body: {} });
    await asked.shown();
    for (const id of [asked.id, `${planner.id}/0-1/99`, "7", ""])
      expect(deliveries.statusOf(id)).toBeUndefined();
  });
});

describe("waiting for a delivery", () => {
  async function setUpTwo() {
    const world = await setUp();
    const { planner, critic, writer } = world;
    const helper = await writer("helper");
    const id = await say(planner, { to: "*" });
    for (const pen of [critic, helper]) publish(pen, "work");
    const pass = (pen: Pen) => publish(pen, "work", { lanes: past(id) });
    return { ...world, helper, id, pass };
  }

  it("MSG-127: it ends once every consumer has settled the message", async () => {
    const { deliveries, critic, helper, id, pass, follow, outcomes } = await setUpTwo();
    follow(deliveries.wait(id));
    pass(critic);
    await settle();
    expect(outcomes).toEqual([]);
    await deadLetterWriter(helper)(death([id]));
    await settle();
    expect(outcomes).toMatchObject([[{ state: "acknowledged" }, { state: "dead" }]]);
    await expect(deliveries.wait(id)).resolves.toHaveLength(2);
  });

  it("MSG-127: at the time-out it tells how far they are, which is no error", async () => {
    const { deliveries, critic, id, pass, clock, follow, outcomes, planner } = await setUpTwo();
    const lonely = await say(planner, { to: "nobody" });
    const unknown = "anon.other.AAAAAAAAAAA/0-1/0";
    for (const each of [id, lonely, unknown]) follow(deliveries.wait(each, { timeoutMs: 100 }));
    await settle();
    clock.advance(99);
    pass(critic);
    await settle();
    expect(outcomes).toEqual([]);
    clock.advance(1);
    await settle();
    expect(outcomes).toMatchObject([[{ state: "acknowledged" }, { state: "pending" }], [], []]);
    follow(deliveries.wait(id, { timeoutMs: Number.POSITIVE_INFINITY }));
    clock.advance(1_000_000);
    await settle();
    expect(outcomes).toHaveLength(3);
  });

  it("MSG-127: a message that nobody consumes, or that has not come, waits for either", async () => {
    const { deliveries, planner, critic, follow, outcomes } = await setUp();
    const id = await say(planner, { to: "critic" });
    const [page = ""] = id.match(/.*\//) ?? [];
    follow(deliveries.wait(id));
    follow(deliveries.wait(`${page}1`));
    await settle();
    publish(critic, "work", { lanes: past(id) });
    await settle();
    expect(outcomes).toHaveLength(1);
    const next = await say(planner, { to: "critic" });
    publish(critic, "work", { lanes: past(next) });
    await settle();
    expect(outcomes).toMatchObject([[{ state: "acknowledged" }], [{ state: "acknowledged" }]]);
  });

  it("MSG-128: it ends with the signal, with the room, and with what can't be waited for", async () => {
    const { deliveries, id, critic, documents } = await setUpTwo();
    const code = (code: string) => expect.objectContaining({ code });
    const gone = new AbortController();
    const aborted = expect(deliveries.wait(id, { signal: gone.signal })).rejects.toThrow("gone");
    gone.abort(new Error("gone"));
    await aborted;
    await expect(deliveries.wait(id, { signal: gone.signal })).rejects.toThrow("gone");
    await expect(deliveries.wait("7")).rejects.toEqual(code("messaging/invalid-message"));
    const other = critic.append({ kind: redriveKind, parents: [], body: {} });
    await other.shown();
    await expect(deliveries.wait(other.id)).rejects.toEqual(code("messaging/invalid-message"));
    for (const timeoutMs of [-1, Number.NaN]) {
      await expect(deliveries.wait(id, { timeoutMs })).rejects.toEqual(code("messaging/invalid-options"));
    }
    const listeners = documents.registerChanged.size;
    const closed = expect(deliveries.wait(id)).rejects.toEqual(code("crdt/closed"));
    await settle();
    deliveries.close();
    await closed;
    await expect(deliveries.wait(id)).rejects.toEqual(code("crdt/closed"));
    expect(documents.registerChanged.size).toBe(listeners - 2);
  });

  it("MSG-128: a message in history is found there, again once it may be in reach, and what retention took is told", async () => {
    const { documents, deadLetters, clock, planner, critic, id, pass, helper, follow, outcomes } =
      await setUpTwo();
    const entry = documents.log.get(id);
    const online = createStore(false);
    let failure: FlockError | undefined;
    let first = 0;
    let reads = 0;
    const sealed = {
      ...documents,
      online,
      registerChanged: documents.registerChanged,
      log: { ...documents.log, get: () => undefined, pages: documents.log.pages, added: documents.log.added },
      history: {
        ...documents.history,
        marks: () => ({ first, low: first }) as never,
        async entry() {
          reads++;
          if (failure) throw failure;
          return entry;
        },
      },
    } as unknown as typeof documents;
    const deliveries = openDeliveries({ documents: sealed, deadLetters, clock });
    failure = new FlockError("refstore/unavailable", "out of reach");
    follow(deliveries.wait(id));
    await settle();
    pass(critic);
    pass(helper);
    await settle();
    expect([outcomes, reads]).toEqual([[], 1]);
    failure = undefined;
    online.set(true);
    await settle();
    expect(outcomes).toMatchObject([[{ state: "acknowledged" }, { state: "acknowledged" }]]);
    failure = new FlockError("crdt/history-corrupt", "it lies");
    await expect(deliveries.wait(id)).rejects.toMatchObject({ code: "crdt/history-corrupt" });
    failure = new FlockError("crdt/history-lost", "it is gone");
    await expect(deliveries.wait(id)).rejects.toMatchObject({ code: "messaging/gap" });
    failure = undefined;
    first = 1;
    await expect(deliveries.wait(id)).rejects.toMatchObject({ code: "messaging/gap", details: { id } });
    expect(planner.id).toBe(entry?.writer);
  });
});
