import { expect } from "@playwright/test";
import type { Client } from "./support/client.ts";
import { test } from "./support/fixtures.ts";
import { layFuse } from "./support/messages.ts";

const openStream = ({ page }: Client): Promise<string> =>
  page.evaluate(() => harness.tokens.open(harness.agentNamed("planner")));

/** Writes so many tokens on; gives all that was written so far. */
const write = ({ page }: Client, count: number): Promise<string> =>
  page.evaluate((given) => harness.tokens.write(given), count);

const startReading = ({ page }: Client, id: string): Promise<void> =>
  page.evaluate((stream) => harness.tokens.read(harness.room, stream), id);

const reading = ({ page }: Client) => page.evaluate(() => harness.tokens.reading);

/** Waits until a reader has this text, each piece where the one before ended. */
async function expectRead(client: Client, text: string, state = "reading"): Promise<void> {
  const far = async () => {
    const { text: said, ...rest } = await reading(client);
    return { ...rest, length: said.length };
  };
  await expect.poll(far).toEqual({ length: text.length, misplaced: 0, state });
  expect((await reading(client)).text).toBe(text);
}

test("E2E-54: a stream of tokens is read across a cut and a reload, each character once and no emoji parted", async ({
  cable,
  join,
}) => {
  const writer = await join({ agents: ["planner"] });
  const reader = await join({ relay: cable.url });
  const id = await openStream(writer);
  await startReading(reader, id);
  // Half an emoji waits for the other half.
  expect(await write(writer, 3)).toBe("The sun 🌞".slice(0, 9));
  await expectRead(reader, "The sun ");
  await expectRead(reader, await write(writer, 97));

  await cable.cut();
  const before = await reading(reader);
  const apart = await write(writer, 100);
  await writer.synced();
  expect(await reading(reader)).toEqual(before);
  await cable.heal();
  await expectRead(reader, apart);

  const written = write(writer, 300);
  const lengthRead = async () => (await reading(reader)).text.length;
  await expect.poll(lengthRead).toBeGreaterThan(apart.length);
  await reader.reload();
  await startReading(reader, id);
  await expectRead(reader, await written);
  const whole = await write(writer, 50);
  await writer.page.evaluate(() => harness.tokens.end());
  await expectRead(reader, whole, "ended");
  // From 0 on the digest is checked as well.
  const late = await join();
  await startReading(late, id);
  await expectRead(late, whole, "ended");

  // Negative control: what is read twice is misplaced.
  await late.page.evaluate((stream) => harness.tokens.read(harness.room, stream, 0), id);
  await expect.poll(async () => (await reading(late)).misplaced).toBeGreaterThan(0);
});

test("E2E-55: of a stream whose tab is killed readers have what was written, and are told when its agent is back", async ({
  join,
  newBrowser,
}) => {
  const browser = await newBrowser();
  const writer = await join({ browser, agents: ["planner"] });
  const reader = await join();
  const kill = await layFuse(writer.page);
  const id = await openStream(writer);
  await startReading(reader, id);
  const text = await write(writer, 60);
  await expectRead(reader, text);
  await kill();

  const back = await join({ browser, agents: ["planner"] });
  await expectRead(reader, text, "messaging/stream-failed");
  const again = await openStream(back);
  await startReading(reader, again);
  await expectRead(reader, await write(back, 60));
  await back.page.evaluate(() => harness.tokens.end());
  await expectRead(reader, text, "ended");
});
