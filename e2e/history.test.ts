import { expect } from "@playwright/test";
import type { HistoryCursor } from "flockstate";
import type { Client } from "./support/client.ts";
import { test } from "./support/fixtures.ts";

const lanes = { pageEntries: 8, liveEntries: 16 };
const contents = Array.from({ length: 80 }, (_, number) => number);

/** Resolves once most of what was said is sealed: then it is live nowhere. */
async function sealed({ page }: Client): Promise<void> {
  await expect
    .poll(() => page.evaluate(() => harness.room.messages.get().length), { timeout: 60_000 })
    .toBeLessThan(40);
}

/** A few records of the room's history, the newest first, and where it goes on. */
function readOn(client: Client, cursor: HistoryCursor | undefined, limit: number) {
  return client.page.evaluate(
    async (given) => {
      const ids: string[] = [];
      let next = given.cursor;
      for await (const record of harness.room.history({ cursor: given.cursor, limit: given.limit })) {
        ids.push(record.id);
        next = record.cursor;
      }
      return { ids, next };
    },
    { cursor, limit },
  );
}

test("E2E-44: an agent that was away handles what was sealed meanwhile, in order, once", async ({
  join,
  newBrowser,
}) => {
  test.setTimeout(120_000);
  const browser = await newBrowser();
  const first = await join({ browser, agents: ["critic"], lanes });
  const sender = await join({ agents: ["planner"], lanes });
  const early = await sender.send("planner", "critic", ["early"]);
  await expect.poll(() => first.handledIds()).toEqual(early);
  await first.synced();
  await first.page.close();

  const ids = await sender.send("planner", "critic", contents);
  await sender.synced();
  await sealed(sender);

  const back = await join({ browser, agents: ["critic"], lanes });
  await expect.poll(() => back.handledIds()).toEqual(ids);
  const last = await sender.send("planner", "critic", ["last"]);
  await expect.poll(() => back.handledIds()).toEqual([...ids, ...last]);
  await back.synced();
  await back.reload();
  const after = await sender.send("planner", "critic", ["after the reload"]);
  await expect.poll(() => back.handledIds()).toEqual(after);
  expect(await back.problems()).toEqual([]);
});

test("E2E-45: a device that comes late pages through all that was said, over a reload and on another", async ({
  join,
}) => {
  test.setTimeout(120_000);
  const sender = await join({ agents: ["planner", "critic"], lanes });
  const ids = await sender.send("planner", "critic", contents);
  await sender.synced();
  await sealed(sender);

  const late = await join({ agents: [], lanes });
  await late.synced();
  const found: string[] = [];
  let cursor: HistoryCursor | undefined;
  const readers = [() => late, () => sender];
  for (let turn = 0; found.length < ids.length; turn++) {
    if (turn === 2) {
      await late.reload();
      await late.synced();
    }
    const { ids: more, next } = await readOn((readers[turn % 2] as () => Client)(), cursor, 15);
    expect(more.length).toBeGreaterThan(0);
    found.push(...more);
    cursor = next;
  }
  expect(found).toEqual(ids.toReversed());
});
