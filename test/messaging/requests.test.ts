import { describe, expect, it, onTestFinished } from "vitest";
import {
  type Agent,
  createInMemoryPersistence,
  type FlockError,
  type HandlerContext,
  openRoom,
  type Progress,
  type ReceivedMessage,
  type Room,
  type RoomPlatform,
} from "../../src/index.ts";
import { createInMemoryStore } from "../../src/refstore/index.ts";
import { createManualClock, type ManualClock, until } from "../refstore/manual-clock.ts";

/** A room of its own, on a clock that the test moves. */
async function open(platform: RoomPlatform & { clock: ManualClock } = { clock: createManualClock() }) {
  const room = await openRoom("team", { platform });
  onTestFinished(() => room.close());
  const problems: FlockError[] = [];
  room.onProblem((problem) => problems.push(problem));
  return { room, problems, clock: platform.clock };
}

/** Two agents of one room; what `critic` is asked waits in `asked`. */
async function openPair() {
  const opened = await open();
  const [planner, critic] = [await opened.room.agent("planner"), await opened.room.agent("critic")];
  const asked: { message: ReceivedMessage; context: HandlerContext; done(): void }[] = [];
  critic.onMessage(
    { type: "QUERY" },
    (message, context) =>
      new Promise<void>((done, fail) => {
        context.signal.addEventListener("abort", () => fail(context.signal.reason));
        asked.push({ message, context, done });
      }),
    { order: "none", maxInFlight: 8 },
  );
  return { ...opened, planner, critic, asked };
}

const query = (to: string, content: string | number = "?") => ({ to, type: "QUERY", content });
const codes = (problems: readonly FlockError[]): string[] => problems.map(({ code }) => code);

/** Answers every request of a type with what `answer` makes of its content. */
function answering(agent: Agent, answer: (content: unknown) => string, filter: { topic?: string } = {}) {
  return agent.onMessage({ type: "QUERY", ...filter }, async (message, { respond }) => {
    await respond(answer(message.content));
  });
}

/** The entries of a kind that are live in a room. */
async function entriesOf(room: Room, kind: string) {
  const found: unknown[] = [];
  for await (const { body } of room.history({ kind })) found.push(body);
  return found;
}

