import { performance } from "node:perf_hooks";
import { withLimit } from "../connection.ts";
import { readMarks } from "../marks.ts";
import { meter, newRoom, percentile, type Scenario, withConnections } from "./scenario.ts";

/** Two clients answer each other's update, one at a time. */
export const pingPong: Scenario = {
  id: "ping-pong",
  title: "Ping-pong: an update and its answer",
  about: "Two clients; each answers the other's update with one of its own. A round trip is two deliveries.",
  columns: [
    { key: "p50", title: "p50 µs" },
    { key: "p99", title: "p99 µs" },
    { key: "cpu", title: "CPU µs an update" },
  ],
  run: (target, { loadMs }) =>
    withConnections(async (open) => {
      const room = newRoom();
      const [a, b] = [await open(target, room), await open(target, room)];
      const { protocol } = target;
      const times: number[] = [];
      let answered = 0;
      b.onFrame((frame) =>
        readMarks(frame, (writer, index) => {
          if (writer === 0) b.send(protocol.message(room, 1, index));
        }),
      );
      const metered = meter(target, [a, b]);
      await withLimit(
        Promise.race([
          new Promise<void>((resolve) => {
            let sentAt = performance.now();
            a.onFrame((frame) =>
              readMarks(frame, (writer) => {
                if (writer !== 1) return;
                const now = performance.now();
                times.push((now - sentAt) * 1000);
                answered++;
                if (now - metered.startedAt >= loadMs) resolve();
                else {
                  sentAt = performance.now();
                  a.send(protocol.message(room, 0, answered));
                }
              }),
            );
            a.send(protocol.message(room, 0, 0));
          }),
          a.lost,
          b.lost,
        ]),
        `${protocol.name}: no end of the ping-pong`,
      );
      const { cpuUs } = metered.read();
      return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), cpu: cpuUs / (2 * answered) };
    }),
};
