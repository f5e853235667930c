import { expect } from "@playwright/test";
import type { Client } from "./client.ts";

/** Ids that stand more than once. */
export function doubled(ids: readonly string[]): string[] {
  return [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))];
}

/** Ids that were promised and are not there. */
export function missing(promised: readonly string[], found: readonly string[]): string[] {
  const there = new Set(found);
  return promised.filter((id) => !there.has(id));
}

/** Expects exactly these ids, each once, in whatever order. */
export function expectOnce(ids: readonly string[], expected: readonly string[], where: string): void {
  expect(doubled(ids), `ids that stand twice in ${where}`).toEqual([]);
  expect(missing(expected, ids), `ids that are missing in ${where}`).toEqual([]);
  expect(missing(ids, expected), `ids that nobody expects in ${where}`).toEqual([]);
}

/** Waits until all clients show one report and hold exactly these messages, each once and in one order. */
export async function expectConverged(
  clients: readonly Client[],
  messages: readonly string[],
): Promise<void> {
  const [first, ...others] = clients as [Client, ...Client[]];
  for (const client of clients) {
    await expect
      .poll(async () => missing(messages, await client.messageIds()), "messages to come")
      .toEqual([]);
  }
  for (const client of others) {
    await expect(async () => expect(await client.report()).toEqual(await first.report())).toPass();
  }
  const order = await first.messageIds();
  for (const client of clients) {
    expectOnce(await client.messageIds(), messages, "a log");
    expect(await client.messageIds(), "the order of the log").toEqual(order);
  }
}

/** Waits until these messages were handled, and expects each to have been handled once among all clients. */
export async function expectHandledOnce(
  clients: readonly Client[],
  messages: readonly string[],
): Promise<void> {
  const all = async () => (await Promise.all(clients.map((client) => client.handledIds()))).flat();
  await expect.poll(async () => missing(messages, await all()), "messages to be handled").toEqual([]);
  expectOnce(await all(), messages, "what was handled");
}
