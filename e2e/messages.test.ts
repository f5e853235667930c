import { expect } from "@playwright/test";
import type { Job, Step } from "./harness/worker.ts";
import { expectOnce, missing } from "./support/expectations.ts";
import { test } from "./support/fixtures.ts";
import {
  acquainted,
  attemptsAt,
  begun,
  deadLetters,
  deliveredIds,
  deliveries,
  expectState,
  layFuse,
  letGo,
  statesOf,
  statusOf,
  work,
} from "./support/messages.ts";

const jobs = (count: number, steps?: readonly Step[]): Job[] =>
  Array.from({ length: count }, (_, number) => ({ number, ...(steps && { steps }) }));

test("E2E-46: a message that kills its page is given up everywhere after maxDeliver, alone, and handled anew when it is redriven", async ({
  join,
  newBrowser,
}) => {
  const sender = await join({ agents: ["planner", "scout"] });
  const onlooker = await join();
  const browser = await newBrowser();
  const options = { maxDeliver: 3 };
  // It is begun beside the one that its page dies of.
  const [harmless = ""] = await sender.send("scout", "worker", [{ steps: ["hold", "hold"] }]);
  const [id = ""] = await sender.send("planner", "worker", [{ steps: ["hang", "reload", "hold"] }]);
  await sender.synced();
  const first = await join({ browser });
  const kill = await layFuse(first.page);
  const isHanging = begun(first.page, id, 1);
  // A page that hangs does not answer.
  work(first, "worker", options).catch(() => undefined);
  await isHanging;
  await kill();

  const second = await join({ browser });
  const isReloaded = second.page.waitForEvent("load");
  const isBegun = begun(second.page, id, 2);
  work(second, "worker", options).catch(() => undefined);
  await isBegun;
  await isReloaded;
  await second.reload();
  await work(second, "worker", options);
  await expect.poll(() => attemptsAt(second, id)).toEqual([3]);
  await expect.poll(() => attemptsAt(second, harmless)).toHaveLength(1);
  await expect.poll(() => statusOf(onlooker, id)).toMatchObject([{ state: "in-flight", attempts: 3 }]);
  await expectState(onlooker, [harmless], "acknowledged");
  await second.page.close();

  const third = await join({ browser });
  await work(third, "worker", options);
  const late = await join();
  const letter = { id, agent: "anon.worker", outcome: "exhausted", attempts: 3 };
  for (const tab of [third, sender, onlooker, late]) {
    await expect.poll(() => deadLetters(tab)).toMatchObject([letter]);
    await expectState(tab, [id], "dead");
  }
  expect(await deliveries(third)).toEqual([]);
  expect(await third.problems()).toEqual(["messaging/dead-letter"]);

  await third.synced();
  await third.page.close();
  await onlooker.page.evaluate(async () => {
    const operator = await harness.room.agent("operator");
    const [dead] = harness.room.deadLetters.get();
    if (dead) await operator.redrive(dead);
  });
  await expectState(sender, [id], "pending");
  const mended = await join({ browser });
  await work(mended, "worker", { ...options, mended: true });
  await expectState(sender, [id], "acknowledged");
  expect(await deliveries(mended)).toMatchObject([{ id, attempt: 1 }]);
  for (const tab of [mended, sender, onlooker, late]) await expect.poll(() => deadLetters(tab)).toEqual([]);
});

