import { describe, expect, it, onTestFinished } from "vitest";
import { type Agent, type FlockError, openRoom } from "../../../src/index.ts";
import { createGivenUp } from "../../../src/messaging/requests/given-up.ts";
import type { ConsumerRecord, RegisterRecord } from "../../../src/protocol/index.ts";
import { createManualClock, until } from "../../refstore/manual-clock.ts";
import { createWorld } from "../world.ts";

const asker = "ann.asker.a1";
const server = "ben.server.s1";
const takesAll: ConsumerRecord = { filter: {}, lanes: {} };
const register = (consumers: Record<string, ConsumerRecord>): RegisterRecord => ({
  version: 1,
  since: 1,
  capabilities: [],
  consumers,
});

/** A request in a room where a test writes registers and dead letters. */
function setUp({ to = "ben.server" }: { to?: string } = {}) {
  const world = createWorld();
  const request = world.arrive(asker, { to, role: "request" });
  const failures: FlockError[] = [];
  const givenUp = createGivenUp({
    request,
    to,
    documents: world.documents,
    onGivenUp: (failure) => failures.push(failure),
  });
  return {
    ...world,
    request,
    failures,
    givenUp,
    bury(by: string, consumer: string, outcome = "exhausted", body: object = {}) {
      const letter = { consumer, messages: [request], outcome, reason: "why", attempts: 3, ...body };
      const id = world.arrive(by, letter, { kind: "dead-letter" });
      givenUp.take(world.log.get(id) as never);
    },
  };
}

describe("a request that was given up", () => {
  it("REQ-34: has failed once every consumer there that takes it has said so", () => {
    const { publish, bury, failures, request } = setUp();
    publish(server, register({ all: takesAll, jobs: { filter: { type: "JOB" }, lanes: {} } }));
    publish("ben.server.s2", register({ log: takesAll }));
    bury(server, "all");
    expect(failures).toEqual([]);
    bury("ben.server.s2", "log", "terminated");
    expect(failures).toMatchObject([
      {
        code: "messaging/request-failed",
        details: { request, from: "ben.server", outcome: "terminated", reason: "why" },
      },
    ]);
  });

  it("REQ-34: is told of also where the register comes after the letter", () => {
    const { publish, bury, failures, givenUp, documents } = setUp({ to: server });
    bury(server, "all");
    expect(failures).toEqual([]);
    publish(server, register({ all: takesAll }));
    expect(failures.length).toBe(1);
    givenUp.close();
    expect(documents.registerChanged.size).toBe(0);
  });

  it("REQ-34: by another agent's word, at its end, or at one of several that were asked, it has not", () => {
    for (const to of ["server", "*"]) {
      const { publish, bury, failures } = setUp({ to });
      publish(server, register({ all: takesAll }));
      bury(server, "all");
      expect(failures).toEqual([]);
    }
    const { publish, bury, failures } = setUp();
    publish(server, register({ all: takesAll }));
    bury("mallory.server.m1", "all");
    bury(server, "all", "expired");
    bury(server, "another");
    bury(server, "all", "exhausted", { attempts: "many" });
    expect(failures).toEqual([]);
  });
});

async function open() {
  const clock = createManualClock();
  const room = await openRoom("team", { platform: { clock } });
  onTestFinished(() => room.close());
  const problems: string[] = [];
  room.onProblem(({ code }) => problems.push(code));
  return { room, clock, problems, server: await room.agent("server"), asker: await room.agent("asker") };
}

const query = { to: "anon.server", type: "QUERY", content: 1 };
const ask = (agent: Agent) => agent.request(query);

describe("whoever asked", () => {
  it("REQ-34: hears of it before the deadline", async () => {
    const { server, asker, problems } = await open();
    server.onMessage({ type: "QUERY" }, (_, { term }) => term("no idea"));
    await expect(ask(asker)).rejects.toMatchObject({
      code: "messaging/request-failed",
      message: expect.stringContaining("no idea"),
      details: { from: "anon.server", outcome: "terminated" },
    });
    expect(problems).toEqual(["messaging/dead-letter"]);
  });

  it("REQ-34: takes a reply that came before it, also where its content is still on its way", async () => {
    const { server, asker } = await open();
    server.onMessage({ type: "QUERY" }, async (_, { respond, term }) => {
      await respond("x".repeat(200_000));
      term("no more");
    });
    expect((await ask(asker)).content).toHaveLength(200_000);
  });

  it("REQ-34: waits for another consumer that may answer, and for one that has taken it", async () => {
    const { server, asker, room } = await open();
    const acknowledged: (() => Promise<unknown>)[] = [];
    server.onMessage({ type: "QUERY" }, (_, { term }) => term("not mine"), { consumer: "first" });
    server.onMessage(
      { type: "QUERY" },
      (_, { ack, respond }) => {
        ack();
        acknowledged.push(() => respond("later"));
      },
      { consumer: "second" },
    );
    const reply = ask(asker);
    await until(() => room.deadLetters.get().length === 1 && acknowledged.length === 1);
    await acknowledged[0]?.();
    expect((await reply).content).toBe("later");
  });
});
