import { bareYjs } from "../limits.ts";
import { createTabBus } from "../tab-bus.ts";
import { createLoneMessage, openApart, type Pair, sendRate } from "./agents.ts";
import { gather } from "./figures.ts";
import { timeByTurns } from "./latency.ts";
import { printTable } from "./table.ts";

const messages = 20_000;
const loneMessages = 500;
const perTurn = 256;

/** Two room objects of one browser, each with a database of its own, over a channel in memory. */
export async function measureTabs(runs: number): Promise<void> {
  const figures = await gather(runs, async ({ note }) => {
    note("rate", (await withPair((pair) => sendRate(pair, messages, perTurn))).perSecond);
    note("bare", await bareYjs(messages));
    await withPair(async (pair) => {
      const message = createLoneMessage(pair);
      const { ours } = await timeByTurns(loneMessages, { ours: message.time });
      message.stop();
      note("p50", ours.p50);
      note("p99", ours.p99);
    });
  });
  printTable("Two tabs, over a channel in memory", [
    {
      path: `messages a second, ${perTurn} a turn`,
      unit: "/s",
      ours: figures.of("rate"),
      beside: { name: "bare Yjs, a transaction a message", values: figures.of("bare") },
    },
    { path: "a lone message, send to handler, p50", unit: "µs", ours: figures.of("p50") },
    { path: "the same, p99", unit: "µs", ours: figures.of("p99") },
  ]);
}

async function withPair<T>(task: (pair: Pair) => Promise<T>): Promise<T> {
  const openTabChannel = createTabBus();
  const pair = await openApart([{ openTabChannel }, { openTabChannel }]);
  try {
    return await task(pair);
  } finally {
    await pair.close();
  }
}
