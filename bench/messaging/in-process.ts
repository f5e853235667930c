import { performance } from "node:perf_hooks";
import { content, directCalls } from "../limits.ts";
import { createLoneMessage, createRequest, openTogether, type Pair, sendRate } from "./agents.ts";
import { gather } from "./figures.ts";
import { timeByTurns } from "./latency.ts";
import { type Line, printTable } from "./table.ts";

const messages = 20_000;
const loneMessages = 1_000;
/** Messages sent in one turn of the event loop. */
const batches = [1, 16, 64, 256];

/** Two agents in one room object, beside the least that any messenger does: a copy of the content, and a call. */
export async function measureInProcess(runs: number): Promise<void> {
  const figures = await gather(runs, async ({ note }) => {
    const all = await withPair((pair) => sendRate(pair, messages));
    note("all", all.perSecond);
    note("processor", all.processorUs);
    for (const perTurn of batches) {
      note(`${perTurn}`, (await withPair((pair) => sendRate(pair, messages, perTurn))).perSecond);
    }
    note("calls", await directCalls(messages));
    await withPair(async (pair) => {
      const [message, question] = [createLoneMessage(pair), createRequest(pair)];
      const { ours, call, request } = await timeByTurns(loneMessages, {
        ours: message.time,
        call: timedCall,
        request: question.time,
      });
      message.stop();
      question.stop();
      note("request", request.p50);
      note("p50", ours.p50);
      note("p99", ours.p99);
      note("call", call.p50);
    });
  });
  const beside = { name: "a copy and a call", values: figures.of("calls") };
  printTable("Two agents in one room object", [
    {
      path: "messages a second, all sent in one turn",
      unit: "/s",
      ours: figures.of("all"),
      beside,
      bar: { least: 100_000 },
    },
    { path: "the processor's time of each", unit: "µs", ours: figures.of("processor") },
    ...batches.map((perTurn): Line => {
      return {
        path: `messages a second, ${perTurn} a turn`,
        unit: "/s",
        ours: figures.of(`${perTurn}`),
        beside,
      };
    }),
    {
      path: "a lone message, send to handler, p50",
      unit: "µs",
      ours: figures.of("p50"),
      beside: { name: "a copy and a call", values: figures.of("call") },
    },
    { path: "the same, p99", unit: "µs", ours: figures.of("p99") },
    { path: "a request and its reply, p50", unit: "µs", ours: figures.of("request") },
  ]);
}

async function withPair<T>(task: (pair: Pair) => Promise<T>): Promise<T> {
  const pair = await openTogether();
  try {
    return await task(pair);
  } finally {
    await pair.close();
  }
}

async function timedCall(): Promise<number> {
  const start = performance.now();
  const copy = JSON.parse(JSON.stringify(content)) as typeof content;
  if (copy.task !== content.task) throw new Error("The limit lost its content.");
  return (performance.now() - start) * 1_000;
}
