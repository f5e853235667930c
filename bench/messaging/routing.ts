import type { Entry } from "../../src/crdt/index.ts";
import { compileFilter, type MessageFilter } from "../../src/messaging/filter/filter.ts";
import { readMessage } from "../../src/messaging/index.ts";
import { messageKind, messageSchemaVersion } from "../../src/protocol/index.ts";
import { content } from "../limits.ts";
import { gather } from "./figures.ts";
import { printTable } from "./table.ts";

const decisions = 200_000;
const seedUs = 5;
const reader = "anon.receiver.AAAAAAAAAAA";

type Declared = Pick<MessageFilter, "topic" | "match"> & { type?: string };

const filters: readonly { name: string; filter: Declared; to: object }[] = [
  { name: "to an agent, by type", filter: { type: "STATUS" }, to: { to: "receiver" } },
  { name: "by a topic's name", filter: { topic: "team.eu.plans" }, to: { topic: "team.eu.plans" } },
  { name: "by a pattern of topics", filter: { topic: "team.*.>" }, to: { topic: "team.eu.plans" } },
  {
    name: "by a matcher of three conditions",
    filter: {
      match: { "content.task": "describe", priority: { gte: 4 }, "content.column": { prefix: "IMDB" } },
    },
    to: { to: "receiver" },
  },
];

/** Whether a message that is here is for a consumer: the filter was made ready when the consumer was opened. */
export async function measureRouting(runs: number): Promise<void> {
  const figures = await gather(runs, async ({ note }) => {
    for (const { name, filter, to } of filters) note(name, decide(filter, to));
  });
  printTable(
    "A routing decision",
    filters.map(({ name }) => ({
      path: name,
      unit: "µs" as const,
      ours: figures.of(name),
      bar: { most: seedUs },
    })),
  );
}

function decide(filter: Declared, to: object): number {
  const messages = Array.from({ length: 100 }, (_, index) => {
    const message = readMessage(entryOf(index, to));
    if (!message) throw new Error("The message of the measurement is none.");
    return message;
  });
  const compiled = compileFilter(filter, reader);
  let taken = 0;
  const start = performance.now();
  for (let index = 0; index < decisions; index++) {
    const message = messages[index % messages.length];
    if (message && compiled.takes(message)) taken++;
  }
  const us = ((performance.now() - start) * 1_000) / decisions;
  if (taken !== decisions) throw new Error("The filter took not every message.");
  return us;
}

function entryOf(index: number, to: object): Entry {
  const writer = "anon.sender.BBBBBBBBBBB";
  return {
    id: `${writer}/0-1/${index}`,
    writer,
    page: { number: 0, client: 1 },
    index,
    clock: 1_024,
    kind: messageKind,
    parents: [],
    body: { type: "STATUS", ...to, content, schemaVersion: messageSchemaVersion },
    references: [],
  };
}
