import type { Page } from "@playwright/test";
import type { Handled, OpenOptions } from "../harness/harness.ts";
import type { Report } from "../harness/state.ts";

/** Bytes to send; the same seed makes the same bytes. */
export interface BytesOptions {
  readonly length: number;
  readonly seed: number;
}

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
  /** Sends bytes, which travel by reference; gives the message's id and the bytes' SHA-256. */
  sendBytes(from: string, to: string, bytes: BytesOptions): Promise<{ id: string; hash: string }>;
  /** The SHA-256 of the bytes that this page has for a message's reference. */
  hashOf(id: string): Promise<string>;
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
            const sent = await harness
              .agentNamed(given.from)
              .send({ to: given.to, type: "TASK_REQUEST", content: content as string });
            await sent.settled("local");
            ids.push(sent.id);
          }
          return ids;
        },
        { from, to, contents },
      ),
    sendBytes: (from, to, { length, seed }) =>
      page.evaluate(
        async (given) => {
          const content = harness.bytes(given.length, given.seed);
          const sent = await harness.agentNamed(given.from).send({ to: given.to, type: "RESOURCE", content });
          await sent.settled("local");
          return { id: sent.id, hash: await harness.sha256(content) };
        },
        { from, to, length, seed },
      ),
    hashOf: (id) =>
      page.evaluate(async (wanted) => {
        const message = harness.room.messages.get().find((each) => each.id === wanted);
        if (!message?.reference) throw new Error(`No message by reference ${wanted}.`);
        return harness.sha256((await harness.room.refs.get(message.reference)) as Uint8Array<ArrayBuffer>);
      }, id),
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
