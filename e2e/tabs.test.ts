import { expect } from "@playwright/test";
import type { Client } from "./support/client.ts";
import { expectConverged, expectHandledOnce } from "./support/expectations.ts";
import { test } from "./support/fixtures.ts";

/** Waits until a page knows that so many writers of the agent are present. */
async function knowsOnline({ page }: Client, agent: string, count: number): Promise<void> {
  await page.waitForFunction(
    ([name, wanted]) =>
      harness.room.agents.get().filter((each) => each.name === name && each.online).length === wanted,
    [agent, count] as const,
  );
}

test("E2E-6: two tabs of one browser converge with the relay away, and nothing doubles when it returns", async ({
  join,
  newBrowser,
  ownRelay,
}) => {
  await ownRelay.crash();
  const browser = await newBrowser();
  const relay = ownRelay.url;
  // Both tabs open the worker: its messages are for one of the two.
  const first = await join({ browser, relay, agents: ["planner", "worker"] });
  const second = await join({ browser, relay, agents: ["critic", "worker"] });
  const tabs = [first, second];
  for (const tab of tabs) await knowsOnline(tab, "worker", 2);

  const numbers = Array.from({ length: 12 }, (_, index) => index);
  const sent = await Promise.all([
    first.send("planner", "critic", numbers),
    first.send("planner", "worker", numbers),
    second.send("critic", "planner", numbers),
    second.send("critic", "worker", numbers),
    first.page.evaluate(() => harness.room.state.notes.insert(0, "first. ").settled("local")),
    second.page.evaluate(() => harness.room.state.notes.insert(0, "second. ").settled("local")),
  ]);
  const messages = sent.flatMap((ids) => ids ?? []);
  await expectConverged(tabs, messages);
  await expectHandledOnce(tabs, messages);
  expect((await first.report()).notes).toHaveLength("first. second. ".length);
  for (const tab of tabs) expect(await tab.network()).not.toBe("online");

  await ownRelay.restart();
  for (const tab of tabs) await tab.synced();
  const outside = await join({ relay });
  await expectConverged([...tabs, outside], messages);
  await expectHandledOnce(tabs, messages);
  for (const tab of tabs) expect(await tab.problems()).toEqual([]);
});

test("E2E-7: a tab opened beside another shows what only that one has", async ({
  join,
  newBrowser,
  ownRelay,
}) => {
  await ownRelay.crash();
  const browser = await newBrowser();
  const first = await join({ browser, relay: ownRelay.url, agents: ["planner"] });
  const messages = await first.send("planner", "critic", ["early"]);
  await first.page.evaluate(() => harness.room.state.board.set("early", true).settled("local"));
  const second = await join({ browser, relay: ownRelay.url, agents: ["critic"] });
  await expectConverged([first, second], messages);
  await expectHandledOnce([first, second], messages);
  await first.page.waitForFunction(() =>
    harness.room.messages.get().every(({ stage }) => stage === "delivered"),
  );
});

/** Lets the tab that wrote these count as gone: without a goodbye that takes two probes in vain. */
async function vanished({ page }: Client, messages: readonly string[]): Promise<void> {
  await page.waitForFunction(async (writer) => {
    const { held } = await navigator.locks.query();
    return !held?.some(({ name }) => name?.endsWith(writer));
  }, messages[0]?.split("/")[0] ?? "");
  await page.clock.runFor(21_000);
}

for (const ending of ["closed its room", "vanished"]) {
  test(`E2E-8: what a tab wrote while it alone was cut off goes out through the tab beside it, once it ${ending}`, async ({
    join,
    newBrowser,
  }) => {
    const browser = await newBrowser();
    await browser.clock.install();
    const outside = await join({ agents: ["critic"] });
    const first = await join({ browser, agents: ["planner"] });
    const second = await join({ browser });
    await Promise.all([first, second, outside].map((client) => client.synced()));
    await first.page.evaluate(() => harness.room.disconnect());
    const messages = await first.send("planner", "critic", ["apart"]);
    await first.page.evaluate(() => harness.room.state.notes.insert(0, "apart").settled("local"));
    await expectConverged([first, second], messages);
    if (ending === "closed its room") await first.page.evaluate(() => harness.room.close());
    await first.page.close();
    if (ending === "vanished") await vanished(second, messages);
    await expectConverged([second, outside], messages);
    await expectHandledOnce([outside], messages);
  });
}
