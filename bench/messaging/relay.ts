import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { openRoom, type RoomPlatform } from "../../src/index.ts";
import {
  createLoneMessage,
  createRequest,
  newRoomId,
  openApart,
  type Pair,
  type Rate,
  rateUntil,
} from "./agents.ts";
import { type Figures, gather } from "./figures.ts";
import { timeByTurns } from "./latency.ts";
import { type ReaderThread, startReader } from "./reader-thread.ts";
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

const platform: RoomPlatform = { WebSocket: WebSocket as unknown as NonNullable<RoomPlatform["WebSocket"]> };

/**
 * Through the relay of this project in workerd, beside a stock y-websocket client through the same; `reader` is the path
 * of the built `reader.ts`.
 */
export async function measureRelay(runs: number, startRelay: StartRelay, reader: string): Promise<void> {
  const persistDir = mkdtempSync(join(tmpdir(), "flockstate-bench-"));
  const relay = await startRelay({ persistDir, limits });
  const thread = startReader(reader);
  try {
    const figures = await gather(runs, (each) => measure(each, relay.url, thread));
    printTable("Through the local relay", [
      {
        path: `messages a second, ${perTurn} a turn, stored and handled in another thread`,
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
      { path: "a request and its reply, both stored, p50", unit: "µs", ours: figures.of("request") },
    ]);
    await measureSizes(relay.url);
  } finally {
    await thread.close();
    await relay.kill();
    rmSync(persistDir, { recursive: true, force: true });
  }
}

async function measure({ note }: Figures, url: string, reader: ReaderThread): Promise<void> {
  const { perSecond, processorUs } = await rateToThread(url, reader);
  note("rate", perSecond);
  note("processor", processorUs);
  await withPair(url, async (pair) => {
    const stockPair = await openStockPair(url, newRoomId());
    const [message, question] = [createLoneMessage(pair), createRequest(pair)];
    const { ours, stock, request } = await timeByTurns(loneMessages, {
      ours: message.time,
      stock: stockPair.time,
      request: question.time,
    });
    message.stop();
    question.stop();
    stockPair.close();
    note("request", request.p50);
    note("p50", ours.p50);
    note("p99", ours.p99);
    note("stock p50", stock.p50);
    note("stock p99", stock.p99);
  });
}

/** To a reader in a thread of its own. */
async function rateToThread(url: string, reader: ReaderThread): Promise<Rate> {
  const id = newRoomId();
  const { met, done } = reader.read({ relay: url, room: id, count: messages });
  const room = await openRoom(id, { relay: url, platform });
  const sender = await room.agent("sender");
  void sender.send({ to: "receiver", type: "FIRST", content: null });
  await met;
  const rate = await rateUntil(done, sender, messages, perTurn);
  await room.close();
  return rate;
}

async function withPair<T>(url: string, task: (pair: Pair) => Promise<T>): Promise<T> {
  const pair = await openApart([platform, platform], url);
  try {
    return await task(pair);
  } finally {
    await pair.close();
  }
}
