import { expect } from "@playwright/test";
import { test } from "./support/fixtures.ts";
import { acquainted, begun, attemptsAt, deadLetters, deliveredIds, deliveries, expectState, layFuse, letGo, work } from "./support/messages.ts";
for (const maxDeliver of [2, 3]) for (const order of ["none", "lane"] as const) test(`tmp poison ${maxDeliver} ${order}`, async ({ join, newBrowser }) => {
  const sender = await join({ agents: ["planner"] });
  const browser = await newBrowser();
  const ids = await sender.send("planner", "worker", [{}, { steps: ["hang", "hang", "hang"] }, ...Array.from({ length: 8 }, () => ({}))]);
  for (let n = 1; n <= maxDeliver + 2; n++) {
    const tab = await join({ browser });
    const kill = await layFuse(tab.page);
    const said: string[] = [];
    tab.page.on("console", (m) => said.push(m.text()));
    void work(tab, "worker", { order, maxDeliver }).catch(() => undefined);
    await new Promise((r) => setTimeout(r, 3500));
    const isAlive = await Promise.race([tab.page.evaluate(() => true).catch(() => false), new Promise((r) => setTimeout(() => r(false), 1000))]);
    console.log(maxDeliver, order, n, isAlive, said.join("; "));
    if (isAlive) { await tab.page.close(); break; }
    await kill();
  }
  const last = await join({ browser });
  await work(last, "worker", { order, maxDeliver });
  await expect.poll(async () => Promise.all(ids.map((id) => last.page.evaluate((i) => harness.room.deliveryStatus(i)?.[0]?.state, id))), {timeout: 40000}).not.toContain("pending").catch((e) => console.log(String(e).slice(0, 300)));
  console.log(maxDeliver, order, JSON.stringify((await deadLetters(last)).map((l) => [ids.indexOf(l.id), l.outcome, l.attempts])), JSON.stringify((await deliveries(last)).map((d) => [ids.indexOf(d.id), d.attempt, d.ended])));
});
