import { expect } from "@playwright/test";
import type { Client } from "./support/client.ts";
import { test } from "./support/fixtures.ts";
import { expectHistory, say, sealedDownTo, sealing, shortPages, storedPages } from "./support/lanes.ts";

test.describe.configure({ timeout: 300_000 });

const tasks = ({ page }: Client) => page.evaluate(() => harness.viewReport("tasks"));
const openTasks = ({ page }: Client) => page.evaluate(() => harness.openView("tasks"));

/** Asks, each about something of its own; gives the ids. */
const ask = (client: Client, count: number) =>
  client.send(
    "planner",
    "critic",
    Array.from({ length: count }, (_, index) => ({ number: index })),
  );

/** Answers requests as the critic. */
const answer = ({ page }: Client, requests: readonly string[]) =>
  page.evaluate(async (parents) => {
    const critic = harness.agentNamed("critic");
    for (const parent of parents) {
      const sent = await critic.send({ to: "planner", type: "TASK_RESULT", content: "done", parent });
      await sent.settled("relayed");
    }
  }, requests);

test("E2E-38: a view of open tasks keeps their pages while the writer in another browser seals, and finds closed ones", async ({
  join,
  relay,
  room,
}) => {
  const lanes = shortPages;
  const writer = await join({ lanes, agents: ["planner"] });
  const reader = await join({ lanes, agents: ["critic"] });
  await openTasks(reader);
  const requests = await ask(writer, 6);
  const pageOfTasks = `lane/${requests[0]?.slice(0, requests[0].lastIndexOf("/"))}`;
  await expect.poll(async () => Object.keys((await tasks(reader)).states).length).toBe(6);
  await answer(reader, requests.slice(0, 3));
  await say(writer, "planner", { count: 500 });
  await writer.synced();
  expect(await sealedDownTo(relay.url, room, 6)).not.toContain(pageOfTasks);

  // What no task is in has gone, and what open ones are in has stayed; so it has over a reload.
  const open = Object.fromEntries(requests.slice(3).map((id) => [id, { asked: 1, answers: 0 }]));
  await expect.poll(async () => (await storedPages(reader)).length, sealing).toBeLessThanOrEqual(7);
  expect(await storedPages(reader)).toContain(pageOfTasks);
  expect((await tasks(reader)).states).toMatchObject(open);
  await reader.reload();
  await openTasks(reader);
  expect((await tasks(reader)).states).toMatchObject(open);
  expect(await storedPages(reader)).toContain(pageOfTasks);

  // Answered, they are closed: their page goes; once the answers' has gone too they leave memory, and are found all the same.
  await answer(reader, requests.slice(3));
  await expect.poll(() => storedPages(reader), sealing).not.toContain(pageOfTasks);
  await say(reader, "critic", { count: 500 });
  await expect.poll(async () => Object.keys((await tasks(reader)).states), sealing).toEqual([]);
  const fetched = await reader.page.evaluate(
    (ids) => Promise.all(ids.map((id) => harness.view("tasks").fetch(id))),
    requests,
  );
  expect(fetched).toEqual(requests.map(() => ({ asked: 1, answers: 1 })));

  // A late answer brings its task back.
  await answer(reader, requests.slice(0, 1));
  const [first = ""] = requests;
  await expect
    .poll(() => reader.page.evaluate((id) => harness.view("tasks").fetch(id), first))
    .toEqual({ asked: 1, answers: 2 });
  for (const client of [writer, reader]) expect(await client.problems()).toEqual([]);
});

test("E2E-40: answers whose questions are sealed are shown and folded, live or read back, to all who come", async ({
  join,
  newBrowser,
  relay,
  room,
}) => {
  const lanes = shortPages;
  const writer = await join({ lanes, agents: ["planner"] });
  const browser = await newBrowser();
  const reader = await join({ browser, lanes, agents: ["critic"] });
  const requests = await ask(writer, 8);
  await expect.poll(() => reader.handledIds()).toEqual(requests);
  await answer(reader, requests);
  const answers = (await reader.messageIds()).filter((id) => !requests.includes(id));
  const chatter = await say(writer, "planner", { count: 500 });
  await writer.synced();
  await sealedDownTo(relay.url, room, 6);
  const all = [...requests, ...answers, ...chatter];

  // The answers are live, and what they rest on is not.
  await reader.reload();
  const clients = [writer, reader, await join({ lanes }), await join({ browser, lanes })];
  for (const client of clients) {
    await expect
      .poll(async () => (await client.messageIds()).filter((id) => all.indexOf(id) < 16), sealing)
      .toEqual(answers);
    await expect.poll(() => client.page.evaluate(() => harness.foldHistory()), sealing).toEqual(all);
  }
  const more = await say(reader, "critic", { count: 500 });
  await reader.synced();
  await sealedDownTo(relay.url, room, 10);
  clients.push(await join({ lanes }));
  for (const client of clients) {
    await expectHistory([client], [...all, ...more]);
    expect(await client.page.evaluate(() => harness.foldHistory())).toEqual([...all, ...more]);
    expect(await client.problems()).toEqual([]);
  }
});
