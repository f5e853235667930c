import { expect } from "@playwright/test";
import type { Client } from "./support/client.ts";
import { expectConverged } from "./support/expectations.ts";
import { test } from "./support/fixtures.ts";

const type = "TASK_REQUEST";

/** Opens a worker whose handler never finishes the message with this content. */
async function openWorker({ page }: Client, stuckAt: string | undefined): Promise<void> {
  await page.evaluate(
    async (given) => {
      const worker = await harness.room.agent("worker");
      worker.onMessage({ type: given.type }, async ({ id, content, type }) => {
        if (content === given.stuckAt) {
          harness.room.state.board.set("stuck", id);
          await new Promise(() => {});
        }
        harness.handled.push({ id, agent: "worker", type, content });
      });
    },
    { stuckAt, type },
  );
}

test("E2E-5: a tab reloaded in mid-work finishes what it had not acknowledged, and nothing else again", async ({
  join,
}) => {
  const sender = await join({ agents: ["planner"] });
  const working = await join();
  await openWorker(working, "three");
  const messages = await sender.send("planner", "worker", ["one", "two", "three", "four"]);
  await expect.poll(async () => (await sender.report()).board["stuck"]).toBe(messages[2]);
  expect(await working.handledIds()).toEqual(messages.slice(0, 2));
  const stages = () => sender.page.evaluate(() => harness.room.messages.get().map(({ stage }) => stage));
  await expect.poll(stages).toEqual(["delivered", "delivered", "relayed", "relayed"]);

  await working.reload();
  await openWorker(working, undefined);
  await expect.poll(() => working.handledIds()).toEqual(messages.slice(2));
  await expect.poll(stages).toEqual(["delivered", "delivered", "delivered", "delivered"]);
  await expectConverged([sender, working], messages);
  expect(await working.handledIds()).toEqual(messages.slice(2));
});
