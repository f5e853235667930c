import { expect, it, onTestFinished } from "vitest";
import { defineView, openRoom, readMessage } from "../../src/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";

const perConversation = defineView<number>({
  key: (entry) => readMessage(entry)?.conversation,
  init: () => 0,
  step: (count) => count + 1,
});

async function open() {
  const clock = createManualClock(Date.UTC(2030, 0, 1));
  const room = await openRoom("team", { platform: { clock } });
  onTestFinished(() => room.close());
  const planner = await room.agent("planner");
  const say = (content: string, conversation: string) =>
    planner.send({ topic: "plans", type: "STATUS", content, conversation });
  return { room, clock, say };
}

it("VIEW-14: a room opens views over its messages, and closes them", async () => {
  const { room, say } = await open();
  await say("one", "c1");
  const view = room.view(perConversation);
  await view.ready;
  const heard: unknown[] = [];
  view.onChange((change) => heard.push(change));
  await say("two", "c1");
  await say("three", "c2");
  expect([...view.keys()].map((key) => [key, view.get(key)])).toEqual([
    ["c1", 2],
    ["c2", 1],
  ]);
  expect(heard).toEqual([
    { key: "c1", before: 1, after: 2 },
    { key: "c2", before: undefined, after: 1 },
  ]);
  await room.close();
  await expect(view.fetch("c1")).rejects.toMatchObject({ code: "crdt/closed" });
  expect(() => room.view(perConversation)).toThrow(expect.objectContaining({ code: "room/closed" }));
});

it("VIEW-15: a moment folds what was sent until then, and no later word changes it", async () => {
  const { room, clock, say } = await open();
  await say("one", "c1");
  const time = clock.now();
  const moment = room.at(time);
  clock.advance(1);
  await say("two", "c1");
  for (const { at, count } of [
    { at: room.at(time - 1), count: undefined },
    { at: moment, count: 1 },
    { at: room.at(time + 1), count: 2 },
  ]) {
    expect((await at.fold(perConversation)).get("c1")).toBe(count);
    expect(await at.messages()).toHaveLength(count ?? 0);
  }
  expect((await moment.messages()).map(({ content }) => content)).toEqual(["one"]);
  const gone = AbortSignal.abort(new Error("gone"));
  await expect(moment.fold(perConversation, { signal: gone })).rejects.toThrow("gone");
  expect(() => room.at(Number.NaN)).toThrow(expect.objectContaining({ code: "base/invalid-timestamp" }));
});
