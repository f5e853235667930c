import { expect } from "@playwright/test";
import { test } from "./support/fixtures.ts";

const largeBytes = 5 * 1024 * 1024;

test("E2E-10: a large file goes by reference, and arrives only as it was sent", async ({
  join,
  relay,
  room,
}) => {
  const sender = await join({ agents: ["planner"] });
  const receiver = await join();
  await receiver.page.evaluate(async () => {
    const critic = await harness.room.agent("critic");
    critic.onMessage({}, async ({ id, type, content }) => {
      const hash = await harness.sha256(content as Uint8Array<ArrayBuffer>);
      harness.handled.push({ id, agent: "critic", type, content: hash });
    });
  });
  let spoiled = 0;
  await receiver.page.route("**/refs/*", async (route) => {
    const response = await route.fetch();
    const body = await response.body();
    if (route.request().method() !== "GET") return route.fulfill({ response });
    spoiled++;
    body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
    return route.fulfill({ response, body });
  });

  const sent = await sender.sendBytes("planner", "critic", { length: largeBytes, seed: 3 });
  await sender.synced();

  // A copy with one wrong bit is refused: nobody gets it, it is told, and the message waits.
  await expect.poll(() => spoiled).toBeGreaterThan(0);
  const state = (id: string) => receiver.page.evaluate((wanted) => harness.room.refs.state(wanted), id);
  await expect.poll(() => state(sent.hash)).toEqual({ here: false, state: "corrupt" });
  const refusal = await receiver.page.evaluate(
    (id) =>
      harness.room.refs.get(id).then(
        () => "given",
        ({ code }) => code,
      ),
    sent.hash,
  );
  expect(refusal).toBe("refstore/corrupt");
  expect(await receiver.handledIds()).toEqual([]);

  await receiver.page.unrouteAll({ behavior: "wait" });
  await expect
    .poll(() => receiver.handled())
    .toEqual([{ id: sent.id, agent: "critic", type: "RESOURCE", content: sent.hash }]);
  expect(await state(sent.hash)).toEqual({ here: true, state: "remote" });
  const [message] = await receiver.page.evaluate(() => [...harness.room.messages.get()]);
  expect(message).not.toHaveProperty("content");
  expect(message).toMatchObject({ sizeBytes: largeBytes, reference: { id: sent.hash, size: largeBytes } });
  const stored = await fetch(`${relay.url}/v1/rooms/${room}/refs/${sent.hash}`);
  expect(stored.headers.get("content-length")).toBe(String(largeBytes));
  await stored.body?.cancel();
  await sender.page.waitForFunction(() => harness.room.messages.get()[0]?.stage === "delivered");
});
