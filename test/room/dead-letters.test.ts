import { expect, it, onTestFinished } from "vitest";
import { openRoom } from "../../src/index.ts";
import { createManualClock, until } from "../refstore/manual-clock.ts";

async function open() {
  const clock = createManualClock(Date.UTC(2030, 0, 1));
  const room = await openRoom("team", { platform: { clock } });
  onTestFinished(() => room.close());
  return { room, clock, planner: await room.agent("planner"), critic: await room.agent("critic") };
}

it("MSG-129: a message that a handler gives up is listed, redriven from there, and acknowledged", async () => {
  const { room, clock, planner, critic } = await open();
  let isMended = false;
  const handled: string[] = [];
  critic.onMessage({ type: "QUERY" }, ({ id }, { term }) => {
    handled.push(id);
    if (!isMended) term("no tool for it");
  });
  const { id } = await planner.send({ to: "critic", type: "QUERY", content: 1 });
  const given = await room.waitForDelivery(id);
  const told = { agent: "anon.critic", consumer: "direct/QUERY", reason: "no tool for it" };
  expect(given).toMatchObject([{ ...told, state: "terminated" }]);
  const [letter] = room.deadLetters.get();
  expect(letter).toMatchObject({ ...told, id, outcome: "terminated", attempts: 1, by: critic.writer });
  if (!letter) throw new Error("no letter");

  isMended = true;
  await planner.redrive(letter);
  await until(() => handled.length === 2);
  expect(await room.waitForDelivery(id)).toMatchObject([{ state: "acknowledged" }]);
  clock.advance(20);
  expect([room.deadLetters.get(), handled]).toEqual([[], [id, id]]);
  await expect(planner.redrive(letter)).rejects.toMatchObject({ code: "messaging/not-dead" });
});

it("MSG-129: a closed room neither tells nor waits", async () => {
  const { room, planner } = await open();
  const { id } = await planner.send({ to: "nobody", type: "QUERY", content: 1 });
  expect(room.deliveryStatus(id)).toEqual([]);
  const waiting = expect(room.waitForDelivery(id)).rejects.toMatchObject({ code: "crdt/closed" });
  await room.close();
  await waiting;
  expect(() => room.deliveryStatus(id)).toThrow(expect.objectContaining({ code: "room/closed" }));
  await expect(room.waitForDelivery(id)).rejects.toMatchObject({ code: "room/closed" });
  await expect(planner.redrive({ id, agent: "anon.nobody", consumer: "work" })).rejects.toMatchObject({
    code: "room/closed",
  });
});

it("MSG-129: topics of a pattern, several types and a matcher choose what is handled", async () => {
  const { planner, critic } = await open();
  const handled: unknown[] = [];
  critic.onMessage({ topic: "orders.*.eu", type: ["CREATED", "PAID"] }, ({ content }) =>
    handled.push(content),
  );
  critic.onMessage(
    { topic: ">", match: { "content.amount": { gte: 100 }, labels: "urgent" } },
    ({ content }) => handled.push(["urgent", content]),
    { consumer: "urgent" },
  );
  const say = (topic: string, type: string, content: { amount: number }, labels?: string[]) =>
    planner.send({ topic, type, content, ...(labels && { labels }) });
  await say("orders.7.eu", "PAID", { amount: 1 });
  await say("orders.7.us", "PAID", { amount: 2 });
  await say("orders.7.eu", "LOST", { amount: 3 });
  await say("invoices", "PAID", { amount: 100 }, ["urgent", "legal"]);
  await say("invoices", "PAID", { amount: 99 }, ["urgent"]);
  await say("orders.7.eu.late", "PAID", { amount: 100 });
  await say("orders.8.eu", "CREATED", { amount: 200 }, ["urgent"]);
  await until(() => handled.length >= 4);
  expect(handled).toHaveLength(4);
  expect(handled).toEqual(
    expect.arrayContaining([
      { amount: 1 },
      ["urgent", { amount: 100 }],
      { amount: 200 },
      ["urgent", { amount: 200 }],
    ]),
  );
});
