import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import type { RoomPlatform } from "../../src/index.ts";
import { createLoneMessage, newRoomId, openApart, type Pair, sendRate } from "./agents.ts";
import { type Figures, gather } from "./figures.ts";
import { timeByTurns } from "./latency.ts";
import { measureSizes } from "./sizes.ts";
import { openStockPair } from "./stock.ts";
import { printTable } from "./table.ts";

/** Starts the relay of this project with some of its limits raised; `run.mjs` hands it in. */
export type StartRelay = (options: {
  persistDir: string;
  limits: Readonly<Record<string, number>>;
}) => Promise<{ url: string; kill(): Promise<void> }>;

const messages = 20_000;
const loneMessages = 300;
const perTurn = 256;

/** Past anything that the load reaches: what is measured is the path, not where the relay's limits lie. */
const limits = { messagesPerSecond: 1_000_000, bytesInPerSecond: 2 ** 32, documentBytes: 2 ** 32 };

/** Through the relay of this project in workerd, beside a stock y-websocket client through the same. */
export async function measureRelay(runs: number, startRelay: StartRelay): Promise<void> {
  const persistDir = mkdtempSync(join(tmpdir(), "flockstate-bench-"));
  const relay = await startRelay({ persistDir, limits });
  try {
    const figures = await gather(runs, (each) => measure(each, relay.url));
    printTable("Through the local relay, from one room object to another", [
      {
        path: `messages a second, ${perTurn} a turn, stored and handled`,
        unit: "/s",
        ours: figures.of("rate"),
        bar: { least: 50_000 },
      },
      { path: "the clients' processor of each", unit: "µs", ours: figures.of("processor") },
      {
        path: "a lone message, send to handler, p50",
        unit: "µs",
        ours: figures.of("p50"),
        beside: { name: "a stock y-websocket client's update", values: figures.of("stock p50") },
        bar: { mostRatio: 1.5 },
      },
      {
        path: "the same, p99",
        unit: "µs",
        ours: figures.of("p99"),
        beside: { name: "the same", values: figures.of("stock p99") },
      },
    ]);
    await measureSizes(relay.url);
  } finally {
    await relay.kill();
    rmSync(persistDir, { recursive: true, force: true });
  }
}

async function measure({ note }: Figures, url: string): Promise<void> {
  const { perSecond, processorUs } = await withPair(url, (pair) => sendRate(pair, messages, perTurn));
  note("rate", perSecond);
  note("processor", processorUs);
  await withPair(url, async (pair) => {
    const stockPair = await openStockPair(url, newRoomId());
    const message = createLoneMessage(pair);
    const { ours, stock } = await timeByTurns(loneMessages, { ours: message.time, stock: stockPair.time });
    message.stop();
    stockPair.close();
    note("p50", ours.p50);
    note("p99", ours.p99);
    note("stock p50", stock.p50);
    note("stock p99", stock.p99);
  });
}

async function withPair<T>(url: string, task: (pair: Pair) => Promise<T>): Promise<T> {
  const platform: RoomPlatform = {
    WebSocket: WebSocket as unknown as NonNullable<RoomPlatform["WebSocket"]>,
  };
  const pair = await openApart([platform, platform], url);
  try {
    return await task(pair);
  } finally {
    await pair.close();
  }
}
