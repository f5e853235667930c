import { describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod";
import {
  type Agent,
  defineService,
  type FlockError,
  openRoom,
  type Progress,
  type Room,
  type ServiceContext,
  type StandardSchema,
} from "../../src/index.ts";
import { createSimulation, type Simulation } from "../../src/testing/index.ts";
import { relayCode } from "../properties/flock.ts";
import { createManualClock, until } from "../refstore/manual-clock.ts";

/** A schema that answers in its own time. */
const slow: StandardSchema<string, string> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: async (value) =>
      typeof value === "string" ? { value: value.toUpperCase() } : { issues: [{ message: "no text" }] },
  },
};

const lab = defineService("lab", {
  add: { input: z.object({ a: z.number(), b: z.number().default(1) }), output: z.number() },
  echo: { input: z.unknown(), output: z.unknown() },
  shout: { input: slow, output: slow },
  ping: { input: z.void(), output: z.void() },
  length: { input: z.string(), output: z.string().transform((text) => text.length) },
  fail: { input: z.string(), output: z.string() },
  hold: { input: z.unknown(), output: z.string() },
});

interface Held {
  readonly input: unknown;
  readonly context: ServiceContext;
  end(output: string): void;
}

/** Serves the lab; what is held waits in `held`. */
function serveLab(agent: Agent) {
  const held: Held[] = [];
  const calls: string[] = [];
  const stop = agent.serve(lab, {
    add: ({ a, b }, { from }) => {
      calls.push(`add ${from}`);
      return a + b;
    },
    echo: (value) => {
      calls.push("echo");
      return value;
    },
    shout: (text) => `${text}!`,
    ping: () => undefined,
    length: (text) => text,
    fail: (text) => {
      throw new RangeError(text);
    },
    hold: (input, context) =>
      new Promise<string>((end, fail) => {
        context.signal.addEventListener("abort", () => fail(context.signal.reason));
        held.push({ input, context, end });
      }),
  });
  return { held, calls, stop };
}

type LabClient = ReturnType<typeof clientOf>;
const clientOf = (agent: Agent, to = "server") => agent.service(lab, { to });

/** What holds of a call wherever its service is; `wait` waits on the world's clock. */
async function examine(client: LabClient, wait: <T>(promise: Promise<T>) => Promise<T>): Promise<void> {
  expect(await wait(client.add({ a: 1, b: 2 }))).toBe(3);
  expect(await wait(client.add({ a: 1 }))).toBe(2);
  expect(await wait(client.add({ a: 1, b: undefined }))).toBe(2);
  expect(await wait(client.ping())).toBeUndefined();
  expect(await wait(client.length("four"))).toBe(4);
  expect(await wait(client.shout("hey"))).toBe("HEY!");
  const nested = { list: [1, null, { deep: "x" }], none: undefined };
  expect(await wait(client.echo(nested))).toStrictEqual({ list: [1, null, { deep: "x" }] });
  expect(await wait(client.echo(null))).toBeNull();
  const failures: [() => Promise<unknown>, object][] = [
    [
      () => client.add({ a: "one" as never }),
      {
        code: "messaging/invalid-content",
        message: expect.stringContaining("lab.add does not fit its schema at a"),
      },
    ],
    [() => client.shout(1 as never), { code: "messaging/invalid-content" }],
    [() => client.echo(new Map()), { code: "messaging/invalid-content" }],
    [() => client.echo(Number.NaN), { code: "messaging/invalid-content" }],
    [
      () => client.fail("broken"),
      { code: "messaging/request-failed", message: "broken", details: { to: "server", method: "lab.fail" } },
    ],
  ];
  for (const [call, failure] of failures) {
    const outcome = await wait(call().catch((reason: unknown) => reason));
    expect(outcome).toMatchObject(failure);
    expect(JSON.stringify((outcome as FlockError).details)).not.toContain(".ts:");
  }
}

/** Two agents of one room, on a clock that stands still. */
async function openHere() {
  const clock = createManualClock();
  const room = await openRoom("team", { platform: { clock } });
  onTestFinished(() => room.close());
  const problems: string[] = [];
  room.onProblem(({ code }) => problems.push(code));
  const [server, asker] = [await room.agent("server"), await room.agent("asker")];
  return { room, clock, problems, server, asker };
}

