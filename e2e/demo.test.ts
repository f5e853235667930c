import { expect, type Page } from "@playwright/test";
import { type ShownReport, shownMessageIds, shownReport } from "./support/demo.ts";
import { expectOnce } from "./support/expectations.ts";
import { test as base } from "./support/fixtures.ts";

interface DemoFixtures {
  /** Opens the demo's room in a browser of its own; an analyst there pauses for `paceMs` before each task. */
  visit(paceMs: number): Promise<Page>;
}

const test = base.extend<DemoFixtures>({
  visit: async ({ newBrowser, demo, room }, use) => {
    const errors: string[] = [];
    await use(async (paceMs) => {
      const page = await (await newBrowser()).newPage();
      page.on("pageerror", (error) => errors.push(error.stack ?? error.message));
      await page.goto(`${demo.url}/?pace=${paceMs}#room=${room}`);
      await expect(page.getByTestId("agent-row").first()).toBeVisible();
      return page;
    });
    expect(errors, "errors that a page threw to nobody").toEqual([]);
  },
});

/** Every column of the movies, and how they relate. */
const movieFindings = 17;

async function expectAgents(page: Page, online: number): Promise<void> {
  await expect(page.locator('[data-testid="agent-row"][data-online="true"]')).toHaveCount(online);
}

/** Waits until all pages show one complete report, and one log in which each message stands once. */
async function expectSameReport(pages: readonly Page[], findings: number): Promise<ShownReport> {
  const [first, ...others] = pages as [Page, ...Page[]];
  for (const page of pages) {
    await expect(page.getByTestId("finding")).toHaveCount(findings);
    await expect(page.getByTestId("summary")).not.toHaveAttribute("data-waiting");
    await expect(page.locator('[data-testid="message-row"]:not([data-stage="delivered"])')).toHaveCount(0);
  }
  for (const page of others) {
    await expect(async () => expect(await shownReport(page)).toEqual(await shownReport(first))).toPass();
    await expect
      .poll(async () => (await shownMessageIds(page)).toSorted())
      .toEqual((await shownMessageIds(first)).toSorted());
    expectOnce(await shownMessageIds(page), await shownMessageIds(first), "the list of messages");
  }
  return shownReport(first);
}

/** The analysts that have answered, by what the messages say. */
async function workers(page: Page): Promise<number> {
  const names = await page.evaluate(() => {
    const answers = window.flock?.room.messages.get().filter(({ type }) => type === "TASK_RESULT") ?? [];
    return answers.map(({ from }) => from).filter((from) => from.includes("analyst"));
  });
  return new Set(names).size;
}

test("E2E-13: a flock in two browsers analyses the movies to one report", async ({ visit }) => {
  const pages = [await visit(0), await visit(0)] as const;
  for (const page of pages) await expectAgents(page, 6);
  await pages[0].getByTestId("analyse-movies").click();
  const { summary } = await expectSameReport(pages, movieFindings);
  expect(summary).not.toBe("");
  expect(await workers(pages[0])).toBe(2);
  for (const page of pages) {
    await expect(page.getByTestId("reference-row")).toHaveAttribute("data-state", "remote");
    await expect(page.getByTestId("network-state")).toHaveAttribute("data-state", "online");
  }
});

test("E2E-14: one browser is cut off in mid-work, both go on, and both show the same report after", async ({
  visit,
}) => {
  const [here, there] = [await visit(150), await visit(150)] as const;
  for (const page of [here, there]) await expectAgents(page, 6);
  await here.getByTestId("analyse-movies").click();
  await expect.poll(() => there.getByTestId("finding").count()).toBeGreaterThanOrEqual(2);

  await there.getByTestId("network-switch").click();
  await expect(there.getByTestId("network-state")).toHaveAttribute("data-state", "offline");
  await here.getByTestId("notes").fill("Written with the network.");
  await there.getByTestId("notes").pressSequentially("Written without it. ");
  await expectAgents(here, 3);
  await expect(here.getByTestId("finding")).toHaveCount(movieFindings);
  expect((await shownReport(there)).notes).toBe("Written without it. ");

  await there.getByTestId("network-switch").click();
  await expect(there.getByTestId("network-state")).toHaveAttribute("data-state", "online");
  const { notes } = await expectSameReport([here, there], movieFindings);
  expect(notes).toContain("Written with the network.");
  expect(notes).toContain("Written without it. ");
});

test("E2E-15: a file of a person's own is analysed, and by the other browser too", async ({ visit }) => {
  const pages = [await visit(0), await visit(0)] as const;
  for (const page of pages) await expectAgents(page, 6);
  const lines = Array.from(
    { length: 2_000 },
    (_, index) => `${index},${(index % 7) * 10},${index % 3 ? "reed" : "moor"}`,
  );
  const file = {
    name: "ringed.csv",
    mimeType: "text/csv",
    buffer: Buffer.from(`ring,weight,site\n${lines.join("\n")}\n`),
  };
  await pages[0].getByTestId("file-input").setInputFiles(file);
  const { findings } = await expectSameReport(pages, 4);
  expect(Object.keys(findings)).toEqual(["correlations", "ring", "site", "weight"]);
  expect(findings["ring"]).toContain("999.5");
  expect(findings["site"]).toContain("reed");
  await expect(pages[1].getByTestId("dataset-tab")).toContainText("ringed.csv");
});

/** Says so much as the planner that its first pages are sealed. */
async function chatter(page: Page): Promise<void> {
  await page.evaluate(async () => {
    for (let turn = 0; turn < 30; turn++) {
      const sent = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          window.flock?.agents.planner.send({
            topic: "chatter",
            type: "STATUS",
            content: { turn, index, padding: "x".repeat(400) },
          }),
        ),
      );
      await Promise.all(sent.map((message) => message?.settled("relayed")));
    }
  });
}

/** Who found what, how much was said, and which data is there, as a page shows it. */
async function shownCredits(page: Page) {
  const [credits, said, tabs, done] = await Promise.all([
    page.locator(".credit").allTextContents(),
    page.locator(".panel-messages .panel-note").textContent(),
    page.getByTestId("dataset-tab").allTextContents(),
    page.locator(".agent-done").allTextContents(),
  ]);
  return { credits, said, tabs, done: done.filter((count) => count !== "").toSorted() };
}

test("E2E-39: a room that has said far more than stays live shows its whole report, to who comes later too", async ({
  visit,
}) => {
  test.setTimeout(300_000);
  const pages = [await visit(0), await visit(0)];
  for (const page of pages) await expectAgents(page, 6);
  await pages[0]?.getByTestId("analyse-movies").click();
  const before = await expectSameReport(pages, movieFindings);
  const { credits, tabs, done } = await shownCredits(pages[0] as Page);
  expect(credits.every((who) => who.startsWith("analyst"))).toBe(true);

  await chatter(pages[0] as Page);
  for (const page of pages) {
    await expect
      .poll(
        () => page.evaluate(() => window.flock?.room.messages.get().some(({ type }) => type === "dataset")),
        {
          message: "the announcement to be sealed",
          timeout: 120_000,
        },
      )
      .toBe(false);
  }
  const said = await (pages[0] as Page).evaluate(async () => {
    let count = 0;
    for await (const { message } of window.flock?.room.history() ?? []) if (message) count++;
    return count;
  });
  expect(said).toBeGreaterThan(3_000);
  pages.push(await visit(0));
  await pages[1]?.reload();
  for (const page of pages) {
    await expect
      .poll(() => shownCredits(page), { timeout: 60_000 })
      .toEqual({ credits, tabs, done, said: String(said) });
    await expect.poll(() => shownReport(page)).toEqual(before);
  }
});
