import { performance } from "node:perf_hooks";
import { type Connection, withLimit } from "../connection.ts";
import { createTally, readMarks } from "../marks.ts";
import { meter, newRoom, percentile, type Scenario, type Target, withConnections } from "./scenario.ts";

/** Many who write at a steady pace, and all of whom read. */
export function manyWriters(writers: number, perSecond: number): Scenario {
  return {
    id: `writers-${writers}`,
    title: `${writers} writers at ${perSecond} updates a second each`,
    about: "Each update goes to everybody else; its latency is from sending to each delivery.",
    columns: [
      { key: "p50", title: "p50 µs" },
      { key: "p95", title: "p95 µs" },
      { key: "cpu", title: "CPU µs an update" },
      { key: "frames", title: "frames a reader an update" },
    ],
    run: (target, { loadMs }) =>
      withConnections(async (open) => {
        const room = newRoom();
        const connections: Connection[] = [];
        for (let writer = 0; writer < writers; writer++) connections.push(await open(target, room));
        const metered = meter(target, connections);
        const { times, sent } = await chat({ target, room, connections, perSecond, loadMs });
        const { cpuUs } = metered.read();
        const framesIn = connections.reduce((sum, { traffic }) => sum + traffic.framesIn, 0);
        return {
          p50: percentile(times, 0.5),
          p95: percentile(times, 0.95),
          cpu: cpuUs / sent,
          frames: framesIn / writers / sent,
        };
      }),
  };
}

/**
 * Lets every connection write at a pace, staggered, and waits until each has everybody else's updates.
 *
 * @returns the time of each delivery in microseconds, how many updates were sent, and how many each has now sent in all
 */
export async function chat({
  target: { protocol },
  room,
  connections,
  perSecond,
  loadMs,
  from = connections.map(() => 0),
}: {
  target: Target;
  room: string;
  connections: readonly Connection[];
  perSecond: number;
  loadMs: number;
  /** How many messages each has sent before. */
  from?: readonly number[];
}): Promise<{ times: number[]; sent: number; sentBy: number[] }> {
  const writers = connections.length;
  const sentAt: number[][] = from.map((before) => Array.from({ length: before }));
  const times: number[] = [];
  const tallies = connections.map((connection, reader) => {
    const tally = createTally(from.map((before, writer) => (writer === reader ? 0 : before)));
    connection.onFrame((frame) => {
      const now = performance.now();
      readMarks(frame, (writer, index) => {
        // Some relays send a writer its own updates back.
        if (writer === reader) return;
        tally.hear(writer, index);
        times.push((now - ((sentAt[writer] as number[])[index] as number)) * 1000);
      });
    });
    return tally;
  });
  const startedAt = performance.now();
  const everyMs = 1000 / perSecond / writers;
  let sent = 0;
  const arrived = (): boolean =>
    tallies.every((tally, reader) =>
      tally.holds(sentAt.map((of, writer) => (writer === reader ? 0 : of.length))),
    );
  await withLimit(
    Promise.race([
      new Promise<void>((resolve) => {
        const tick = (): void => {
          const elapsed = performance.now() - startedAt;
          if (elapsed >= loadMs) {
            if (arrived()) resolve();
            else setTimeout(tick, 5);
            return;
          }
          for (; sent * everyMs <= elapsed; sent++) {
            const writer = sent % writers;
            const own = sentAt[writer] as number[];
            own.push(performance.now());
            (connections[writer] as Connection).send(protocol.message(room, writer, own.length - 1));
          }
          setTimeout(tick, 1);
        };
        tick();
      }),
      ...connections.map(({ lost }) => lost),
    ]),
    `${protocol.name}: not every update was delivered`,
  );
  return { times, sent, sentBy: sentAt.map((of) => of.length) };
}
