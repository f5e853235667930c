import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, openConnection } from "../connection.ts";
import { readUsage } from "../usage.ts";
import { meter, newRoom, type Scenario, withConnections } from "./scenario.ts";

const settleMs = 800;
const warmConnections = 20;

/** Many who are there and say nothing but that they are. */
export function idle(connections: number): Scenario {
  return {
    id: "idle",
    title: `${connections} idle connections with presence`,
    about:
      "In one room, each with a presence that everybody was told, renewed as stock clients do (15 s; ours only pings, each 20 s of quiet), spread evenly. Bytes and frames are those of all connections, both ways. Memory is what the server has grown by since it served its first clients. The broadcasts know no presence: to them it is one message that goes to all.",
    columns: [
      { key: "memory", title: "KB a connection" },
      { key: "bytes", title: "kB/s" },
      { key: "frames", title: "frames/s" },
      { key: "cpu", title: "CPU ms/s" },
    ],
    fresh: true,
    relays: [
      "ours",
      "hocuspocus",
      "y-partyserver",
      "y-websocket-server",
      "broadcast-workerd",
      "broadcast-node",
    ],
    run: (target, { loadMs }) =>
      withConnections(async (open) => {
        const { protocol } = target;
        for (let client = 0; client < warmConnections; client++) {
          await (await openConnection(target, newRoom())).close();
        }
        await sleep(settleMs / 2);
        const before = readUsage(target.pid).rssBytes;
        const room = newRoom();
        const clients: Connection[] = [];
        for (let client = 0; client < connections; client++) {
          const connection = await open(target, room);
          connection.send(protocol.presence(room, client));
          clients.push(connection);
        }
        await Promise.race([sleep(settleMs), ...clients.map(({ lost }) => lost)]);
        const memory = (readUsage(target.pid).rssBytes - before) / connections / 1024;
        const stop = renew(target.protocol, room, clients);
        const metered = meter(target, clients);
        await Promise.race([sleep(loadMs), ...clients.map(({ lost }) => lost)]);
        const { ms, bytes, frames, cpuUs } = metered.read();
        stop();
        return {
          memory,
          bytes: bytes / ms,
          frames: (frames / ms) * 1000,
          cpu: cpuUs / ms,
        };
      }),
  };
}

function renew(
  {
    renewal,
  }: { renewal?: { everyMs: number; frame(room: string, client: number, round: number): Uint8Array } },
  room: string,
  clients: readonly Connection[],
): () => void {
  if (!renewal) return () => {};
  const startedAt = performance.now();
  let renewed = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - startedAt) / renewal.everyMs) * clients.length;
    for (; renewed < due; renewed++) {
      const client = renewed % clients.length;
      clients[client]?.send(renewal.frame(room, client, Math.floor(renewed / clients.length)));
    }
  }, 5);
  return () => clearInterval(timer);
}