describe("a service of an agent here", () => {
  it("REQ-22: is called past the room, checked as elsewhere", async () => {
    const { room, asker, server, problems } = await openHere();
    const { calls } = serveLab(server);
    await examine(clientOf(asker), (promise) => promise);
    expect(await clientOf(asker, "anon.server").add({ a: 1 })).toBe(2);
    expect(await clientOf(asker, server.writer).add({ a: 1 })).toBe(2);
    expect(calls[0]).toBe("add anon.asker");
    expect(room.messages.get()).toEqual([]);
    expect(problems).toEqual([]);
  });

  it("REQ-22: gets copies, and so does whoever called", async () => {
    const { asker, server } = await openHere();
    const kept: { list: number[] }[] = [];
    server.serve(lab, {
      ...({} as Parameters<typeof server.serve<typeof lab.methods>>[1]),
      echo: (value) => {
        kept.push(value as { list: number[] });
        return value;
      },
    });
    const given = { list: [1] };
    const call = clientOf(asker).echo(given);
    given.list.push(2);
    const got = (await call) as { list: number[] };
    got.list.push(3);
    kept[0]?.list.push(4);
    expect([given.list, got.list, kept[0]?.list]).toEqual([
      [1, 2],
      [1, 3],
      [1, 4],
    ]);
  });

  it("REQ-23: ends at its deadline, and at an abort, which its method hears of", async () => {
    const { asker, server, clock } = await openHere();
    const { held } = serveLab(server);
    const client = clientOf(asker);
    const late = expect(client.hold(1, { timeoutMs: 1_000 })).rejects.toMatchObject({
      code: "messaging/expired",
    });
    await until(() => held.length === 1);
    expect(held[0]?.context.expiresAt).toBe(clock.now() + 1_000);
    clock.advance(1_000);
    await late;
    expect(held[0]?.context.signal.reason).toMatchObject({ code: "messaging/expired" });
    const controller = new AbortController();
    const aborted = expect(
      client.hold(2, { signal: controller.signal, timeoutMs: 23_456 }),
    ).rejects.toMatchObject({ name: "AbortError" });
    await until(() => held.length === 2);
    controller.abort();
    await aborted;
    expect(held[1]?.context.signal.aborted).toBe(true);
    await expect(client.hold(3, controller)).rejects.toMatchObject({ name: "AbortError" });
    await expect(client.hold(4, { timeoutMs: 0 })).rejects.toMatchObject({
      code: "messaging/invalid-options",
    });
    const within = { expiresAt: clock.now() };
    await expect(client.hold(5, { within })).rejects.toMatchObject({ code: "messaging/expired" });
    expect(held.length).toBe(2);
    expect(clock.delays()).not.toContain(23_456);
  });

  it("REQ-23: ends with the agent that calls; where the one that serves closes, the call waits for it in the lane", async () => {
    const { room, asker, server } = await openHere();
    const { held } = serveLab(server);
    const call = clientOf(asker).hold("x");
    await until(() => held.length === 1);
    await server.close();
    expect(held[0]?.context.signal.reason).toMatchObject({ code: "room/closed" });
    await until(() => room.messages.get().length === 1);
    const again = serveLab(await room.agent("server"));
    await until(() => again.held.length === 1);
    again.held[0]?.end("after all");
    expect(await call).toBe("after all");
    const client = clientOf(asker);
    const ended = expect(client.hold("y")).rejects.toMatchObject({ code: "room/closed" });
    await until(() => again.held.length === 2);
    await asker.close();
    await ended;
    await expect(client.hold("z")).rejects.toMatchObject({ code: "room/closed" });
  });

  it("REQ-23: tells its caller how far it has come", async () => {
    const { asker, server } = await openHere();
    const { held } = serveLab(server);
    const heard: Progress[] = [];
    const call = clientOf(asker).hold("x", { onProgress: (progress) => void heard.push(progress) });
    await until(() => held.length === 1);
    for (const done of [0.1, 0.5, 0.9]) held[0]?.context.progress({ done });
    held[0]?.end("done");
    await call;
    expect(heard.map(({ done, from }) => [done, from])).toEqual([
      [0.1, "anon.server"],
      [0.9, "anon.server"],
    ]);
  });

  it("REQ-22: is served once by an agent, until it is not", async () => {
    const { server, asker, room } = await openHere();
    const { stop } = serveLab(server);
    expect(() => serveLab(server)).toThrow(expect.objectContaining({ code: "messaging/consumer-exists" }));
    stop();
    stop();
    const { calls } = serveLab(server);
    expect(await clientOf(asker).add({ a: 1 })).toBe(2);
    expect(calls).toEqual(["add anon.asker"]);
    expect(room.messages.get()).toEqual([]);
  });

  it.each([
    ["no name", {}],
    ["x".repeat(57), {}],
    ["lab", Object.fromEntries(["then"].map((name) => [name, { input: z.string(), output: z.string() }]))],
    ["lab", { "a b": { input: z.string(), output: z.string() } }],
    ["lab", { ["__proto__"]: { input: z.string(), output: z.string() } }],
  ])("REQ-22: %j with %j can't be defined", (name, methods) => {
    expect(() => defineService(name, methods)).toThrow(
      expect.objectContaining({ code: "messaging/invalid-options" }),
    );
  });
});

