import { expect } from "@playwright/test";
import type { Client } from "./support/client.ts";
import { doubled, missing } from "./support/expectations.ts";
import { test } from "./support/fixtures.ts";
import {
  expectHistory,
  history,
  relayPages,
  say,
  sealedDownTo,
  sealing,
  shortPages,
  storedPages,
} from "./support/lanes.ts";

declare global {
  /** What the relay has acknowledged of what a test writes without pause. */
  var relayed: string[];
}

test.describe.configure({ timeout: 300_000 });

/** So many messages of this length are about seven pages of the default length. */
const long = { count: 3_000, padding: 400 } as const;
const numbers = Array.from({ length: long.count }, (_, index) => index);

/** The number of the page that a message is in. */
const pageNumber = (id: string | undefined): number => Number(id?.split("/")[1]?.split("-")[0]);

const talk = ({ page }: Client) => page.evaluate(() => harness.viewReport("talks"));

async function openTalks({ page }: Client): Promise<void> {
  await page.evaluate(() => harness.openView("talks"));
}

test("E2E-30: of 3,000 messages the relay and both browsers keep the newest as documents, and everybody reads all", async ({
  join,
  relay,
  room,
}) => {
  const left = await join({ agents: ["planner"] });
  const right = await join();
  await openTalks(right);
  const ids = await say(left, "planner", { ...long, conversation: "long" });
  await expectHistory([left, right], ids);
  const kept = await sealedDownTo(relay.url, room, 3);
  expect(pageNumber(ids.at(-1))).toBeGreaterThan(kept.length + 1);
  expect((await history(right)).numbers).toEqual(numbers);

  // What was dropped at the relay goes from both devices, and from what is live.
  for (const client of [left, right]) {
    await expect.poll(() => storedPages(client), sealing).toEqual(kept);
    const live = await client.messageIds();
    expect(live).toEqual(ids.slice(-live.length));
    expect(new Set(live.map((id) => `lane/${id.slice(0, id.lastIndexOf("/"))}`))).toEqual(new Set(kept));
  }
  const third = await join();
  await openTalks(third);
  await expectHistory([left, right, third], ids);
  expect((await talk(third)).states).toEqual((await talk(right)).states);
  expect(await third.page.evaluate(() => harness.foldHistory())).toEqual(ids);

  // Opened again, each has everything, and a view folds nothing that its snapshot has.
  const before = await talk(right);
  expect(before).toMatchObject({ states: { long: { count: long.count } } });
  const snapshot = () => right.page.evaluate(() => harness.storedState("talks", "long"));
  await expect.poll(snapshot).toEqual(before.states["long"]);
  await right.reload();
  await openTalks(right);
  expect(await talk(right)).toEqual({ states: before.states, steps: 0 });
  await left.reload();
  const more = await say(left, "planner", { count: 7, from: long.count, conversation: "long" });
  await expectHistory([left, right, third], [...ids, ...more]);
  await expect
    .poll(async () => (await talk(right)).states)
    .toMatchObject({ long: { count: long.count + 7 } });
  expect((await talk(right)).steps).toBe(7);
  for (const client of [left, right, third]) expect(await client.problems()).toEqual([]);
});

test("E2E-31: a consumer that was closed over 3,000 messages handles each in order, sealed ones too", async ({
  join,
  newBrowser,
  relay,
  room,
}) => {
  const sender = await join({ agents: ["planner"] });
  const browser = await newBrowser();
  const reader = await join({ browser, agents: ["critic"] });
  const early = await say(sender, "planner", { count: 10, to: "critic" });
  await expect.poll(() => reader.handledIds()).toEqual(early);
  await reader.synced();
  await reader.page.close();
  const expected: string[] = [];
  for (let round = 0; round < 3; round++) {
    expected.push(
      ...(await say(sender, "planner", { count: 500, from: round * 500, to: "critic", padding: 400 })),
    );
    await say(sender, "planner", { count: 500, padding: 400 });
  }
  await sender.synced();
  await sealedDownTo(relay.url, room, 4);

  const back = await join({ browser, agents: ["critic"] });
  const live = await back.messageIds();
  expect(missing(expected, live).length, "messages in sealed pages").toBeGreaterThan(500);
  await expect
    .poll(async () => missing(expected, await back.handledIds()).length, {
      message: "to be handled",
      ...sealing,
    })
    .toBe(0);
  const handled = (await back.handledIds()).filter((id) => !early.includes(id));
  expect(doubled(handled)).toEqual([]);
  expect(handled).toEqual(expected);
  expect(await back.problems()).toEqual([]);

  // What it has passed is not handled again.
  await back.synced();
  await back.reload();
  const last = await say(sender, "planner", { count: 1, to: "critic" });
  await expect.poll(() => back.handledIds(), sealing).toEqual(last);
});

