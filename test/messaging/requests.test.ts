import { describe, expect, it, onTestFinished } from "vitest";
import { type FlockError, openRoom, type Room, type RoomPlatform } from "../../src/index.ts";
import { createManualClock, type ManualClock, until } from "../refstore/manual-clock.ts";

/** A room of its own, on a clock that the test moves. */
async function open(platform: RoomPlatform & { clock: ManualClock } = { clock: createManualClock() }) {
  const room = await openRoom("team", { platform });
  onTestFinished(() => room.close());
  const problems: FlockError[] = [];
  room.onProblem((problem) => problems.push(problem));
  return { room, problems, clock: platform.clock };
}

const query = (to: string, content: string | number = "?") => ({ to, type: "QUERY", content });

/** Answers every request of a type with what `answer` makes of its content. */
function answering(agent: Awaited<ReturnType<Room["agent"]>>, answer: (content: unknown) => string) {
  return agent.onMessage({ type: "QUERY" }, async (message) => {
    await agent.respond(message, { content: answer(message.content) });
  });
}

describe("a request", () => {
  it("REQ-1: resolves with the reply of whoever was asked", async () => {
    const { room } = await open();
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
    const replies = await Promise.all([1, 2, 3].map((n) => planner.request(query("critic", n))));
    expect(replies.map(({ content }) => content)).toEqual(["re: 1", "re: 2", "re: 3"]);
  });

  it("REQ-2: carries its deadline, and ends at it", async () => {
    const { room, clock, problems } = await open();
    const [planner, critic] = [await room.agent("planner"), await room.agent("critic")];
    const deadlines: unknown[] = [];
    const held: (() => Promise<unknown>)[] = [];
    critic.onMessage({ type: "QUERY" }, (message) => {
      deadlines.push(message.expiresAt);
      held.push(() => critic.respond(message, { content: "late" }));
    });
    const asked = planner.request(query("critic"), { timeoutMs: 5_000 });
    const failed = expect(asked).rejects.toMatchObject({ code: "messaging/expired" });
    await until(() => held.length === 1);
    expect(deadlines).toEqual([clock.now() + 5_000]);
    clock.advance(5_000);
    await failed;
    await held[0]?.();
    await until(() => problems.length === 1);
    expect(problems[0]).toMatchObject({
      code: "messaging/late-reply",
      details: { from: "anon.critic", request: expect.stringContaining("anon.planner") },
    });
  });
});
