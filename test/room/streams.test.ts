import { describe, expect, it, onTestFinished } from "vitest";
import type { LaneLimits } from "../../src/crdt/index.ts";
import type { ReadStreamOptions, Room } from "../../src/index.ts";
import { sealContentType } from "../../src/protocol/index.ts";
import { createSimulation, type SimulatedReplica, type Simulation } from "../../src/testing/index.ts";
import { relayCode } from "../properties/flock.ts";

/** Pages of so few entries that a stream is soon longer than one. */
const lanes: LaneLimits = {
  pageEntries: 8,
  pageBytes: 64 * 1024,
  liveEntries: 8,
  liveBytes: 64 * 1024,
  livePages: 2,
};

function simulate(seed: number): Simulation {
  const simulation = createSimulation({ seed, relay: relayCode });
  onTestFinished(() => simulation.close());
  return simulation;
}

const open = (simulation: Simulation, replica: SimulatedReplica): Promise<Room> =>
  simulation.until(replica.open("lab", { platform: { ...replica.platform, lanes } }));

async function openWriter(simulation: Simulation, replica: SimulatedReplica) {
  const room = await open(simulation, replica);
  return { room, agent: await simulation.until(room.agent("writer")) };
}

function listen(room: Room, id: string, options: ReadStreamOptions = {}) {
  const reader = { text: "", end: undefined as unknown };
  const read = async (): Promise<string> => {
    for await (const piece of room.readStream(id, options)) if ("text" in piece) reader.text += piece.text;
    return "done";
  };
  read().then(
    (end) => {
      reader.end = end;
    },
    (failure: unknown) => {
      reader.end = failure;
    },
  );
  return reader;
}

const tokens = Array.from({ length: 120 }, (_, index) => `${index}\u{1F600} `);
const draft = { topic: "drafts", type: "DRAFT" };
const withCode = (code: string) => expect.objectContaining({ code });

/** How many sealed pages the relay has. */
const sealsOf = async (room: Room): Promise<number> => {
  let count = 0;
  for await (const { contentType } of room.refs.list()) if (contentType === sealContentType) count++;
  return count;
};

