import { describe, expect, it, onTestFinished } from "vitest";
import { list, openRoom, type Room, text } from "../../src/index.ts";

async function open<R extends Room<never>>(room: Promise<R>): Promise<R> {
  const opened = await room;
  onTestFinished(() => opened.close());
  return opened;
}

describe("a room without a relay", () => {
  it("ROOM-1: two agents talk", async () => {
    const room = await openRoom("team", { state: { notes: text(), log: list<string>() } });
    onTestFinished(() => room.close());
    const planner = await room.agent("planner", { capabilities: ["plan"] });
    const critic = await room.agent("critic");
    const heard: unknown[] = [];
    critic.onMessage({ type: "QUERY" }, ({ content }) => heard.push(content));
    const sent = await planner.send({ to: "critic", type: "QUERY", content: { question: "Is it done?" } });
    await sent.settled("delivered");
    expect(heard).toEqual([{ question: "Is it done?" }]);
    expect(room.messages.get().map(({ stage, type }) => [stage, type])).toEqual([["delivered", "QUERY"]]);
    expect(room.status.get()).toEqual({ storage: "memory-only", network: "offline", pending: 0 });
  });
});