test("E2E-32: storage that is cleared while pages are sealed loses nothing that was relayed", async ({
  join,
  newBrowser,
  relay,
  room,
}) => {
  const browser = await newBrowser();
  const lanes = shortPages;
  const outside = await join({ lanes });
  const first = await join({ browser, lanes, agents: ["planner"] });
  const before = await say(first, "planner", { count: 400 });
  const writer = await first.page.evaluate(() => harness.agentNamed("planner").writer);
  await first.synced();
  await sealedDownTo(relay.url, room, 4);
  expect(pageNumber(before.at(-1))).toBeGreaterThan(4);
  await first.page.evaluate(() => {
    const relayed: string[] = [];
    globalThis.relayed = relayed;
    const planner = harness.agentNamed("planner");
    async function write(): Promise<void> {
      for (;;) {
        const sent = await planner.send({ topic: "traffic", type: "STATUS", content: relayed.length });
        sent.settled("relayed").then(
          () => relayed.push(sent.id),
          () => undefined,
        );
        await sent.settled("local");
      }
    }
    // It ends where storage does.
    write().catch(() => undefined);
  });
  const acknowledged = () => first.page.evaluate(() => [...globalThis.relayed]);
  await expect.poll(async () => (await acknowledged()).length).toBeGreaterThan(100);
  const cdp = await browser.newCDPSession(first.page);
  await cdp.send("Storage.clearDataForOrigin", {
    origin: new URL(first.page.url()).origin,
    storageTypes: "indexeddb",
  });
  await expect
    .poll(() => first.page.evaluate(() => harness.room.status.get().storage), sealing)
    .toBe("failed");
  const relayed = [...before, ...(await acknowledged())];

  await first.reload();
  expect(await first.page.evaluate(() => harness.agentNamed("planner").writer)).not.toBe(writer);
  const after = await say(first, "planner", { count: 400, from: 1_000 });
  await first.synced();
  const promised = [...relayed, ...after];
  for (const client of [first, outside]) {
    await expect.poll(async () => missing(promised, (await history(client)).ids), sealing).toEqual([]);
    expect(doubled((await history(client)).ids)).toEqual([]);
  }
  expect((await history(first)).ids).toEqual((await history(outside)).ids);
  expect(await first.problems()).toEqual([]);
});

test("E2E-33: of two tabs one writes and seals; the other lets go as well, and shows the same when it comes again", async ({
  join,
  newBrowser,
  relay,
  room,
}) => {
  const browser = await newBrowser();
  const lanes = shortPages;
  const one = await join({ browser, lanes, agents: ["planner"] });
  const two = await join({ browser, lanes });
  for (const tab of [one, two]) await openTalks(tab);
  const ids = await say(one, "planner", { count: 600, conversation: "both" });
  await one.synced();
  await sealedDownTo(relay.url, room, 4);
  await expectHistory([one, two], ids);
  await expect.poll(async () => (await talk(two)).states).toEqual((await talk(one)).states);
  await expect.poll(() => two.messageIds(), sealing).toEqual(await one.messageIds());
  const live = await one.messageIds();
  expect(live.length).toBeLessThan(200);
  expect(live).toEqual(ids.slice(-live.length));
  await two.page.close();

  const more = await say(one, "planner", { count: 200, from: 600, conversation: "both" });
  const again = await join({ browser, lanes });
  await openTalks(again);
  await expectHistory([one, again], [...ids, ...more]);
  expect((await talk(again)).states).toEqual((await talk(one)).states);
  await expect.poll(() => again.messageIds(), sealing).toEqual(await one.messageIds());
  await expect.poll(() => storedPages(again), sealing).toEqual(await relayPages(relay.url, room));
  for (const tab of [one, again]) expect(await tab.problems()).toEqual([]);
});

test("E2E-34: a relay killed again and again while lanes are sealed has everything once", async ({
  join,
  ownRelay,
  room,
}) => {
  const lanes = shortPages;
  const relay = ownRelay.url;
  const writers = [
    await join({ relay, lanes, agents: ["writer-0"] }),
    await join({ relay, lanes, agents: ["writer-1"] }),
  ];
  for (const [index, { page }] of writers.entries()) {
    await page.evaluate((agent) => harness.startTraffic(agent), `writer-${index}`);
  }
  const acknowledged = ({ page }: Client) => page.evaluate(() => [...harness.traffic.acknowledged.messages]);
  const oldest = async (client: Client) => Math.min(...(await client.messageIds()).map(pageNumber));
  for (let round = 0; round < 4; round++) {
    // Pages are let go of, more each round, when the kill comes.
    for (const writer of writers) {
      const from = (await acknowledged(writer)).length;
      await expect.poll(async () => (await acknowledged(writer)).length).toBeGreaterThan(from + 100);
      await expect.poll(() => oldest(writer), sealing).toBeGreaterThan(round * 2);
    }
    await ownRelay.crash();
    await ownRelay.restart();
    for (const writer of writers) await expect.poll(() => writer.network(), sealing).toBe("online");
  }
  for (const { page } of writers) await page.evaluate(() => harness.traffic.stop());
  for (const writer of writers) await writer.synced();
  const promised = (await Promise.all(writers.map(acknowledged))).flat();
  const said = (await writers[0]?.report())?.log ?? [];
  expect(missing(promised, said)).toEqual([]);
  const newcomer = await join({ relay, lanes });
  await expectHistory([...writers, newcomer], said);
  await sealedDownTo(relay, room, 10);
  await expectHistory([...writers, newcomer], said);
  for (const client of [...writers, newcomer]) expect(await client.problems()).toEqual([]);
});
