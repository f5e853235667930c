import type { Clock } from "../../base/index.ts";
import type { MetricsReport } from "./metrics-report.ts";
import type { RoomMetrics } from "./room-metrics.ts";

/** A room reports at most once in this time ... */
export const reportEveryMs = 10_000;
/** ... and once in this time where nobody does anything in it. */
export const quietReportEveryMs = 300_000;

/** Reports a room's metrics while it is at work; it has no timer, and so never keeps the room awake. */
export interface MetricsReporter {
  /** Reports what is new, where a report is due; called at the end of a turn, and at the room's alarm. */
  turn(): void;
  /** When the alarm is to call `turn`, in milliseconds since 1970; undefined with nothing worth a wake. */
  dueAt(): number | undefined;
}

/** Creates the reporter of a room that begins or wakes. What a room counted and could not report before it slept is lost. */
export function createMetricsReporter({
  metrics,
  clock,
  send,
}: {
  metrics: RoomMetrics;
  clock: Pick<Clock, "now">;
  /** Hands the report on; where it rejects, the next report holds the same. */
  send(report: MetricsReport): Promise<void>;
}): MetricsReporter {
  // A wake waits as well: rooms that wake all at once would otherwise all report at once.
  let last = clock.now();

  return {
    turn() {
      const waitMs = { none: Number.POSITIVE_INFINITY, quiet: quietReportEveryMs, some: reportEveryMs };
      if (clock.now() < last + waitMs[metrics.news]) return;
      last = clock.now();
      const report = metrics.take();
      send(report).catch(() => metrics.restore(report));
    },
    dueAt: () => (metrics.news === "some" ? last + reportEveryMs : undefined),
  };
}