/** An agent that serves at home, and one that asks from abroad, both at the relay. */
async function simulate(seed: number) {
  const simulation = createSimulation({ seed, relay: relayCode });
  onTestFinished(() => simulation.close());
  const wait = <T>(promise: Promise<T>): Promise<T> => simulation.until(promise);
  const [home, abroad] = [simulation.replica("home"), simulation.replica("abroad")];
  const [there, here] = [await wait(home.open("lab")), await wait(abroad.open("lab"))];
  const server = await wait(there.agent("server"));
  const asker = await wait(here.agent("asker"));
  const problems: string[] = [];
  here.onProblem(({ code }) => problems.push(code));
  return { simulation, wait, home, abroad, there, here, server, asker, problems };
}

/** Until an agent is known to serve, to whoever asks. */
async function untilServed(simulation: Simulation, here: Room): Promise<void> {
  await simulation.untilTrue(() => here.agents.get().some(({ name, online }) => name === "server" && online));
  await simulation.advance(2_000);
}

const messagesOf = (room: Room): unknown[] => room.messages.get().map(({ type, role }) => `${role} ${type}`);

describe("a service elsewhere", () => {
  it("REQ-24: is called by signals while its agent is within reach, and leaves nothing in lanes", async () => {
    const { simulation, wait, here, server, asker, problems } = await simulate(1);
    const { calls } = serveLab(server);
    await untilServed(simulation, here);
    await examine(clientOf(asker), wait);
    expect(calls).toContain("add anon.asker");
    expect(messagesOf(here)).toEqual([]);
    expect(problems).toEqual([]);
  });

  it("REQ-24: answers by its lane what no signal holds, and takes such an input", async () => {
    const { simulation, wait, here, server, asker } = await simulate(2);
    const { calls } = serveLab(server);
    await untilServed(simulation, here);
    const large = "x".repeat(100_000);
    expect(await wait(clientOf(asker).echo(large))).toBe(large);
    expect(calls).toEqual(["echo"]);
    const fewer = Array.from({ length: 3 }, (_, index) => clientOf(asker).add({ a: index }));
    expect(await wait(Promise.all(fewer))).toEqual([1, 2, 3]);
  });

  it("REQ-25: is called by a message where it is not within reach", async () => {
    const { simulation, wait, home, here, server, asker } = await simulate(3);
    const { calls } = serveLab(server);
    await untilServed(simulation, here);
    home.partition();
    const call = clientOf(asker).add({ a: 1 }, { timeoutMs: 300_000 });
    await simulation.advance(10_000);
    expect(messagesOf(here)).toEqual(["request service.lab"]);
    home.heal();
    expect(await wait(call)).toBe(2);
    expect(calls).toEqual(["add anon.asker"]);
  });

  it("REQ-25: is called by messages before it is known who serves, with the same outcome", async () => {
    const { wait, here, server, asker } = await simulate(4);
    serveLab(server);
    await examine(clientOf(asker), wait);
    expect(messagesOf(here)).toContain("request service.lab");
  });

  it("REQ-26: executes a call once whose answer was lost on the way", async () => {
    const { simulation, wait, home, here, server, asker } = await simulate(5);
    const { held } = serveLab(server);
    await untilServed(simulation, here);
    const call = clientOf(asker).hold("x", { timeoutMs: 300_000 });
    await simulation.untilTrue(() => held.length === 1);
    await simulation.advance(500);
    home.partition();
    held[0]?.end("once");
    await simulation.advance(5_000);
    expect(messagesOf(here)).toEqual(["request service.lab"]);
    home.heal();
    expect(await wait(call)).toBe("once");
    expect(held.length).toBe(1);
  });

  it("REQ-26: a call is taken back where it runs, by a signal or by a message", async () => {
    const { simulation, wait, here, server, asker } = await simulate(6);
    const { held } = serveLab(server);
    await untilServed(simulation, here);
    const controller = new AbortController();
    const call = clientOf(asker).hold("x", controller);
    const failed = expect(call).rejects.toMatchObject({ name: "AbortError" });
    await simulation.untilTrue(() => held.length === 1);
    controller.abort();
    await wait(failed);
    await simulation.untilTrue(() => held[0]?.context.signal.aborted === true);
    expect(held[0]?.context.signal.reason).toMatchObject({ code: "messaging/cancelled" });
    expect(messagesOf(here)).toEqual([]);
  });

  it("REQ-26: its progress reaches the caller", async () => {
    const { simulation, wait, here, server, asker } = await simulate(7);
    const { held } = serveLab(server);
    await untilServed(simulation, here);
    const heard: unknown[] = [];
    const call = clientOf(asker).hold("x", { onProgress: ({ done, from }) => void heard.push([done, from]) });
    await simulation.untilTrue(() => held.length === 1);
    held[0]?.context.progress({ done: 0.5 });
    await simulation.untilTrue(() => heard.length === 1);
    held[0]?.end("done");
    expect(await wait(call)).toBe("done");
    expect(heard).toEqual([[0.5, "anon.server"]]);
  });

  it("REQ-26: an agent that crashed while it served executes the call again when it is back", async () => {
    const { simulation, wait, home, here, server, asker } = await simulate(9);
    const { held } = serveLab(server);
    await untilServed(simulation, here);
    const call = clientOf(asker).hold("x", { timeoutMs: 300_000 });
    await simulation.untilTrue(() => held.length === 1);
    home.crash();
    await simulation.advance(10_000);
    const again = await wait(simulation.replica("home").open("lab"));
    const returned = serveLab(await wait(again.agent("server")));
    await simulation.untilTrue(() => returned.held.length === 1);
    returned.held[0]?.end("again");
    expect(await wait(call)).toBe("again");
  });

  it("REQ-14: of several principals' agents the first to reply answers, and all are gathered", async () => {
    const simulation = createSimulation({ seed: 10, relay: relayCode });
    onTestFinished(() => simulation.close());
    const wait = <T>(promise: Promise<T>): Promise<T> => simulation.until(promise);
    const open = async (principal: string) => {
      const room = await wait(
        simulation.replica(principal, { identity: { principal } }).open("lab", { principal }),
      );
      return { room, agent: await wait(room.agent(principal === "ann" ? "asker" : "critic")) };
    };
    const [ann, ben, cem] = [await open("ann"), await open("ben"), await open("cem")];
    const problems: string[] = [];
    ann.room.onProblem(({ code }) => problems.push(code));
    for (const { agent } of [ben, cem]) {
      agent.onMessage({ type: "QUERY" }, (_, { respond }) => respond("heard"));
    }
    const question = { to: "critic", type: "QUERY", content: "?" };
    const first = await wait(ann.agent.request(question));
    expect(["ben.critic", "cem.critic"]).toContain(first.from);
    const both: string[] = [];
    const gather = async () => {
      for await (const { from } of ann.agent.requestMany(question, { max: 2 })) both.push(from);
    };
    await wait(gather());
    expect(both.toSorted()).toEqual(["ben.critic", "cem.critic"]);
    await simulation.advance(10_000);
    expect(problems).toEqual([]);
  });

  it("REQ-27: an unknown method, and what is no call, are answered with an error", async () => {
    const { wait, server, asker } = await simulate(8);
    serveLab(server);
    const ask = (content: unknown) =>
      wait(
        asker
          .request({ to: "server", type: "service.lab", content: content as never })
          .catch((reason: unknown) => reason),
      );
    expect(await ask({ method: "subtract", input: 1 })).toMatchObject({
      details: { code: "messaging/unknown-method" },
    });
    expect(await ask({ method: "toString" })).toMatchObject({
      details: { code: "messaging/unknown-method" },
    });
    expect(await ask("add")).toMatchObject({ details: { code: "messaging/invalid-content" } });
    expect(await ask({ method: "add", input: { a: 1 } })).toMatchObject({ content: { output: 2 } });
  });
});

