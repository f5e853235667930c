import { expect } from "@playwright/test";
import type { Client } from "./support/client.ts";
import { expectConverged, expectOnce } from "./support/expectations.ts";
import { test } from "./support/fixtures.ts";

const largeBytes = 50_000;

async function write({ page }: Client, note: string): Promise<void> {
  await page.evaluate(async (text) => {
    const { notes, log } = harness.room.state;
    await notes.insert(0, `${text}. `).settled("local");
    await log.push(text).settled("local");
  }, note);
}

test("E2E-3: with the relay gone, a reload restores everything, what others wrote included", async ({
  join,
  ownRelay,
}) => {
  const left = await join({ agents: ["planner"], relay: ownRelay.url });
  const right = await join({ agents: ["critic"], relay: ownRelay.url });
  const messages = [
    ...(await left.send("planner", "critic", ["one", "two", { three: 3 }])),
    ...(await right.send("critic", "planner", ["four", "five"])),
  ];
  const bytes = await right.sendBytes("critic", "planner", { length: largeBytes, seed: 7 });
  messages.push(bytes.id);
  await write(left, "left");
  await write(right, "right");
  await expectConverged([left, right], messages);
  await expect.poll(() => left.handledIds()).toContain(bytes.id);
  const before = await left.report();
  // What has arrived is stored a moment later; a reload before that would fetch it again.
  await expect(async () => {
    const stored = await left.page.evaluate(() => harness.stored());
    expect(stored.report).toEqual(before);
    expect(stored.messageIds).toHaveLength(messages.length);
  }).toPass();

  await ownRelay.crash();
  await left.reload();
  expect(await left.report()).toEqual(before);
  expectOnce(await left.messageIds(), messages, "the log after the reload");
  expect(await left.hashOf(bytes.id)).toBe(bytes.hash);
  expect(await left.network()).not.toBe("online");
  expect(await left.page.evaluate(() => harness.room.status.get().storage)).toBe("ready");
});

for (const agents of [["planner"], []]) {
  const next = agents.length > 0 ? "one that opens the same agent" : "one that opens no agent";
  test(`E2E-4: what a closed tab left unsent arrives through the next one, ${next}`, async ({
    join,
    newBrowser,
    ownRelay,
  }) => {
    const browser = await newBrowser();
    const right = await join({ agents: ["critic"], relay: ownRelay.url });
    const first = await join({ browser, agents: ["planner"], relay: ownRelay.url });
    const sent = await first.send("planner", "critic", ["while the relay was there"]);
    await expectConverged([first, right], sent);

    await ownRelay.crash();
    const unsent = await first.send("planner", "critic", ["one", "two", "three"]);
    const bytes = await first.sendBytes("planner", "critic", { length: largeBytes, seed: 11 });
    await write(first, "while the relay was gone");
    const report = await first.report();
    await first.page.close();

    const second = await join({ browser, agents, relay: ownRelay.url });
    expect(await second.report()).toEqual(report);
    await ownRelay.restart();
    const messages = [...sent, ...unsent, bytes.id];
    await expectConverged([second, right], messages);
    expect(await right.report()).toEqual(report);
    await expect.poll(() => right.handledIds()).toEqual(messages);
    expect(await right.hashOf(bytes.id)).toBe(bytes.hash);
    await second.synced();
  });
}
