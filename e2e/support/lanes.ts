import { expect } from "@playwright/test";
import type { SayOptions } from "../harness/lanes.ts";
import type { Client } from "./client.ts";
import { expectOnce } from "./expectations.ts";

/** A room begins to let go 10 s after it was opened, and looks again at what was held each minute. */
export const sealing = { timeout: 120_000 } as const;

/** Pages so short that a few hundred messages are sealed. */
export const shortPages = { pageEntries: 32, liveEntries: 64, livePages: 4 } as const;

export const say = ({ page }: Client, agent: string, options: SayOptions): Promise<string[]> =>
  page.evaluate(([name, given]) => harness.say(name, given), [agent, options] as const);

export const history = ({ page }: Client): Promise<{ ids: string[]; numbers: number[] }> =>
  page.evaluate(() => harness.history());

export const storedPages = ({ page }: Client): Promise<string[]> =>
  page.evaluate(() => harness.storedPages());

/** The names of the lanes' pages that the relay keeps as documents, as its administrator is told. */
export async function relayPages(relay: string, room: string): Promise<string[]> {
  const names: string[] = [];
  for (let after = 0; ; ) {
    const answer = await fetch(`${relay}/v1/rooms/${room}/documents?after=${after}&limit=100`);
    expect(answer.ok, `documents: ${answer.status}`).toBe(true);
    const { documents } = (await answer.json()) as { documents: { id: number; name: string }[] };
    const last = documents.at(-1);
    if (!last) return names.filter((name) => name.startsWith("lane/")).sort();
    names.push(...documents.map(({ name }) => name));
    after = last.id;
  }
}

/** Waits until the relay, which has been sent everything, has at most so many pages; gives their names. */
export async function sealedDownTo(relay: string, room: string, atMost: number): Promise<string[]> {
  await expect
    .poll(async () => (await relayPages(relay, room)).length, { message: "pages at the relay", ...sealing })
    .toBeLessThanOrEqual(atMost);
  return relayPages(relay, room);
}

/** Waits until history gives exactly these messages, each once, in one order to all; and gives that. */
export async function expectHistory(clients: readonly Client[], ids: readonly string[]): Promise<string[]> {
  let first: string[] | undefined;
  for (const client of clients) {
    await expect
      .poll(async () => (await history(client)).ids.length, { message: "messages in history", ...sealing })
      .toBeGreaterThanOrEqual(ids.length);
    const found = (await history(client)).ids;
    expectOnce(found, ids, "history");
    first ??= found;
    expect(found, "the order of history").toEqual(first);
  }
  return first ?? [];
}
