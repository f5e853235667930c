import { expect } from "@playwright/test";
import type { Client } from "./support/client.ts";
import { doubled, missing } from "./support/expectations.ts";
import { test } from "./support/fixtures.ts";

const rounds = 4;
const agentOf = (index: number) => `writer-${index}`;

/** What the relay acknowledged to a writer, of each kind. */
interface Acknowledged {
  messages: string[];
  values: string[];
}

async function startTraffic(clients: readonly Client[]): Promise<void> {
  for (const [index, { page }] of clients.entries()) {
    await page.evaluate((agent) => harness.startTraffic(agent), agentOf(index));
  }
}

async function acknowledgedBy({ page }: Client): Promise<Acknowledged> {
  return page.evaluate(() => ({
    messages: [...harness.traffic.messages],
    values: [...harness.traffic.values],
  }));
}

/** Waits until this many more messages are acknowledged while others are on their way. */
async function inFullSwing({ page }: Client, more: number): Promise<void> {
  const wanted = more + (await page.evaluate(() => harness.traffic.messages.length));
  await page.waitForFunction(
    (count) => harness.traffic.messages.length >= count && harness.traffic.open > 0,
    wanted,
  );
}

test("E2E-9: a relay killed while clients write has everything that it acknowledged", async ({
  join,
  ownRelay,
}) => {
  const relay = ownRelay.url;
  const writers = [await join({ relay, agents: [agentOf(0)] }), await join({ relay, agents: [agentOf(1)] })];
  await startTraffic(writers);
  for (let round = 0; round < rounds; round++) {
    await Promise.all(writers.map((writer) => inFullSwing(writer, 25 + 10 * round)));
    await ownRelay.crash();
    // Writers stay away, or they would fill in what the relay lost.
    for (const { page } of writers) await page.evaluate(() => harness.room.disconnect());
    const acknowledged = await Promise.all(writers.map(acknowledgedBy));
    await ownRelay.restart();

    const witness = await join({ relay });
    await expect.poll(() => witness.network()).toBe("online");
    const found = { messages: await witness.messageIds(), values: (await witness.report()).log };
    for (const { messages, values } of acknowledged) {
      expect(missing(messages, found.messages), `messages lost in round ${round}`).toEqual([]);
      expect(missing(values, found.values), `values lost in round ${round}`).toEqual([]);
    }
    await witness.page.close();
    for (const { page } of writers) await page.evaluate(() => harness.room.connect());
  }

  for (const { page } of writers) await page.evaluate(() => harness.traffic.stop());
  for (const writer of writers) await writer.synced();
  const [left, right] = writers as [Client, Client];
  await expect(async () => expect(await left.messageIds()).toEqual(await right.messageIds())).toPass();
  await expect(async () => expect(await left.report()).toEqual(await right.report())).toPass();
  expect(doubled(await left.messageIds())).toEqual([]);
  expect(doubled((await left.report()).log)).toEqual([]);
  expect(await left.messageIds()).toHaveLength((await left.report()).log.length);
  for (const writer of writers) expect(await writer.problems()).toEqual([]);
});

test("E2E-9 negative control: a relay that comes back without its disk is found out", async ({
  join,
  ownRelay,
}) => {
  const relay = ownRelay.url;
  const writer = await join({ relay, agents: [agentOf(0)] });
  await startTraffic([writer]);
  await inFullSwing(writer, 25);
  await ownRelay.crash();
  await writer.page.evaluate(() => harness.room.disconnect());
  const { messages } = await acknowledgedBy(writer);
  await ownRelay.restart({ blank: true });
  const witness = await join({ relay });
  await expect.poll(() => witness.network()).toBe("online");
  expect(missing(messages, await witness.messageIds())).toEqual(messages);

  // And the writer, which has everything, refills it.
  await writer.page.evaluate(() => harness.traffic.stop());
  await writer.page.evaluate(() => harness.room.connect());
  await writer.synced();
  await expect.poll(async () => missing(messages, await witness.messageIds())).toEqual([]);
});
