import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import { type Connection, openConnection } from "../connection.ts";
import type { Protocol } from "../protocols/protocol.ts";
import { readUsage } from "../usage.ts";

/** A relay that runs, and how to speak to it. */
export interface Target {
  readonly id: string;
  readonly url: string;
  /** The server's process group. */
  readonly pid: number;
  readonly protocol: Protocol;
}

/** The figures of one run, by column. */
export type Sample = Record<string, number>;

export interface Column {
  key: string;
  title: string;
  /** What one unit of the figure is multiplied with to be shown; default 1. */
  scale?: number;
}

export interface RunOptions {
  /** How long the load lasts, in milliseconds. */
  loadMs: number;
}

/** One kind of load. */
export interface Scenario {
  id: string;
  title: string;
  /** What the figures mean, in one or two sentences. */
  about: string;
  columns: readonly Column[];
  /** Whether each run needs a server of its own, empty and just started. */
  fresh?: boolean;
  /** Ids of the relays that take part; default all with raised limits. */
  relays?: readonly string[];
  run(target: Target, options: RunOptions): Promise<Sample>;
  /** Ends what runs share. */
  close?(): Promise<void>;
}

/** A name that no room has had; all are equally long. */
export function newRoom(): string {
  return `r${randomBytes(6).toString("hex")}`;
}

/** Opens connections and runs a task with them; closes them whatever happens. */
export async function withConnections<T>(
  task: (open: (target: Target, room: string) => Promise<Connection>) => Promise<T>,
): Promise<T> {
  const opened: Connection[] = [];
  try {
    return await task(async (target, room) => {
      const connection = await openConnection(target, room);
      opened.push(connection);
      return connection;
    });
  } finally {
    await Promise.all(opened.map((connection) => connection.close()));
  }
}

/** What the server and the wire took between two moments. */
export function meter(target: Target, connections: readonly Connection[]) {
  const sum = (of: keyof Connection["traffic"]): number =>
    connections.reduce((total, { traffic }) => total + traffic[of], 0);
  const read = () => ({
    at: performance.now(),
    cpuUs: readUsage(target.pid).cpuUs,
    bytes: sum("bytesIn") + sum("bytesOut"),
    frames: sum("framesIn") + sum("framesOut"),
  });
  const start = read();
  return {
    startedAt: start.at,
    read() {
      const end = read();
      return {
        ms: end.at - start.at,
        cpuUs: end.cpuUs - start.cpuUs,
        bytes: end.bytes - start.bytes,
        frames: end.frames - start.frames,
      };
    },
  };
}

/** The value that a share of the sorted values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
