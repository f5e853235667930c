import { describe, expect, it, onTestFinished } from "vitest";
import type { Room } from "../../src/index.ts";
import { createSimulation, type SimulatedReplica, type Simulation } from "../../src/testing/index.ts";
import { relayCode } from "../properties/flock.ts";

function simulate(seed = 1): Simulation {
  const simulation = createSimulation({ seed, relay: relayCode });
  onTestFinished(() => simulation.close());
  return simulation;
}

const open = (simulation: Simulation, replica: SimulatedReplica): Promise<Room> =>
  simulation.until(replica.open("lab"));
const contents = (room: Room): unknown[] => room.messages.get().map(({ content }) => content);
const online = (room: Room): string[] =>
  room.agents.get().flatMap(({ writer, online: is }) => (is ? [writer] : []));

/** An agent at home, and the same at a copy of the browser, both online; `before` is what the first was when copied. */
async function playCopy(simulation: Simulation) {
  const home = simulation.replica("home");
  const room = await open(simulation, home);
  const agent = await simulation.until(room.agent("planner", { capabilities: ["plan"] }));
  const handled: unknown[] = [];
  agent.onMessage({}, ({ content }) => handled.push(content));
  const outside = await open(simulation, simulation.replica("outside"));
  const critic = await simulation.until(outside.agent("critic"));
  await simulation.until(critic.send({ to: "planner", type: "QUERY", content: "early" }));
  await simulation.untilTrue(() => handled.length === 1);
  await simulation.advance(2_000);
  const before = agent.writer;
  home.browser.clone("copy");
  home.partition();
  const early = await simulation.until(agent.send({ to: "critic", type: "ANSWER", content: "from home" }));
  await simulation.until(early.settled("local"));
  const copy = await open(simulation, simulation.replica("copy", { browser: "copy" }));
  const twin = await simulation.until(copy.agent("planner", { capabilities: ["plan"] }));
  const resumedAs = twin.writer;
  twin.onMessage({}, ({ content }) => handled.push(content));
  await simulation.until(twin.send({ to: "critic", type: "ANSWER", content: "from the copy" }));
  await simulation.advance(2_000);
  home.heal();
  await simulation.untilTrue(() => agent.writer !== before && twin.writer !== before);
  return { home, room, agent, handled, critic, outside, copy, twin, before, resumedAs, early };
}

describe("an agent whose writer was copied", () => {
  it("WRITER-3: is the same writer as its copy until they meet, and then goes on as another, in mid-session", async () => {
    const simulation = simulate();
    const { room, outside, copy, agent, twin, before, resumedAs, early } = await playCopy(simulation);
    expect(resumedAs).toBe(before);
    expect(agent.writer).not.toBe(twin.writer);
    await simulation.until(early.settled("relayed"));
    const late = await simulation.until(agent.send({ to: "critic", type: "ANSWER", content: "later" }));
    expect(late.id.split("/")[0]).toBe(agent.writer);
    await simulation.until(late.settled("relayed"));
    await simulation.advance(2_000);
    for (const each of [room, copy, outside]) {
      expect(contents(each).toSorted()).toEqual(["early", "from home", "from the copy", "later"]);
      expect(each.status.get().pending).toBe(0);
    }
    expect(online(outside).toSorted()).toEqual(
      [agent.writer, twin.writer, ...online(outside).filter((id) => id.includes("critic"))].toSorted(),
    );
    const shown = outside.agents.get().find(({ writer }) => writer === agent.writer);
    expect(shown?.capabilities).toEqual(["plan"]);
  });

  it("WRITER-3: handles nothing again that it had handled, and goes on handling", async () => {
    const simulation = simulate(2);
    const { critic, handled, home, agent, room } = await playCopy(simulation);
    const sent = await simulation.until(critic.send({ to: "planner", type: "QUERY", content: "late" }));
    await simulation.until(sent.settled("relayed"));
    await simulation.advance(10_000);
    expect(handled).toEqual(["early", "late"]);
    const { writer } = agent;
    await simulation.until(room.close());
    home.crash();
    const again = await open(simulation, simulation.replica("home"));
    const reopened = await simulation.until(again.agent("planner"));
    expect(reopened.writer).toBe(writer);
    const repeated: unknown[] = [];
    reopened.onMessage({}, ({ content }) => repeated.push(content));
    await simulation.advance(10_000);
    expect(repeated).toEqual([]);
  });

  it("WRITER-3: hears of a copy through another tab as well", async () => {
    const simulation = simulate(3);
    const home = simulation.replica("home");
    const room = await open(simulation, home);
    const agent = await simulation.until(room.agent("planner"));
    await simulation.advance(2_000);
    const before = agent.writer;
    home.browser.clone("copy");
    home.partition();
    const copy = await open(simulation, simulation.replica("copy", { browser: "copy" }));
    const twin = await simulation.until(copy.agent("planner"));
    await simulation.until(twin.send({ topic: "news", type: "STATUS", content: "from the copy" }));
    await simulation.advance(2_000);
    const neighbour = await open(simulation, simulation.replica("second tab", { browser: "home" }));
    await simulation.untilTrue(() => contents(neighbour).includes("from the copy"));
    await simulation.advance(2_000);
    // Tabs tell each other what they lack when one opens.
    await open(simulation, simulation.replica("third tab", { browser: "home" }));
    await simulation.untilTrue(() => agent.writer !== before);
    expect(contents(room)).toContain("from the copy");
  });
});

describe("an agent whose database was lost", () => {
  it("WRITER-1: is a new writer, and what the relay has stays", async () => {
    const simulation = simulate(4);
    const home = simulation.replica("home");
    const room = await open(simulation, home);
    const agent = await simulation.until(room.agent("planner"));
    const sent = await simulation.until(agent.send({ topic: "news", type: "STATUS", content: "kept" }));
    await simulation.until(sent.settled("relayed"));
    const { writer } = agent;
    home.crash();
    home.browser.wipe();
    const again = await open(simulation, simulation.replica("home"));
    const reborn = await simulation.until(again.agent("planner"));
    const next = await simulation.until(reborn.send({ topic: "news", type: "STATUS", content: "new" }));
    await simulation.until(next.settled("relayed"));
    await simulation.untilTrue(() => contents(again).length === 2);
    expect(reborn.writer).not.toBe(writer);
    expect(contents(again)).toEqual(["kept", "new"]);
  });
});

describe("an agent that is new in a browser", () => {
  it("MSG-13: handles nothing again on the word of a tab that opened with it and knows as little", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const simulation = createSimulation({ seed, relay: relayCode });
      try {
        const far = await open(simulation, simulation.replica("far"));
        const asker = await simulation.until(far.agent("asker"));
        const lost = simulation.replica("lost");
        const before = await open(simulation, lost);
        const handled: unknown[] = [];
        const worker = await simulation.until(before.agent("worker"));
        worker.onMessage({}, ({ content }) => handled.push(content), { consumer: "mail" });
        const sent = await simulation.until(asker.send({ to: "worker", type: "QUERY", content: seed }));
        await simulation.until(sent.settled("delivered"));
        lost.crash();
        const tabs = ["left", "right"].map((name) => simulation.replica(name, { browser: "fresh" }));
        const rooms = await simulation.until(Promise.all(tabs.map((tab) => tab.open("lab"))));
        for (const room of rooms) {
          const again = await simulation.until(room.agent("worker"));
          again.onMessage({}, ({ content }) => handled.push(content), { consumer: "mail" });
        }
        await simulation.advance(10_000);
        expect([seed, handled]).toEqual([seed, [seed]]);
      } finally {
        await simulation.close();
      }
    }
  });
});
