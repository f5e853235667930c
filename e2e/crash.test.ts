import { expect } from "@playwright/test";
import type { Acknowledged } from "./harness/traffic.ts";
import type { Client } from "./support/client.ts";
import { doubled, missing } from "./support/expectations.ts";
import { test } from "./support/fixtures.ts";

const rounds = 4;
const agentOf = (index: number) => `writer-${index}`;

async function startTraffic(writers: readonly Client[]): Promise<void> {
  for (const [index, { page }] of writers.entries()) {
    await page.evaluate((agent) => harness.startTraffic(agent), agentOf(index));
  }
}

/** Waits until this many more messages are acknowledged while other writes are on their way. */
async function inFullSwing({ page }: Client, more: number): Promise<void> {
  const wanted = more + (await page.evaluate(() => harness.traffic.acknowledged.messages.length));
  await page.waitForFunction((count) => {
    const { acknowledged, open } = harness.traffic;
    return acknowledged.messages.length >= count && open > 0;
  }, wanted);
}

/** Cuts a writer off, so that it can't fill in what the relay has lost, and tells what it was promised. */
async function promisedTo({ page }: Client): Promise<Acknowledged> {
  return page.evaluate(() => {
    harness.room.disconnect();
    const { messages, values, deletions, references } = harness.traffic.acknowledged;
    return {
      messages: [...messages],
      values: [...values],
      deletions: [...deletions],
      references: [...references],
    };
  });
}

/** What of the promised a newcomer does not find at the relay; deleted keys that are back count as well. */
async function lostTo(newcomer: Client, promised: Acknowledged, references: string): Promise<Acknowledged> {
  await expect.poll(() => newcomer.network()).toBe("online");
  const { log, board } = await newcomer.report();
  const answers = await Promise.all(
    promised.references.map(
      async (id) => [id, await fetch(`${references}/${id}`, { method: "HEAD" })] as const,
    ),
  );
  return {
    messages: missing(promised.messages, await newcomer.messageIds()),
    values: missing(promised.values, log),
    deletions: promised.deletions.filter((key) => key in board),
    references: answers.filter(([, { ok }]) => !ok).map(([id]) => id),
  };
}

const nothing: Acknowledged = { messages: [], values: [], deletions: [], references: [] };

test("E2E-9: a relay killed while clients write has everything that it acknowledged", async ({
  join,
  ownRelay,
  room,
}) => {
  const relay = ownRelay.url;
  const references = `${relay}/v1/rooms/${room}/refs`;
  const writers = [await join({ relay, agents: [agentOf(0)] }), await join({ relay, agents: [agentOf(1)] })];
  await startTraffic(writers);
  for (let round = 0; round < rounds; round++) {
    await Promise.all(writers.map((writer) => inFullSwing(writer, 25 + 10 * round)));
    await ownRelay.crash();
    const promises = await Promise.all(writers.map(promisedTo));
    await ownRelay.restart();
    const newcomer = await join({ relay });
    for (const promised of promises) {
      expect(promised.references.length).toBeGreaterThan(0);
      expect(await lostTo(newcomer, promised, references), `lost in round ${round}`).toEqual(nothing);
    }
    await newcomer.page.close();
    for (const { page } of writers) await page.evaluate(() => harness.room.connect());
  }

  for (const { page } of writers) await page.evaluate(() => harness.traffic.stop());
  for (const writer of writers) await writer.synced();
  const [left, right] = writers as [Client, Client];
  await expect(async () => expect(await left.messageIds()).toEqual(await right.messageIds())).toPass();
  await expect(async () => expect(await left.report()).toEqual(await right.report())).toPass();
  const { log, board } = await left.report();
  expect(doubled(await left.messageIds())).toEqual([]);
  expect(log.toSorted()).toEqual((await left.messageIds()).toSorted());
  expect(Object.keys(board).toSorted()).toEqual(log.map((id) => `${id} stays`).toSorted());
  for (const writer of writers) expect(await writer.problems()).toEqual([]);
});

test("E2E-9 negative control: a relay that comes back without its disk is found out", async ({
  join,
  ownRelay,
  room,
}) => {
  const relay = ownRelay.url;
  const writer = await join({ relay, agents: [agentOf(0)] });
  await startTraffic([writer]);
  await inFullSwing(writer, 25);
  await ownRelay.crash();
  const promised = await promisedTo(writer);
  await ownRelay.restart({ blank: true });
  const newcomer = await join({ relay });
  // Nothing that was deleted can be back where nothing is.
  const lost = await lostTo(newcomer, promised, `${relay}/v1/rooms/${room}/refs`);
  expect(lost).toEqual({ ...promised, deletions: [] });

  // And the writer, which has everything, refills it.
  await writer.page.evaluate(() => harness.traffic.stop());
  await writer.page.evaluate(() => harness.room.connect());
  await writer.synced();
  await expect.poll(async () => missing(promised.messages, await newcomer.messageIds())).toEqual([]);
  await expect(async () => expect(await newcomer.report()).toEqual(await writer.report())).toPass();
});
