import { describe, expect, it, onTestFinished } from "vitest";
import type { Agent, HistoryRecord, Room } from "../../src/index.ts";
import { consumerStart, type MessageStart } from "../../src/room/message-start.ts";
import { createSimulation, type Simulation } from "../../src/testing/index.ts";
import { relayCode } from "../properties/flock.ts";

function simulate(seed = 1): Simulation {
  const simulation = createSimulation({ seed, relay: relayCode });
  onTestFinished(() => simulation.close());
  return simulation;
}

async function readAll(room: Room): Promise<HistoryRecord[]> {
  const records: HistoryRecord[] = [];
  for await (const record of room.history({ order: "oldest", kind: "message" })) records.push(record);
  return records;
}

describe("where a consumer begins", () => {
  async function setUp() {
    const simulation = simulate();
    const room = await simulation.until(simulation.replica("home").open("lab"));
    const planner = await simulation.until(room.agent("planner"));
    const writer = await simulation.until(room.agent("writer"));
    for (let index = 0; index < 8; index++) {
      const sender = index % 2 === 0 ? planner : writer;
      await simulation.until(sender.send({ to: "critic", type: "QUERY", content: index }));
      await simulation.advance(1_000);
    }
    const critic = await simulation.until(room.agent("critic"));
    const records = await simulation.until(readAll(room));
    async function handledFrom(from: MessageStart, consumer: string): Promise<unknown[]> {
      const handled: unknown[] = [];
      critic.onMessage({}, ({ content }) => handled.push(content), { from, consumer });
      await simulation.advance(2_000);
      return handled.sort();
    }
    return { simulation, room, records, handledFrom };
  }

  it("MSG-41: a cursor of the room's history gives what comes behind its record, in every lane", async () => {
    const { records, handledFrom } = await setUp();
    expect(records).toHaveLength(8);
    for (const [index, { cursor }] of records.entries()) {
      const expected = [0, 1, 2, 3, 4, 5, 6, 7].slice(index + 1);
      expect(await handledFrom({ cursor }, `cursor-${index}`)).toEqual(expected);
    }
  });

  it("MSG-40: a time gives what was said at it and after it", async () => {
    const { records, handledFrom } = await setUp();
    const { at } = records[5] as HistoryRecord;
    expect(await handledFrom({ time: at }, "at")).toEqual([5, 6, 7]);
    expect(await handledFrom({ time: at + 1 }, "after")).toEqual([6, 7]);
    expect(await handledFrom({ time: 0 }, "all")).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await handledFrom({ time: at + 1e9 }, "none")).toEqual([]);
  });

  it("MSG-41: what is no time and no cursor is refused with a code", () => {
    expect(() => consumerStart({ time: Number.NaN })).toThrow(
      expect.objectContaining({ code: "messaging/invalid-options" }),
    );
    expect(() => consumerStart({ cursor: { clock: 1, id: "none" } })).toThrow(
      expect.objectContaining({ code: "room/invalid-options" }),
    );
    expect(consumerStart("live")).toBe("live");
  });

  it.each([
    ["a word that is none", "latest"],
    ["a bare time", 1_700_000_000_000],
    ["null", null],
    ["a date", { time: new Date(0) }],
    ["nothing of it", {}],
  ])("MSG-135: %s is refused with a code", (_, from) => {
    expect(() => consumerStart(from as never)).toThrow(
      expect.objectContaining({ code: "messaging/invalid-options" }),
    );
  });
});

describe("a resumed agent whose handler is not opened again", () => {
  it("MSG-36: leaves its share to the agent's other writers", async () => {
    const simulation = simulate();
    const senders = await simulation.until(simulation.replica("senders").open("lab"));
    const home = await simulation.until(simulation.replica("home").open("lab"));
    const planner = await simulation.until(home.agent("planner"));
    const handled: unknown[] = [];
    planner.onMessage({}, ({ content }) => handled.push(content));
    const desk = simulation.replica("desk");
    const before = await simulation.until(desk.open("lab"));
    const twin = await simulation.until(before.agent("planner"));
    const elsewhere: unknown[] = [];
    const stop = twin.onMessage({}, ({ content }) => elsewhere.push(content));
    await simulation.advance(2_000);

    const agents: Agent[] = [];
    for (let index = 0; index < 12; index++) {
      agents.push(await simulation.until(senders.agent(`sender-${index}`)));
    }
    const sendAll = async (content: string): Promise<void> => {
      for (const agent of agents)
        await simulation.until(agent.send({ to: "planner", type: "QUERY", content }));
      await simulation.advance(3_000);
    };
    await sendAll("shared");
    expect(handled.length + elsewhere.length).toBe(12);
    expect(elsewhere.length).toBeGreaterThan(0);

    stop();
    await simulation.advance(2_000);
    await sendAll("stopped");
    expect(handled.filter((content) => content === "stopped")).toHaveLength(12);

    twin.onMessage({}, ({ content }) => elsewhere.push(content));
    await simulation.advance(2_000);
    await sendAll("open again");
    expect(elsewhere.filter((content) => content === "open again").length).toBeGreaterThan(0);

    await simulation.until(before.close());
    const after = await simulation.until(desk.open("lab"));
    expect((await simulation.until(after.agent("planner"))).writer).toBe(twin.writer);
    await simulation.advance(2_000);
    await sendAll("resumed");
    expect(handled.filter((content) => content === "resumed")).toHaveLength(12);
  });
});
