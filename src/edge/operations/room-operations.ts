import type { Clock } from "../../base/index.ts";
import type { Log } from "./log.ts";
import { type MetricsNamespace, sendReport } from "./metrics-object.ts";
import { createMetricsReporter } from "./metrics-reporter.ts";
import type { RoomObserver } from "./observer.ts";
import { createRoomMetrics } from "./room-metrics.ts";

/** How long writes take is looked at once in this time: a look costs a promise. */
export const lookEveryMs = 100;

/** What is stored is summed up once in this time: it takes a look at an index entry of every row. */
export const sizeEveryMs = 300_000;

/** What a room stores. */
export interface RoomSize {
  rows: number;
  /** Of all rows. */
  bytes: number;
  documents: number;
}

/** What a room's host does for operations: one of them for each core. */
export interface RoomOperations {
  /** What the core tells what it does. */
  readonly observer: RoomObserver;
  /** What the alarm of the object was left at when it fell asleep: what is set already is not set again, which costs. */
  foundAlarm(atMs: number | undefined): void;
  /** Sets, moves or clears the alarm of the core, which shares the one of the object with the metrics. */
  setAlarm(atMs: number | undefined): void;
  /** To be called at the object's alarm, before the core's: reports, and sets the alarm again for what is not due. */
  alarm(): void;
  /** To be called after each event of the object: reports what is due. */
  turn(): void;
  /** To be called after administration, which may have changed altogether what is stored. */
  administered(): void;
}

export interface RoomOperationsPorts {
  /** An id of the room's own. */
  id: string;
  /** The name of the room, for the log; empty where it is not known. */
  room(): string;
  clock: Pick<Clock, "now">;
  log: Log;
  /** The binding `METRICS`; without it nothing is reported. */
  metrics?: MetricsNamespace | undefined;
  /**
   * Resolves when all that was written is durable: how long that takes is the latency of durable writes. The core could
   * not measure it, since within a turn the clock of a Worker stands still.
   */
  sync(): Promise<void>;
  /** What the room stores now. */
  size(): RoomSize;
  /** Sets, moves or clears the alarm of the object. */
  setAlarm(atMs: number | undefined): void;
}

/** Creates the operations of a room that begins or wakes. */
export function createRoomOperations({
  id,
  room,
  clock,
  log,
  metrics: namespace,
  sync,
  size,
  setAlarm,
}: RoomOperationsPorts): RoomOperations {
  const metrics = createRoomMetrics({ onNews: arrange });
  const reporter =
    namespace &&
    createMetricsReporter({ metrics, clock, send: (report) => sendReport(namespace, id, report) });
  let coreAt: number | undefined;
  let setAt: number | undefined;
  let lookAt = 0;
  let sizeAt = 0;

  function report(): void {
    if (!reporter) return;
    const now = clock.now();
    if (now >= sizeAt && now >= (reporter.dueAt() ?? Number.POSITIVE_INFINITY)) measure();
    reporter.turn();
    arrange();
  }

  function measure(): void {
    sizeAt = clock.now() + sizeEveryMs;
    const { rows, bytes, documents } = size();
    metrics.gauge("rows", rows);
    metrics.gauge("row_bytes", bytes);
    metrics.gauge("documents", documents);
  }

  function arrange(): void {
    const dueAt = reporter?.dueAt();
    const at = coreAt === undefined ? dueAt : Math.min(coreAt, dueAt ?? coreAt);
    if (at === setAt) return;
    setAt = at;
    setAlarm(at);
  }

  function look(): void {
    const began = clock.now();
    if (began < lookAt) return;
    lookAt = began + lookEveryMs;
    // A write that fails ends the object, which says so itself.
    sync().then(
      () => metrics.wrote(clock.now() - began),
      () => {},
    );
  }

  return {
    observer: {
      count(name, by, code) {
        metrics.count(name, by, code);
        if (name === "rows_written") look();
      },
      gauge: metrics.gauge,
      log: (level, event, fields) => log.write(level, event, { room: room(), ...fields }),
    },
    foundAlarm(atMs) {
      setAt = atMs;
    },
    setAlarm(atMs) {
      coreAt = atMs;
      arrange();
    },
    alarm() {
      setAt = undefined;
      if (coreAt !== undefined && coreAt <= clock.now()) coreAt = undefined;
      report();
      arrange();
    },
    turn: report,
    administered() {
      if (reporter) measure();
      report();
    },
  };
}
