import { expect, it, onTestFinished } from "vitest";
import { openRoom } from "../../src/index.ts";

it("MSG-104: what is said to a writer or to everybody is in the history and the replay of whom it is for", async () => {
  const room = await openRoom("team");
  onTestFinished(() => room.close());
  const planner = await room.agent("planner");
  const critic = await room.agent("critic");
  const say = (to: string, content: string) => planner.send({ to, type: "STATUS", content });
  await say(critic.writer, "writer");
  await say("*", "everybody");
  await say("other", "other");
  await critic.send({ to: "*", type: "STATUS", content: "own" });

  const told: unknown[] = [];
  for await (const { message, isSaid, isAcknowledged } of room.replay({ agent: "critic" })) {
    told.push([message?.content, isSaid, isAcknowledged]);
  }
  expect(told).toEqual([
    ["writer", false, false],
    ["everybody", false, false],
    ["own", true, undefined],
  ]);
  const named: unknown[] = [];
  for await (const { message } of room.history({ to: "critic" })) named.push(message?.content);
  expect(named).toEqual(["writer"]);
});