describe("a request whose asker was away", () => {
  it("REQ-1: takes its reply from history, where that was sealed meanwhile", async () => {
    const simulation = createSimulation({ seed: 11, relay: relayCode });
    onTestFinished(() => simulation.close());
    const wait = <T>(promise: Promise<T>): Promise<T> => simulation.until(promise);
    const lanes = { pageEntries: 4, pageBytes: 100_000, liveEntries: 4, liveBytes: 100_000, livePages: 2 };
    const [home, abroad] = [simulation.replica("home"), simulation.replica("abroad")];
    const there = await wait(home.open("lab", { platform: { ...home.platform, lanes } }));
    const here = await wait(abroad.open("lab", { platform: { ...abroad.platform, lanes } }));
    const [critic, asker] = [await wait(there.agent("critic")), await wait(here.agent("asker"))];
    const problems: string[] = [];
    here.onProblem(({ code }) => problems.push(code));
    let isAnswered = false;
    critic.onMessage({ type: "QUERY" }, async ({ expiresAt }, { respond }) => {
      abroad.partition();
      await respond(expiresAt ?? null);
      isAnswered = true;
    });
    const request = asker.request({ to: "critic", type: "QUERY", content: 1 }, { timeoutMs: 3_600_000 });
    await simulation.untilTrue(() => isAnswered);
    for (let index = 0; index < 40; index++) {
      await wait(critic.send({ topic: "news", type: "STATUS", content: index }));
      await simulation.advance(200);
    }
    await simulation.advance(60_000);
    expect(there.messages.get().some(({ role }) => role === "reply")).toBe(false);
    abroad.heal();
    expect((await wait(request)).writer).toBe(critic.writer);
    expect(problems).toEqual([]);
  });
});
