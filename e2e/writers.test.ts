import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { expect } from "@playwright/test";
import type { Client } from "./support/client.ts";
import { expectConverged, expectHandledOnce } from "./support/expectations.ts";
import { test } from "./support/fixtures.ts";

const writerOf = ({ page }: Client, agent: string): Promise<string> =>
  page.evaluate((name) => harness.agentNamed(name).writer, agent);
const writerIn = (message: string | undefined): string | undefined => message?.split("/")[0];

test("E2E-25: two tabs of one profile are two writers, and each is the same one after a reload", async ({
  join,
  newBrowser,
}) => {
  const browser = await newBrowser();
  const outside = await join({ agents: ["critic"] });
  const first = await join({ browser, agents: ["planner"] });
  const second = await join({ browser, agents: ["planner"] });
  const writers = [await writerOf(first, "planner"), await writerOf(second, "planner")];
  expect(new Set(writers).size).toBe(2);

  // Cut off, it leaves something unsent, which the other sends.
  await first.page.evaluate(() => harness.room.disconnect());
  const left = await first.send("planner", "critic", ["left"]);
  await first.page.close();
  await expectConverged([second, outside], left);
  await second.reload();
  expect(writers).toContain(await writerOf(second, "planner"));
  const more = await second.send("planner", "critic", ["more"]);
  await expectConverged([second, outside], [...left, ...more]);
  await expectHandledOnce([outside], [...left, ...more]);
});

test("E2E-26: cleared storage makes a new writer, and what the relay had is there again", async ({
  join,
  newBrowser,
  site,
}) => {
  const browser = await newBrowser();
  const outside = await join({ agents: ["critic"] });
  const first = await join({ browser, agents: ["planner"] });
  const before = await first.send("planner", "critic", ["one", "two"]);
  await first.synced();
  await first.page.goto("about:blank");
  const session = await browser.newCDPSession(first.page);
  await session.send("Storage.clearDataForOrigin", {
    origin: new URL(site.url).origin,
    storageTypes: "indexeddb",
  });
  await first.page.goto(site.url);
  await first.page.waitForFunction(() => "harness" in globalThis);
  await first.reload();
  expect(await writerOf(first, "planner")).not.toBe(writerIn(before[0]));
  const after = await first.send("planner", "critic", ["three"]);
  await expectConverged([first, outside], [...before, ...after]);
  await expectHandledOnce([outside], [...before, ...after]);
});

test("E2E-27: a copied profile ends as two writers, and no message of either is lost", async ({
  join,
  playwright,
  launchOptions,
}) => {
  const folder = await mkdtemp(joinPath(tmpdir(), "flockstate-e2e-profile-"));
  const profile = (name: string) => joinPath(folder, name);
  const launch = (name: string) => playwright.chromium.launchPersistentContext(profile(name), launchOptions);
  const outside = await join({ agents: ["critic"] });
  try {
    const whole = await launch("original");
    const first = await join({ browser: whole, agents: ["planner"] });
    const messages = await first.send("planner", "critic", ["before"]);
    await first.synced();
    const before = await writerOf(first, "planner");
    await whole.close();
    // The lock of a running browser is a link of its machine and process.
    await cp(profile("original"), profile("copy"), {
      recursive: true,
      filter: (source) => !source.includes("Singleton"),
    });

    const browsers = [await launch("original"), await launch("copy")];
    const tabs: Client[] = [];
    for (const browser of browsers) {
      const tab = await join({ browser, agents: [] });
      await tab.page.evaluate(() => harness.room.disconnect());
      tabs.push(tab);
    }
    for (const [index, { page }] of tabs.entries()) {
      const ids = await page.evaluate(async (number) => {
        const agent = await harness.room.agent("planner");
        globalThis.planner = agent;
        const sent = [];
        for (const word of ["apart", "still apart"]) {
          const message = await agent.send({ to: "critic", type: "QUERY", content: `${word} ${number}` });
          await message.settled("local");
          sent.push(message.id);
        }
        return sent;
      }, index);
      expect(ids.map(writerIn)).toEqual([before, before]);
      messages.push(...ids);
    }
    for (const { page } of tabs) await page.evaluate(() => harness.room.connect());
    const writers = (): Promise<string[]> =>
      Promise.all(tabs.map(({ page }) => page.evaluate(() => globalThis.planner.writer)));
    await expect.poll(async () => (await writers()).includes(before)).toBe(false);
    expect(new Set(await writers()).size).toBe(2);
    await expectConverged([...tabs, outside], messages);
    await expectHandledOnce([outside], messages);
    for (const tab of tabs) {
      await tab.synced();
      expect(await tab.problems()).toEqual([]);
    }
    for (const browser of browsers) await browser.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("E2E-28: without Web Locks each reload is a new writer, and nothing is lost over reloads", async ({
  join,
  newBrowser,
  ownRelay,
}) => {
  const browser = await newBrowser();
  await browser.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
  });
  const relay = ownRelay.url;
  const tab = await join({ browser, relay, agents: ["planner"] });
  await tab.synced();
  await ownRelay.crash();
  const messages: string[] = [];
  for (const word of ["one", "two", "three"]) {
    messages.push(...(await tab.send("planner", "critic", [word])));
    await tab.reload();
  }
  expect(new Set(messages.map(writerIn)).size).toBe(3);
  await ownRelay.restart();
  const outside = await join({ relay, agents: ["critic"] });
  await expectConverged([tab, outside], messages);
  await expectHandledOnce([outside], messages);
  await tab.synced();
  expect(await tab.problems()).toEqual([]);
});

declare global {
  /** The agent that the copied profile opened while it was cut off. */
  var planner: Awaited<ReturnType<typeof harness.room.agent>>;
}
