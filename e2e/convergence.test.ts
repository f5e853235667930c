import { expect } from "@playwright/test";
import type { Client } from "./support/client.ts";
import { expectConverged, expectHandledOnce } from "./support/expectations.ts";
import { test } from "./support/fixtures.ts";

const largeBytes = 30_000;

/** Edits every part of the state; a key of the board and the head of the list in conflict with whoever else does. */
async function edit({ page }: Client, by: string): Promise<void> {
  await page.evaluate((name) => {
    const { state, transact } = harness.room;
    state.notes.insert(0, `${name} was here. `);
    state.board.set("last", name);
    transact(() => {
      for (let index = 0; index < 5; index++) state.log.push(`${name} ${index}`);
      if (state.log.get().length > 5) state.log.delete(0);
      state.findings.set({ id: `of ${name}`, by: name, value: name.length });
    });
  }, by);
}

/** Edits and messages, by value and by reference, from both sides at once; gives the ids of all messages. */
async function bothWork(left: Client, right: Client, round: string): Promise<string[]> {
  const contents = Array.from({ length: 20 }, (_, index) => ({ round, index }));
  const seed = round.length;
  const [fromLeft, fromRight, bytesFromLeft, bytesFromRight] = await Promise.all([
    left.send("planner", "critic", contents),
    right.send("critic", "planner", contents),
    left.sendBytes("planner", "critic", { length: largeBytes, seed }),
    right.sendBytes("critic", "planner", { length: largeBytes, seed: seed + 100 }),
    edit(left, `planner in ${round}`),
    edit(right, `critic in ${round}`),
  ]);
  return [...fromLeft, ...fromRight, bytesFromLeft.id, bytesFromRight.id];
}

test("E2E-1: two browsers converge", async ({ join }) => {
  const left = await join({ agents: ["planner"] });
  const right = await join({ agents: ["critic"] });
  const messages = await bothWork(left, right, "the open");
  await expectConverged([left, right], messages);
  await expectHandledOnce([left, right], messages);
  await left.synced();
  await right.synced();
  const { notes, findings } = await left.report();
  expect(notes).toContain("planner in the open was here.");
  expect(notes).toContain("critic in the open was here.");
  expect(findings).toHaveLength(2);
  expect(await left.problems()).toEqual([]);
});

const cuts = [
  {
    title: "the room is told to disconnect",
    cut: ({ page }: Client) => page.evaluate(() => harness.room.disconnect()),
    heal: ({ page }: Client) => page.evaluate(() => harness.room.connect()),
  },
  {
    title: "the browser goes offline",
    cut: ({ page }: Client) => page.context().setOffline(true),
    heal: ({ page }: Client) => page.context().setOffline(false),
  },
  { title: "its connections break", cut: undefined, heal: undefined },
] as const;

for (const { title, cut, heal } of cuts) {
  test(`E2E-2: cut off and healed, both show the same, where ${title}`, async ({ join, cable }) => {
    const left = await join({ agents: ["planner"], relay: cable.url });
    const right = await join({ agents: ["critic"] });
    const before = await bothWork(left, right, "the open");
    await expectConverged([left, right], before);

    await (cut?.(left) ?? cable.cut());
    await expect.poll(() => left.network()).not.toBe("online");
    const apart = await bothWork(left, right, "the dark");
    await right.synced();
    // The negative control: a cut that cuts nothing would be seen here.
    expect(await left.report()).not.toEqual(await right.report());
    expect((await left.messageIds()).length).toBe(before.length + apart.length / 2);
    expect((await right.messageIds()).length).toBe(before.length + apart.length / 2);
    expect(await left.pending()).toBeGreaterThan(0);

    await (heal?.(left) ?? cable.heal());
    await expectConverged([left, right], [...before, ...apart]);
    await expectHandledOnce([left, right], [...before, ...apart]);
    await left.synced();
    await expectDelivered([left, right]);
    expect(await left.problems()).toEqual([]);
    expect(await right.problems()).toEqual([]);
  });
}

/** Waits until both senders know that every message has been handled. */
async function expectDelivered(clients: readonly Client[]): Promise<void> {
  for (const { page } of clients) {
    await page.waitForFunction(() => harness.room.messages.get().every(({ stage }) => stage === "delivered"));
  }
}
