import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { type Agent, openRoom, type Room, type RoomPlatform } from "../src/index.ts";
import { bareYjs, content, directCalls, openBroadcast, plainBroadcast } from "./limits.ts";
import { latencyUs, rate, report } from "./measure.ts";
import { createTabBus } from "./tab-bus.ts";

const runs = Number(process.env.BENCH_RUNS ?? 5);
const sends = 20_000;
const relaySends = 10_000;
const rounds = 400;

/** Starts the relay of this project; `run.mjs` hands it in. */
type StartRelay = (options: { persistDir: string }) => Promise<{ url: string; kill(): Promise<void> }>;

interface Pair {
  rooms: Room[];
  sender: Agent;
  receiver: Agent;
}

async function openPair(platforms: [RoomPlatform, RoomPlatform], relay?: string): Promise<Pair> {
  const id = `bench-${Math.random().toString(36).slice(2)}`;
  const options = relay === undefined ? {} : { relay };
  const [one, two] = [
    await openRoom(id, { ...options, platform: platforms[0] }),
    await openRoom(id, { ...options, platform: platforms[1] }),
  ];
  return { rooms: [one, two], sender: await one.agent("sender"), receiver: await two.agent("receiver") };
}

/** Sends without waiting, until the last is handled. */
async function sendRate({ sender, receiver }: Pair, count: number): Promise<number> {
  let handled = 0;
  let done: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const stop = receiver.onMessage({ type: "RATE" }, () => {
    if (++handled === count) done();
  });
  const figure = await rate(count, async () => {
    for (let index = 0; index < count; index++) void sender.send({ to: "receiver", type: "RATE", content });
    await all;
  });
  stop();
  return figure;
}

/** A message and its answer, one after another. */
async function roundTrip({ sender, receiver }: Pair): Promise<number> {
  let answered: () => void = () => {};
  const stops = [
    receiver.onMessage({ type: "PING" }, () => receiver.send({ to: "sender", type: "PONG", content: 1 })),
    sender.onMessage({ type: "PONG" }, () => answered()),
  ];
  const once = async (): Promise<void> => {
    const answer = new Promise<void>((resolve) => {
      answered = resolve;
    });
    void sender.send({ to: "receiver", type: "PING", content });
    await answer;
  };
  await once();
  const figure = await latencyUs(rounds, once);
  for (const stop of stops) stop();
  return figure;
}

async function closeAll({ rooms }: Pair): Promise<void> {
  for (const room of rooms) await room.close();
}

async function repeat(task: () => Promise<number>): Promise<number[]> {
  const figures: number[] = [];
  for (let run = 0; run < runs; run++) figures.push(await task());
  return figures;
}

async function inProcess(): Promise<void> {
  const open = async (): Promise<Pair> => {
    const room = await openRoom(`bench-${Math.random()}`.replace(".", "-"), {
      platform: { openTabChannel: false },
    });
    return { rooms: [room], sender: await room.agent("sender"), receiver: await room.agent("receiver") };
  };
  const measured = (measure: (pair: Pair) => Promise<number>) => async (): Promise<number> => {
    const pair = await open();
    const figure = await measure(pair);
    await closeAll(pair);
    return figure;
  };
  report(
    "In process: messages a second, handled",
    {
      name: "flockstate, two agents in one room",
      unit: "/s",
      runs: await repeat(measured((pair) => sendRate(pair, sends))),
    },
    { name: "limit: a copy and a call", unit: "/s", runs: await repeat(() => directCalls(sends)) },
  );
  report(
    "In process: message and answer",
    { name: "flockstate", unit: "µs", runs: await repeat(measured(roundTrip)) },
    {
      name: "limit: two turns of setImmediate",
      unit: "µs",
      runs: await repeat(() => latencyUs(rounds, twoTurns)),
    },
  );
}

async function twoTurns(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function betweenReplicas(): Promise<void> {
  const measured = (measure: (pair: Pair) => Promise<number>) => async (): Promise<number> => {
    const openTabChannel = createTabBus();
    const pair = await openPair([{ openTabChannel }, { openTabChannel }]);
    const figure = await measure(pair);
    await closeAll(pair);
    return figure;
  };
  report(
    "Between two replicas: messages a second, handled",
    {
      name: "flockstate, over a channel in memory",
      unit: "/s",
      runs: await repeat(measured((pair) => sendRate(pair, sends))),
    },
    { name: "peer: bare Yjs, a transaction a message", unit: "/s", runs: await repeat(() => bareYjs(sends)) },
  );
  report(
    "Between two replicas: message and answer",
    { name: "flockstate", unit: "µs", runs: await repeat(measured(roundTrip)) },
    {
      name: "limit: two turns of setImmediate",
      unit: "µs",
      runs: await repeat(() => latencyUs(rounds, twoTurns)),
    },
  );
}

async function throughRelay(startRelay: StartRelay): Promise<void> {
  const persistDir = mkdtempSync(join(tmpdir(), "flockstate-bench-"));
  const relay = await startRelay({ persistDir });
  const broadcast = await openBroadcast();
  const platform: RoomPlatform = {
    WebSocket: WebSocket as unknown as NonNullable<RoomPlatform["WebSocket"]>,
  };
  try {
    const measured = (measure: (pair: Pair) => Promise<number>) => async (): Promise<number> => {
      const pair = await openPair([platform, platform], relay.url);
      const figure = await measure(pair);
      await closeAll(pair);
      return figure;
    };
    const plain = [];
    for (let run = 0; run < runs; run++)
      plain.push(await plainBroadcast(broadcast.url, { rounds, count: relaySends }));
    report(
      "Through the local relay: messages a second, stored and handled",
      {
        name: "flockstate, rows before broadcast",
        unit: "/s",
        runs: await repeat(measured((pair) => sendRate(pair, relaySends))),
      },
      { name: "limit: plain broadcast of bytes, Node ws", unit: "/s", runs: plain.map((each) => each.rate) },
    );
    report(
      "Through the local relay: message and answer, both stored",
      { name: "flockstate", unit: "µs", runs: await repeat(measured(roundTrip)) },
      {
        name: "limit: plain broadcast of bytes, Node ws",
        unit: "µs",
        runs: plain.map((each) => each.roundTripUs),
      },
    );
  } finally {
    await broadcast.close();
    await relay.kill();
    rmSync(persistDir, { recursive: true, force: true });
  }
}

/** Prints every figure; several minutes with five runs. */
export async function main(startRelay: StartRelay): Promise<void> {
  console.log(`Node ${process.version}, ${runs} runs each, medians with the range.`);
  await inProcess();
  await betweenReplicas();
  await throughRelay(startRelay);
}
