import { randomBytes } from "node:crypto";
import { type BrowserContext, test as base, expect, type Page } from "@playwright/test";
import type { OpenOptions } from "../harness/harness.ts";
import { type Cable, layCable } from "./cable.ts";
import { type Client, openClient } from "./client.ts";
import { startDemo } from "./demo.ts";
import { startTestRelay, type TestRelay } from "./relay.ts";
import { type Site, serveHarness } from "./site.ts";

/** How a test opens the room. */
export interface ClientOptions {
  agents?: readonly string[];
  /** A browser that has been here before; default a new one with an empty disk. */
  browser?: BrowserContext;
  /** Default the address of the relay that every test may use. */
  relay?: string;
  /** How long pages of lanes become and how much of them stays live; default as for everybody. */
  lanes?: NonNullable<OpenOptions["lanes"]>;
}

interface TestFixtures {
  /** The id of a room that no other test uses. */
  room: string;
  /** A relay of this test's own, to be crashed at will. */
  ownRelay: TestRelay;
  cable: Cable;
  /** Opens a browser with an empty disk; closed after the test. */
  newBrowser(): Promise<BrowserContext>;
  /** Opens a page of the harness, in a new browser by default. An error that it throws to nobody fails the test. */
  newPage(browser?: BrowserContext): Promise<Page>;
  /** Opens the room in a page. */
  join(options?: ClientOptions): Promise<Client>;
}

interface WorkerFixtures {
  site: Site;
  /** The relay of all tests that let it live. */
  relay: TestRelay;
  /** A relay that serves the demo. */
  demo: TestRelay;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  site: [
    async ({ browserName: _ }, use) => {
      const site = await serveHarness();
      await use(site);
      await site.close();
    },
    { scope: "worker" },
  ],
  relay: [
    async ({ browserName: _ }, use) => {
      const relay = await startTestRelay();
      await use(relay);
      await relay.remove();
    },
    { scope: "worker" },
  ],
  demo: [
    async ({ browserName: _ }, use) => {
      const demo = await startDemo();
      await use(demo);
      await demo.remove();
    },
    { scope: "worker" },
  ],
  room: async ({ browserName: _ }, use) => use(`e2e-${randomBytes(8).toString("hex")}`),
  ownRelay: async ({ browserName: _ }, use) => {
    const relay = await startTestRelay();
    await use(relay);
    await relay.remove();
  },
  cable: async ({ relay }, use) => {
    const cable = await layCable(relay.port);
    await use(cable);
    await cable.cut();
  },
  newBrowser: async ({ browser }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async () => {
      const context = await browser.newContext();
      contexts.push(context);
      return context;
    });
    for (const context of contexts) await context.close();
  },
  newPage: async ({ newBrowser, site }, use) => {
    const errors: string[] = [];
    await use(async (browser) => {
      const page = await (browser ?? (await newBrowser())).newPage();
      page.on("pageerror", (error) => errors.push(error.stack ?? error.message));
      await page.goto(site.url);
      return page;
    });
    expect(errors, "errors that a page threw to nobody").toEqual([]);
  },
  join: async ({ newPage, relay, room }, use) => {
    await use(async ({ agents = [], browser, relay: url = relay.url, lanes } = {}) =>
      openClient(await newPage(browser), { room, relay: url, agents, ...(lanes && { lanes }) }),
    );
  },
});