describe("streams between rooms", () => {
  it("STREAM-20: a handler reads a stream while it is written, pages of it sealed meanwhile, offline for a while", async () => {
    const simulation = simulate(1);
    const near = simulation.replica("near");
    const far = simulation.replica("far");
    const { room, agent } = await openWriter(simulation, near);
    const there = await open(simulation, far);
    const critic = await simulation.until(there.agent("critic"));
    const heard: ReturnType<typeof listen>[] = [];
    critic.onMessage({ topic: "drafts" }, ({ id, role }) => {
      if (role === "stream") heard.push(listen(there, id));
    });
    const stream = await simulation.until(agent.openStream(draft));
    for (const [index, token] of tokens.entries()) {
      await stream.write(token);
      await simulation.advance(200);
      if (index === 40) far.partition();
      if (index === 60) far.heal();
    }
    const late = listen(there, stream.id);
    const reference = await simulation.until(stream.end());
    await simulation.untilTrue(() => heard[0]?.end !== undefined && late.end !== undefined);
    for (const reader of [heard[0], late])
      expect(reader).toMatchObject({ end: "done", text: tokens.join("") });
    expect(await simulation.until(sealsOf(room))).toBeGreaterThan(5);
    const after = listen(there, stream.id, { from: 100 });
    await simulation.untilTrue(() => after.end !== undefined);
    expect(after).toMatchObject({ end: "done", text: tokens.join("").slice(100) });
    const bytes = await simulation.until(there.refs.resolve(reference));
    expect(new TextDecoder().decode(bytes)).toBe(tokens.join(""));
    expect(reference.contentType).toBe("text/plain; charset=utf-8");
  });

  it("STREAM-21: closing the agent, or the room, gives its streams up; a reader's room ends its readings", async () => {
    const simulation = simulate(2);
    const { room, agent } = await openWriter(simulation, simulation.replica("near"));
    const there = await open(simulation, simulation.replica("far"));
    const stream = await simulation.until(agent.openStream(draft));
    await stream.write("half");
    const reader = listen(there, stream.id);
    await simulation.untilTrue(() => reader.text === "half");
    await simulation.until(agent.close());
    await simulation.untilTrue(() => reader.end !== undefined);
    expect(reader.end).toEqual(withCode("messaging/stream-failed"));
    await expect(stream.write("more")).rejects.toEqual(withCode("messaging/stream-closed"));
    const again = await simulation.until(room.agent("writer"));
    const unopened = again.openStream({ ...draft, content: Uint8Array.of(1) });
    await simulation.until(again.close());
    const born = await simulation.until(unopened);
    await expect(born.write("late")).rejects.toEqual(withCode("messaging/stream-closed"));
    const third = await simulation.until(room.agent("writer"));
    const second = await simulation.until(third.openStream(draft));
    const waiting = listen(there, second.id);
    await simulation.until(there.close());
    expect(waiting.end).toEqual(withCode("room/closed"));
    expect(() => there.readStream(second.id)).toThrow(withCode("room/closed"));
    await simulation.until(room.close());
    await expect(third.openStream(draft)).rejects.toEqual(withCode("room/closed"));
  });

  it("STREAM-22: a page that goes away in the middle is told once its writer is opened again, idle streams too", async () => {
    const simulation = simulate(3);
    const near = simulation.replica("near");
    const { agent } = await openWriter(simulation, near);
    const there = await open(simulation, simulation.replica("far"));
    const idle = await simulation.until(agent.openStream(draft));
    await idle.write("idle");
    const ended = await simulation.until(agent.openStream(draft));
    await ended.write("whole");
    await simulation.until(ended.end());
    const busy = await simulation.until(agent.openStream(draft));
    for (const token of tokens.slice(0, 60)) {
      await busy.write(token);
      await simulation.advance(200);
    }
    const readers = [idle, ended, busy].map(({ id }) => listen(there, id));
    await simulation.advance(20_000);
    expect(readers.map(({ end }) => end)).toEqual([undefined, "done", undefined]);
    near.crash();
    const { agent: reborn } = await openWriter(simulation, simulation.replica("near"));
    expect(reborn.writer).toBe(agent.writer);
    await simulation.untilTrue(() => readers.every(({ end }) => end !== undefined));
    const failed = withCode("messaging/stream-failed");
    expect(readers.map(({ end, text }) => [end, text])).toEqual([
      [failed, "idle"],
      ["done", "whole"],
      [failed, tokens.slice(0, 60).join("")],
    ]);
    expect(readers[2]?.end).toMatchObject({ details: { at: tokens.slice(0, 60).join("").length } });
  });

  it("STREAM-10: an agent whose browser was copied gives its streams up, and their readers hear of it", async () => {
    const simulation = simulate(4);
    const home = simulation.replica("home");
    const { agent } = await openWriter(simulation, home);
    const there = await open(simulation, simulation.replica("far"));
    const stream = await simulation.until(agent.openStream(draft));
    await stream.write("half");
    const reader = listen(there, stream.id);
    await simulation.untilTrue(() => reader.text === "half");
    await simulation.advance(2_000);
    const before = agent.writer;
    home.browser.clone("copy");
    home.partition();
    const copy = await open(simulation, simulation.replica("copy", { browser: "copy" }));
    const twin = await simulation.until(copy.agent("writer"));
    await simulation.until(twin.send({ topic: "news", type: "STATUS", content: "from the copy" }));
    await simulation.advance(2_000);
    home.heal();
    await simulation.untilTrue(() => agent.writer !== before);
    await expect(stream.write("more")).rejects.toEqual(withCode("messaging/stream-closed"));
    await simulation.untilTrue(() => reader.end !== undefined);
    expect([reader.text, reader.end]).toEqual(["half", withCode("messaging/stream-failed")]);
  });
});