test("E2E-47: the sender's other browser is told what becomes of each message, and what is pending under a cut", async ({
  cable,
  join,
}) => {
  const sender = await join({ agents: ["planner"] });
  const other = await join();
  const worker = await join({ relay: cable.url });
  await work(worker, "worker", { order: "none", maxDeliver: 2, ackWaitMs: 1_500 });
  const steps: readonly (readonly Step[])[] = [
    [],
    [{ nakMs: 200 }],
    [{ term: "no such table" }],
    ["fail", "fail"],
    ["hold", "hold"],
    ["work"],
  ];
  const ids = await sender.send(
    "planner",
    "worker",
    steps.map((each) => ({ steps: each })),
  );
  const [plain = "", delayed = "", ended = "", failed = "", mute = "", long = ""] = ids;
  // It outlasts what is mute twice over.
  await expect.poll(() => statesOf(other, mute)).toEqual(["dead"]);
  expect(await statesOf(other, long)).toEqual(["in-flight"]);
  await letGo(worker);
  const settled = await other.page.evaluate(
    (all) => Promise.all(all.map((id) => harness.room.waitForDelivery(id))),
    ids,
  );
  const agent = "anon.worker";
  expect(settled).toMatchObject([
    [{ agent, state: "acknowledged" }],
    [{ agent, state: "acknowledged" }],
    [{ agent, state: "terminated", attempts: 1, reason: "no such table" }],
    [{ agent, state: "dead", attempts: 2 }],
    [{ agent, state: "dead", attempts: 2 }],
    [{ agent, state: "acknowledged" }],
  ]);
  const attempts = {
    [plain]: [1],
    [delayed]: [1, 2],
    [ended]: [1],
    [failed]: [1, 2],
    [mute]: [1, 2],
    [long]: [1],
  };
  for (const id of ids) expect(await attemptsAt(worker, id), `attempts of ${id}`).toEqual(attempts[id]);
  const [silent] = (await deliveries(worker)).filter(({ id }) => id === mute);
  expect(silent?.aborted).toBe("messaging/ack-timeout");
  const dead = [ended, failed, mute].sort();
  expect((await deadLetters(other)).map(({ id }) => id).sort()).toEqual(dead);

  await worker.synced();
  await cable.cut();
  const apart = await sender.send("planner", "worker", jobs(2));
  await expectState(other, apart, "pending");
  const [late = ""] = apart;
  const waited = await other.page.evaluate(
    (id) => harness.room.waitForDelivery(id, { timeoutMs: 200 }),
    late,
  );
  expect(waited).toMatchObject([{ agent, state: "pending", attempts: 0 }]);
  await cable.heal();
  await expectState(other, apart, "acknowledged");
  for (const id of apart) expect(await attemptsAt(worker, id)).toEqual([1]);
});

test("E2E-48: three browsers share a group's messages, each once; what one has in flight when it is killed the others take", async ({
  join,
}) => {
  const names = ["ann", "bob", "cyd"];
  const sender = await join({ agents: ["planner"] });
  const members = [await join(), await join(), await join()] as const;
  const options = { group: "crew", filter: { topic: "jobs" } };
  for (const [index, member] of members.entries()) await work(member, names[index] as string, options);
  await acquainted([...members, sender], names, members.length);
  const publish = (contents: readonly Job[]) =>
    sender.page.evaluate(async (given) => {
      const planner = harness.agentNamed("planner");
      const sent = given.map((content) =>
        planner.send({ topic: "jobs", type: "TASK", content: { ...content } }),
      );
      return (await Promise.all(sent)).map(({ id }) => id);
    }, contents);

  const quiet = await publish(jobs(60));
  await expectState(sender, quiet, "acknowledged");
  const shares = await Promise.all(members.map(deliveredIds));
  for (const share of shares) expect(share.length).toBeGreaterThan(0);
  expectOnce(shares.flat(), quiet, "what the members were given");

  const held = await publish(jobs(30, ["hold", "hold"]));
  await expectState(sender, held, "in-flight");
  const [killed, ...rest] = members;
  const lost = (await deliveredIds(killed)).filter((id) => held.includes(id));
  expect(lost.length).toBeGreaterThan(0);
  const kill = await layFuse(killed.page);
  await kill();
  const taken = async () =>
    (await Promise.all(rest.map(deliveries))).flat().filter(({ id }) => held.includes(id));
  await expect.poll(async () => (await taken()).length).toBe(held.length);
  expectOnce(
    (await taken()).map(({ id }) => id),
    held,
    "what the others have",
  );
  for (const { id, attempt } of await taken()) expect(attempt, id).toBe(lost.includes(id) ? 2 : 1);
  for (const member of rest) await letGo(member);
  await expectState(sender, held, "acknowledged");
  expect(await taken()).toHaveLength(held.length);
  for (const member of rest) expect(await member.problems()).toEqual([]);
});

