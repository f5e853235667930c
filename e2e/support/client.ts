import type { Page } from "@playwright/test";
import type { Handled, OpenOptions } from "../harness/harness.ts";
import type { Report } from "../harness/state.ts";

/** One page with the room open in it. */
export interface Client {
  readonly page: Page;
  /** Loads the page anew and opens the room again, as the first time or with other agents. */
  reload(agents?: readonly string[]): Promise<void>;
  report(): Promise<Report>;
  messageIds(): Promise<string[]>;
  /** The ids that handlers of this page have finished, in order. */
  handledIds(): Promise<string[]>;
  handled(): Promise<Handled[]>;
  /** Sends messages one after the other, each settled `local`; gives their ids. */
  send(from: string, to: string, contents: readonly unknown[]): Promise<string[]>;
  network(): Promise<string>;
  pending(): Promise<number>;
  problems(): Promise<string[]>;
  /** Resolves when the relay has told everything and has everything. */
  synced(): Promise<void>;
}

/** Opens the room in a page of the harness. */
export async function openClient(page: Page, options: OpenOptions): Promise<Client> {
  const open = (agents: readonly string[]) =>
    page.evaluate((given) => harness.open(given), { ...options, agents });

  await open(options.agents);
  return {
    page,
    async reload(agents = options.agents) {
      await page.reload();
      await open(agents);
    },
    report: () => page.evaluate(() => harness.report()),
    messageIds: () => page.evaluate(() => harness.messageIds()),
    handledIds: () => page.evaluate(() => harness.handled.map(({ id }) => id)),
    handled: () => page.evaluate(() => [...harness.handled]),
    send: (from, to, contents) =>
      page.evaluate(
        async (given) => {
          const ids: string[] = [];
          for (const content of given.contents) {
            const agent = harness.agents[given.from];
            if (!agent) throw new Error(`This page has no agent ${given.from}.`);
            const sent = await agent.send({ to: given.to, type: "TASK_REQUEST", content: content as string });
            await sent.settled("local");
            ids.push(sent.id);
          }
          return ids;
        },
        { from, to, contents },
      ),
    network: () => page.evaluate(() => harness.room.status.get().network),
    pending: () => page.evaluate(() => harness.room.status.get().pending),
    problems: () => page.evaluate(() => [...harness.problems]),
    async synced() {
      await page.waitForFunction(() => {
        const { network, pending } = harness.room.status.get();
        return network === "online" && pending === 0;
      });
    },
  };
}