describe("a request", () => {
  it("REQ-1: resolves with the reply of whoever was asked", async () => {
    const { room, problems } = await open();
    const [planner, critic] = [await room.agent("planner"), await room.agent("critic")];
    answering(critic, (content) => `re: ${content}`);
    const reply = await planner.request(query("critic", "done?"));
    expect(reply).toMatchObject({
      content: "re: done?",
      from: "anon.critic",
      role: "reply",
      to: planner.writer,
      type: "QUERY_RESPONSE",
    });
    const replies = await Promise.all([1, 2, 3].map((n) => planner.request(query("anon.critic", n))));
    expect(replies.map(({ content }) => content)).toEqual(["re: 1", "re: 2", "re: 3"]);
    expect(problems).toEqual([]);
  });

  it("REQ-1: resolves with a reply that travels by reference, to a request that does", async () => {
    const { room } = await open();
    const [planner, critic] = [await room.agent("planner"), await room.agent("critic")];
    critic.onMessage({ type: "tool_result" }, ({ content }, { respond }) => respond(content));
    const rows = Array.from({ length: 5_000 }, (_, index) => ({ index }));
    const reply = await planner.request({ to: "critic", type: "tool_result", content: rows });
    expect(reply.reference).toBeDefined();
    expect(reply.content).toEqual(rows);
  });

  it("REQ-1: takes the first reply, and thinks nothing of a further one", async () => {
    const { planner, asked, problems, room } = await openPair();
    const reply = planner.request(query("critic"));
    await until(() => asked.length === 1);
    for (const content of ["first", "second"]) await asked[0]?.context.respond(content);
    expect((await reply).content).toBe("first");
    await until(() =>
      room.messages
        .get()
        .filter(({ role }) => role === "reply")
        .every(({ stage }) => stage === "delivered"),
    );
    expect(problems).toEqual([]);
  });

  it("REQ-2: carries its deadline, and ends at it; a reply that comes later is told as late", async () => {
    const { planner, asked, clock, problems } = await openPair();
    const request = planner.request(query("critic"), { timeoutMs: 5_000 });
    const failed = expect(request).rejects.toMatchObject({ code: "messaging/expired" });
    await until(() => asked.length === 1);
    expect(asked[0]?.message.expiresAt).toBe(clock.now() + 5_000);
    clock.advance(5_000);
    await failed;
    const late = await asked[0]?.context.respond("late");
    await until(() => problems.length === 1);
    expect(problems[0]).toMatchObject({
      code: "messaging/late-reply",
      details: { from: "anon.critic", reply: late?.id, request: asked[0]?.message.id },
    });
  });

  it("REQ-2: within another it ends no later than that one", async () => {
    const { planner, asked, clock } = await openPair();
    const within = { expiresAt: clock.now() + 1_000 };
    const failed = expect(planner.request(query("critic"), { within })).rejects.toMatchObject({
      code: "messaging/expired",
    });
    await until(() => asked.length === 1);
    expect(asked[0]?.message.expiresAt).toBe(within.expiresAt);
    clock.advance(1_000);
    await failed;
    await expect(planner.request(query("critic"), { within })).rejects.toMatchObject({
      code: "messaging/expired",
    });
    expect(asked.length).toBe(1);
  });

  it("REQ-2: past its deadline nobody handles it", async () => {
    const { room, clock } = await open();
    const planner = await room.agent("planner");
    const request = expect(planner.request(query("critic"), { timeoutMs: 1_000 })).rejects.toMatchObject({
      code: "messaging/expired",
    });
    await until(() => room.messages.get().length === 1);
    clock.advance(1_000);
    await request;
    const critic = await room.agent("critic");
    const handled: unknown[] = [];
    critic.onMessage({}, ({ content }) => handled.push(content));
    await planner.send(query("critic", "after it"));
    await until(() => handled.length > 0);
    expect(handled).toEqual(["after it"]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])(
    "REQ-3: can't wait for %d ms",
    async (ms) => {
      const { room } = await open();
      const planner = await room.agent("planner");
      const wrong = { code: "messaging/invalid-options" };
      await expect(planner.request(query("critic"), { timeoutMs: ms })).rejects.toMatchObject(wrong);
      for (const options of [{ totalMs: ms }, { stallMs: ms }, { max: Math.min(ms, 0.5) }]) {
        expect(() => planner.requestMany(query("critic"), options)).toThrow(expect.objectContaining(wrong));
      }
      expect(room.messages.get()).toEqual([]);
    },
  );

  it("REQ-3: rejects as sending does, and sends nothing", async () => {
    const { room } = await open();
    const planner = await room.agent("planner");
    const wrong = { code: "messaging/invalid-message" };
    await expect(planner.request({ ...query("critic"), type: "no type" })).rejects.toMatchObject(wrong);
    await expect(planner.requestMany({ ...query("critic"), type: "" }).next()).rejects.toMatchObject(wrong);
    expect(room.messages.get()).toEqual([]);
  });

  it.each([
    ["by its type", { type: "ERROR" }, "no such plan", "no such plan"],
    ["by its metadata", { metadata: { error: true } }, { code: "E7", message: "gone" }, "gone"],
    ["without words", { type: "ERROR" }, [1], "[1]"],
  ])("REQ-4: rejects where the reply is an error, %s", async (_, options, content, message) => {
    const { planner, asked } = await openPair();
    const request = planner.request(query("critic"));
    const failed = expect(request).rejects.toMatchObject({
      code: "messaging/request-failed",
      message: expect.stringContaining(message),
      details: { from: "anon.critic", message },
    });
    await until(() => asked.length === 1);
    await asked[0]?.context.respond(content, options);
    await failed;
  });

  it("REQ-5: an agent that was not asked can't answer", async () => {
    const { room, planner, asked, problems } = await openPair();
    const mallory = await room.agent("mallory");
    const request = planner.request(query("critic"));
    await until(() => asked.length === 1);
    const { message, context } = asked[0] as (typeof asked)[number];
    const forged = await mallory.respond(message, { content: "forged" });
    await until(() => problems.length === 1);
    expect(problems[0]).toMatchObject({
      code: "messaging/foreign-reply",
      details: { from: "anon.mallory", reply: forged.id, request: message.id },
    });
    await context.respond("true");
    expect((await request).content).toBe("true");
    const after = await mallory.respond(message, { content: "forged again" });
    await until(() => problems.length === 2);
    expect(problems[1]?.details).toMatchObject({ reply: after.id });
  });

  it("REQ-6: is taken back at an abort, which its handler hears of", async () => {
    const { room, planner, asked, problems } = await openPair();
    const controller = new AbortController();
    const reason = new Error("changed my mind");
    const request = planner.request(query("critic"), { signal: controller.signal });
    await until(() => asked.length === 1);
    controller.abort(reason);
    await expect(request).rejects.toBe(reason);
    const { message, context } = asked[0] as (typeof asked)[number];
    await until(() => context.signal.aborted);
    expect(context.signal.reason).toMatchObject({ code: "messaging/cancelled" });
    expect(await entriesOf(room, "cancel")).toEqual([{ request: message.id, reason: "changed my mind" }]);
    await until(async () => (await entriesOf(room, "dead-letter")).length === 1);
    expect(await entriesOf(room, "dead-letter")).toMatchObject([
      { messages: [message.id], outcome: "cancelled" },
    ]);
    expect(asked.length).toBe(1);
    expect(codes(problems).filter((code) => code !== "messaging/handler-failed")).toEqual([]);
  });

  it("REQ-6: taken back before it was handled it never is", async () => {
    const { room } = await open();
    const planner = await room.agent("planner");
    const controller = new AbortController();
    const request = planner.request(query("critic"), { signal: controller.signal });
    await until(() => room.messages.get().length === 1);
    controller.abort();
    await expect(request).rejects.toMatchObject({ name: "AbortError" });
    const critic = await room.agent("critic");
    const handled: unknown[] = [];
    critic.onMessage({}, ({ content }) => handled.push(content));
    await planner.send(query("critic", "after it"));
    await until(() => handled.length > 0);
    expect(handled).toEqual(["after it"]);
  });

  it("REQ-6: aborted while it is sent it is taken back once it is, and aborted before it is not sent", async () => {
    const { room } = await open();
    const planner = await room.agent("planner");
    // The first is not sent before it is stored that this agent asks.
    void planner.request(query("critic")).catch(() => undefined);
    await until(() => room.messages.get().length === 1);
    const controller = new AbortController();
    const rows = Array.from({ length: 5_000 }, (_, index) => ({ index }));
    const request = planner.request({ to: "critic", type: "tool_result", content: rows }, controller);
    await Promise.resolve();
    controller.abort();
    await expect(request).rejects.toMatchObject({ name: "AbortError" });
    await until(async () => (await entriesOf(room, "cancel")).length === 1);
    await expect(planner.request(query("critic"), controller)).rejects.toMatchObject({ name: "AbortError" });
    expect(room.messages.get().length).toBe(2);
  });

  it("REQ-7: ends with the agent, in every stage", async () => {
    const { room, planner, asked } = await openPair();
    const closed = { code: "room/closed" };
    const requests = [planner.request(query("critic")), planner.requestMany(query("critic")).next()];
    await until(() => asked.length === 2);
    requests.push(planner.request(query("critic")), planner.requestMany(query("critic")).next());
    const failed = Promise.all(requests.map((each) => expect(each).rejects.toMatchObject(closed)));
    await planner.close();
    await failed;
    await expect(planner.request(query("critic"))).rejects.toMatchObject(closed);
    expect(() => planner.requestMany(query("critic"))).toThrow(expect.objectContaining(closed));
    await room.close();
  });

  it("REQ-8: a reply that comes after a reload is told", async () => {
    const persistence = { ...createInMemoryPersistence(), durable: true };
    const references = createInMemoryStore();
    const platform = () => ({
      clock: createManualClock(),
      persistence,
      openTabChannel: false as const,
      openReferences: async () => ({ ...references, close: async () => undefined }),
    });
    const before = await open(platform());
    const first = await before.room.agent("planner");
    const request = expect(first.request(query("critic"))).rejects.toMatchObject({ code: "room/closed" });
    await until(() => before.room.messages.get().length === 1);
    await before.room.close();
    await request;
    const { room, problems } = await open(platform());
    await room.agent("planner");
    const critic = await room.agent("critic");
    answering(critic, () => "late");
    await until(() => problems.length === 1);
    expect(problems[0]).toMatchObject({ code: "messaging/late-reply", details: { from: "anon.critic" } });
  });

  it("REQ-9: progress of whoever was asked reaches whoever asked, the last of it before the reply", async () => {
    const { room, planner, asked } = await openPair();
    const heard: Progress[] = [];
    const request = planner.request(query("critic"), {
      onProgress: (progress) => void heard.push(progress),
    });
    await until(() => asked.length === 1);
    const { message, context } = asked[0] as (typeof asked)[number];
    for (const done of [0.1, 0.2, 0.9]) context.progress({ done });
    await until(() => heard.length === 1);
    await context.respond("done");
    await request;
    expect(heard.map(({ done }) => done)).toEqual([0.1, 0.9]);
    expect(heard[0]).toMatchObject({ from: "anon.critic", at: expect.any(Number) });
    expect(await entriesOf(room, "progress")).toContainEqual({ of: message.id, done: 0.9 });
  });
});

/** Gathers what is left of an iterable. */
async function gather(replies: AsyncIterable<ReceivedMessage>): Promise<unknown[]> {
  const contents: unknown[] = [];
  for await (const { content } of replies) contents.push(content);
  return contents;
}

describe("a request of many", () => {
  /** A chair, and voters who listen to a topic. */
  async function openPoll(...names: string[]) {
    const opened = await open();
    const chair = await opened.room.agent("chair");
    const voters: Agent[] = [];
    for (const name of names) voters.push(await opened.room.agent(name));
    for (const voter of voters) answering(voter, () => voter.name, { topic: "votes" });
    return { ...opened, chair, voters };
  }
  const ballot = { topic: "votes", type: "QUERY", content: "?" };

  it("REQ-10: gathers the replies of a topic's agents until there are enough", async () => {
    const { chair, problems } = await openPoll("ann", "bob", "cem");
    const votes = await gather(chair.requestMany(ballot, { max: 3 }));
    expect(votes.toSorted()).toEqual(["ann", "bob", "cem"]);
    expect(await gather(chair.requestMany(ballot, { max: 1 }))).toHaveLength(1);
    expect(problems).toEqual([]);
  });

  it("REQ-10: gathers of every agent, and errors are replies", async () => {
    const { room } = await open();
    const chair = await room.agent("chair");
    for (const name of ["ann", "bob"]) {
      const agent = await room.agent(name);
      agent.onMessage({ type: "QUERY" }, (_, { respond }) => respond(name, { type: "ERROR" }));
    }
    const votes = await gather(chair.requestMany({ ...query("*"), type: "QUERY" }, { max: 2 }));
    expect(votes.toSorted()).toEqual(["ann", "bob"]);
  });

  it("REQ-11: ends quietly after its total time, with what came until then", async () => {
    const { chair, clock } = await openPoll("ann");
    const replies = chair.requestMany(ballot, { totalMs: 2_000 });
    expect((await replies.next()).value?.content).toBe("ann");
    const next = replies.next();
    clock.advance(2_000);
    expect(await next).toEqual({ value: undefined, done: true });
    expect(await replies.next()).toEqual({ value: undefined, done: true });
  });

  it("REQ-11: ends quietly where no further reply comes for the stall time, which the first has not", async () => {
    const quiet = await openPoll();
    let hasEnded = false;
    const first = quiet.chair.requestMany(ballot, { stallMs: 100, totalMs: 60_000 }).next();
    void first.then(() => {
      hasEnded = true;
    });
    await until(() => quiet.room.messages.get().length === 1);
    quiet.clock.advance(59_999);
    await until(() => quiet.clock.delays().includes(1));
    expect(hasEnded).toBe(false);
    quiet.clock.advance(1);
    expect(await first).toEqual({ value: undefined, done: true });
    const poll = await openPoll("ann", "bob");
    const replies = poll.chair.requestMany(ballot, { stallMs: 100 });
    const votes = [(await replies.next()).value?.content, (await replies.next()).value?.content];
    expect(votes.toSorted()).toEqual(["ann", "bob"]);
    const end = replies.next();
    poll.clock.advance(100);
    expect(await end).toEqual({ value: undefined, done: true });
  });

  it("REQ-11: each reply begins the stall time anew", async () => {
    const { planner, asked, clock } = await openPair();
    const replies = planner.requestMany(query("critic"), { stallMs: 100 });
    const got: unknown[] = [];
    const gathering = (async () => {
      for await (const { content } of replies) got.push(content);
    })();
    await until(() => asked.length === 1);
    for (const content of [1, 2, 3]) {
      await asked[0]?.context.respond(content);
      await until(() => got.length === content);
      clock.advance(80);
    }
    clock.advance(20);
    await gathering;
    expect(got).toEqual([1, 2, 3]);
  });

  it("REQ-11: ends at the reply that only says so", async () => {
    const { room } = await open();
    const [chair, clerk] = [await room.agent("chair"), await room.agent("clerk")];
    clerk.onMessage({ type: "QUERY" }, async (_, { respond }) => {
      for (const content of [1, 2, "end", 3]) await respond(content);
    });
    const until = ({ content }: ReceivedMessage) => content === "end";
    expect(await gather(chair.requestMany(query("clerk"), { until }))).toEqual([1, 2]);
    const failing = gather(
      chair.requestMany(query("clerk"), {
        until() {
          throw new TypeError("mine");
        },
      }),
    );
    await expect(failing).rejects.toThrow("mine");
  });

  it("REQ-12: is taken back by whoever leaves the loop, and by an abort", async () => {
    const { room, planner, asked, problems } = await openPair();
    const left = (async () => {
      for await (const { content } of planner.requestMany(query("critic"))) return content;
      return undefined;
    })();
    await until(() => asked.length === 1);
    const { context } = asked[0] as (typeof asked)[number];
    await context.respond("enough");
    expect(await left).toBe("enough");
    await until(() => context.signal.aborted);
    expect(await entriesOf(room, "cancel")).toHaveLength(1);
    const controller = new AbortController();
    const aborted = gather(planner.requestMany(query("critic"), controller));
    await until(() => asked.length === 2);
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
    expect(await entriesOf(room, "cancel")).toHaveLength(2);
    expect(codes(problems)).not.toContain("messaging/late-reply");
  });

  it("REQ-12: ends at once where it is left while a reply is waited for", async () => {
    const { planner, asked } = await openPair();
    const replies = planner.requestMany(query("critic"));
    const waiting = [replies.next(), replies.next()];
    await until(() => asked.length === 1);
    await replies.return?.();
    expect(await Promise.all(waiting)).toEqual([
      { value: undefined, done: true },
      { value: undefined, done: true },
    ]);
  });

  it("REQ-12: is not sent before its first reply is asked for", async () => {
    const { room, clock, planner } = await openPair();
    const before = clock.delays().length;
    const unread = planner.requestMany(query("critic"));
    await unread.return?.();
    planner.requestMany(query("critic"));
    await planner.send({ topic: "news", type: "STATUS", content: "here" });
    expect(room.messages.get().map(({ content }) => content)).toEqual(["here"]);
    expect(clock.delays().length).toBeLessThanOrEqual(before + 1);
  });

  it("REQ-12: gives every reply once, in whatever way it is read", async () => {
    const { room } = await open();
    const [chair, clerk] = [await room.agent("chair"), await room.agent("clerk")];
    clerk.onMessage({ type: "QUERY" }, async (_, { respond }) => {
      for (const content of [1, 2, 3, 4]) await respond(content);
    });
    const replies = chair.requestMany(query("clerk"), { max: 4 });
    const steps = await Promise.all(Array.from({ length: 5 }, () => replies.next()));
    expect(steps.map(({ value }) => value?.content)).toEqual([1, 2, 3, 4, undefined]);
  });
});
