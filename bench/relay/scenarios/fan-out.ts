import { performance } from "node:perf_hooks";
import { type Connection, withLimit } from "../connection.ts";
import { createTally, maxMarks, readMarks } from "../marks.ts";
import { readUsage } from "../usage.ts";
import { meter, newRoom, type Scenario, type Target, withConnections } from "./scenario.ts";

const leastInFlight = 256;
const mostInFlight = 16_384;
/** What is in flight to the slowest reader is worth so long at the pace reached: enough to gather, not to queue for ever. */
const inFlightMs = 250;
const sliceFrames = 256;
/** Prepared before the clock runs: more than the fastest relay takes in a run. */
const preparedFrames = 100_000;

/** One writer as fast as its slowest reader takes it. */
export function fanOut(readers: number): Scenario {
  return {
    id: `readers-${readers}`,
    title: `One writer to ${readers} readers`,
    about: `Updates a second that reached all ${readers} readers, each counted and checked against what was sent.`,
    columns: [
      { key: "rate", title: "updates/s" },
      { key: "cpu", title: "CPU µs an update" },
      { key: "wire", title: "bytes to a reader an update" },
      { key: "rss", title: "RSS MB after" },
      { key: "generator", title: "generator busy %" },
    ],
    run: (target, { loadMs }) =>
      withConnections(async (open) => {
        const room = newRoom();
        for (let index = 0; index < preparedFrames; index++) target.protocol.message(room, 0, index);
        const writer = await open(target, room);
        const listeners: Connection[] = [];
        for (let reader = 0; reader < readers; reader++) listeners.push(await open(target, room));
        const metered = meter(target, listeners);
        const ownCpu = process.cpuUsage();
        const sent = await pour({ target, room, writer, listeners, until: { ms: loadMs } });
        const { ms, cpuUs, bytes } = metered.read();
        const { user, system } = process.cpuUsage(ownCpu);
        return {
          rate: (sent / ms) * 1000,
          cpu: cpuUs / sent,
          wire: bytes / readers / sent,
          rss: readUsage(target.pid).rssBytes / 1e6,
          generator: (user + system) / ms / 10,
        };
      }),
  };
}

/**
 * Sends a writer's messages until a time or number is reached, and waits until every reader has every one.
 *
 * @returns how many were sent
 */
export async function pour({
  target: { protocol },
  room,
  writer,
  listeners,
  until,
}: {
  target: Target;
  room: string;
  writer: Connection;
  listeners: readonly Connection[];
  until: { ms: number } | { count: number };
}): Promise<number> {
  const goal = "count" in until ? until.count : maxMarks;
  const loadMs = "ms" in until ? until.ms : Number.POSITIVE_INFINITY;
  const startedAt = performance.now();
  let sent = 0;
  let stopped = false;
  const tallies = listeners.map((listener) => {
    const tally = createTally();
    listener.onFrame((frame) => {
      readMarks(frame, tally.hear);
      sendMore();
    });
    return tally;
  });
  let done: () => void = () => {};
  const delivered = new Promise<void>((resolve) => {
    done = resolve;
  });

  function sendMore(): void {
    let least = Number.POSITIVE_INFINITY;
    for (const { count } of tallies) if (count < least) least = count;
    const ms = performance.now() - startedAt;
    stopped ||= sent >= goal || ms >= loadMs;
    if (stopped) {
      if (least >= sent) done();
      return;
    }
    const window = Math.min(mostInFlight, Math.max(leastInFlight, (least / ms) * inFlightMs));
    const free = window - (sent - least);
    if (free < Math.min(sliceFrames, window / 4)) return;
    const frames: Uint8Array[] = [];
    for (let left = Math.min(free, goal - sent, sliceFrames); left >= 1; left--) {
      frames.push(protocol.message(room, 0, sent++));
    }
    writer.send(...frames);
  }

  sendMore();
  const ticker = setInterval(sendMore, 5);
  try {
    await withLimit(
      Promise.race([delivered, writer.lost, ...listeners.map(({ lost }) => lost)]),
      `${protocol.name}: not every update was delivered`,
    );
  } finally {
    clearInterval(ticker);
  }
  if (!tallies.every((tally) => tally.holds([sent]))) {
    throw new Error(`${protocol.name}: a reader has other updates than were sent.`);
  }
  return sent;
}