test("E2E-49: a new tab of an agent handles nothing of the past, shares what comes, and takes over from those that are gone", async ({
  join,
  newBrowser,
}) => {
  const sender = await join({ agents: ["planner"] });
  const browser = await newBrowser();
  await browser.clock.install();
  const options = { order: "none" } as const;
  const first = await join({ browser });
  await work(first, "worker", options);
  const past = await sender.send("planner", "worker", jobs(20));
  await expectState(sender, past, "acknowledged");

  const closed = await join({ browser });
  const vanished = await join({ browser });
  const elsewhere = await join();
  const tabs = [first, closed, vanished, elsewhere];
  for (const tab of tabs.slice(1)) await work(tab, "worker", options);
  await acquainted([...tabs, sender], ["worker"], tabs.length);
  const shared = await sender.send("planner", "worker", jobs(60));
  await expectState(sender, shared, "acknowledged");
  const shares = await Promise.all(tabs.map(deliveredIds));
  expectOnce(shares.flat(), [...past, ...shared], "what the tabs were given");
  expect(shares[0]?.slice(0, past.length)).toEqual(past);
  for (const share of shares.slice(1)) {
    expect(share.length).toBeGreaterThan(0);
    expect(missing(past, share)).toEqual(past);
  }

  const held = await sender.send("planner", "worker", jobs(40, ["hold", "hold"]));
  await expectState(sender, held, "in-flight");
  const kills = [await layFuse(vanished.page), await layFuse(elsewhere.page)];
  await closed.page.close();
  for (const kill of kills) await kill();
  // Of a tab beside this one that says no goodbye only its silence tells.
  await first.page.clock.runFor(21_000);
  await expect.poll(async () => missing(held, await deliveredIds(first))).toEqual([]);
  const taken = (await deliveries(first)).slice(-held.length);
  expectOnce(
    taken.map(({ id }) => id),
    held,
    "what the last tab has",
  );
  await letGo(first);
  await expectState(sender, held, "acknowledged");
  // A consumer of another name begins with all of the past.
  await work(first, "worker", { ...options, consumer: "again", mended: true });
  await expect
    .poll(async () => (await deliveredIds(first)).filter((id) => past.includes(id)).length)
    .toBe(2 * past.length);
});

test("E2E-50: a pattern of topics takes what fits it, and one hand the most urgent first", async ({
  join,
}) => {
  const sender = await join({ agents: ["planner"] });
  const worker = await join();
  const filter = { topic: "orders.*.eu" };
  await work(worker, "worker", { filter, consumer: "eu", order: "none", maxInFlight: 1 });
  await work(worker, "auditor", { filter: { topic: "orders.>" }, mended: true });
  await acquainted([sender, worker], ["worker", "auditor"], 2);
  const publish = (topic: string, priority: number, steps?: readonly Step[]) =>
    sender.page.evaluate(
      async (given) => {
        const { topic, priority, steps } = given;
        const content = { ...(steps && { steps: [...steps] }) };
        const planner = harness.agentNamed("planner");
        return (await planner.send({ topic, priority, type: "ORDER", content })).id;
      },
      { topic, priority, steps },
    );
  const takenBy = async (agent: string) =>
    (await deliveries(worker)).filter((each) => each.agent === agent).map(({ id }) => id);

  const first = await publish("orders.new.eu", 4, ["hold"]);
  await expect.poll(() => takenBy("worker")).toEqual([first]);
  const foreign = [
    await publish("orders.new.us", 9),
    await publish("orders.eu", 9),
    await publish("orders", 9),
  ];
  const priorities = [2, 9, 0, 4, 9, 7];
  const ids: string[] = [];
  for (const priority of priorities) ids.push(await publish("orders.paid.eu", priority));
  // The auditor's consumer has them all, so that the worker's has too.
  await expect.poll(async () => (await takenBy("auditor")).at(-1)).toBe(ids.at(-1));
  await letGo(worker);
  const order = [1, 4, 5, 3, 0, 2].map((index) => ids[index]);
  await expect.poll(() => takenBy("worker")).toEqual([first, ...order]);
  expect(await takenBy("auditor")).toEqual([first, ...foreign.slice(0, 2), ...ids]);
});
