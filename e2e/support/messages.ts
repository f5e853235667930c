import { expect, type Page } from "@playwright/test";
import type { DeadLetter, DeliveryStatus } from "flockstate";
import { beginning, type Delivered, type WorkOptions } from "../harness/worker.ts";
import type { Client } from "./client.ts";

/** Has an agent of a page take jobs. */
export const work = ({ page }: Client, agent: string, options: WorkOptions = {}): Promise<void> =>
  page.evaluate(([name, given]) => harness.work(name, given), [agent, options] as const);

/** What handlers of a page were given. */
export const deliveries = ({ page }: Client): Promise<Delivered[]> =>
  page.evaluate(() => harness.workshop.deliveries.map((each) => ({ ...each })));

/** The ids of the same. */
export const deliveredIds = async (client: Client): Promise<string[]> =>
  (await deliveries(client)).map(({ id }) => id);

/** The attempts of a message that a page's handlers were given. */
export const attemptsAt = async (client: Client, id: string): Promise<number[]> =>
  (await deliveries(client)).filter((each) => each.id === id).map(({ attempt }) => attempt);

export const letGo = ({ page }: Client): Promise<void> => page.evaluate(() => harness.workshop.letGo());

/** What became of a message, as a page knows it now. */
export const statusOf = ({ page }: Client, id: string): Promise<readonly DeliveryStatus[]> =>
  page.evaluate((wanted) => harness.room.deliveryStatus(wanted) ?? [], id);

/** The states of the same. */
export const statesOf = async (client: Client, id: string): Promise<string[]> =>
  (await statusOf(client, id)).map(({ state }) => state);

export const deadLetters = ({ page }: Client): Promise<readonly DeadLetter[]> =>
  page.evaluate(() => harness.room.deadLetters.get());

/** Resolves once a handler of the page begins this attempt of a message, whatever it does then. */
export const begun = (page: Page, id: string, attempt: number): Promise<unknown> =>
  page.waitForEvent("console", (message) => message.text() === beginning(id, attempt));

/** Kills the process of a page, be it that it hangs; gives what does it, for it must be laid before that. */
export async function layFuse(page: Page): Promise<() => Promise<void>> {
  const cdp = await page.context().newCDPSession(page);
  return async () => {
    const crashed = page.waitForEvent("crash");
    // It is never answered.
    cdp.send("Page.crash").catch(() => undefined);
    await crashed;
    await page.close();
  };
}

/** Waits until each page knows that so many writers of these agents are present, and what they consume. */
export async function acquainted(clients: readonly Client[], agents: readonly string[], count: number) {
  for (const { page } of clients) {
    await page.waitForFunction(
      ([names, wanted]) =>
        harness.room.agents.get().filter(({ name, online }) => online && names.includes(name)).length ===
        wanted,
      [agents, count] as const,
    );
  }
  // What each says it consumes is with the relay then, which passes it on before what is sent from now on.
  for (const client of clients) await client.synced();
}

/** Waits until a page sees these messages in one state, at all of their consumers. */
export async function expectState(client: Client, ids: readonly string[], state: string): Promise<void> {
  const states = () => Promise.all(ids.map((id) => statesOf(client, id)));
  await expect.poll(states, `messages ${state}`).toEqual(ids.map(() => [state]));
}
