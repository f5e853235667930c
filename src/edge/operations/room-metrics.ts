import { addHistogram, bucketOf, createTally, emptyHistogram, type MetricsReport } from "./metrics-report.ts";
import type { CounterName, GaugeName, RoomObserver } from "./observer.ts";

/** Counters that move in a room in which nobody does anything: clients look whether the relay is still there. */
const quietCounters: ReadonlySet<CounterName> = new Set(["frames_in", "frames_out", "bytes_in", "bytes_out"]);

/** What a room counts and measures, gathered in memory until it is reported. */
export interface RoomMetrics extends Pick<RoomObserver, "count" | "gauge"> {
  /** How long a durable write took, in milliseconds of the host's clock. */
  wrote(ms: number): void;
  /** What is new since the last report: `quiet` where it is only that messages came and went. */
  readonly news: "none" | "quiet" | "some";
  /** Takes what is new since the last report, with every gauge. */
  take(): MetricsReport;
  /** Puts back what could not be reported. */
  restore(report: MetricsReport): void;
}

/**
 * Creates the metrics of a room that begins or wakes: a gauge that it has not told since is not in its reports.
 * `onNews` is called when there comes to be something worth a report.
 */
export function createRoomMetrics({ onNews }: { onNews?: () => void } = {}): RoomMetrics {
  let tally = createTally();
  let writes = emptyHistogram();
  const gauges = new Map<GaugeName, number>();
  let news: RoomMetrics["news"] = "none";

  function tell(): void {
    if (news === "some") return;
    news = "some";
    onNews?.();
  }

  return {
    get news() {
      return news;
    },
    count(name, by = 1, code) {
      tally.add(name, code, by);
      if (!quietCounters.has(name)) tell();
      else if (news === "none") news = "quiet";
    },
    gauge(name, value) {
      if (gauges.get(name) === value) return;
      gauges.set(name, value);
      tell();
    },
    wrote(ms) {
      const seconds = Math.max(0, ms) / 1000;
      const bucket = bucketOf(seconds);
      writes.counts[bucket] = (writes.counts[bucket] ?? 0) + 1;
      writes.sumSeconds += seconds;
      news = "some";
    },
    take() {
      const report = { counts: tally.entries(), gauges: Object.fromEntries(gauges), writes };
      tally = createTally();
      writes = emptyHistogram();
      news = "none";
      return report;
    },
    restore(report) {
      for (const { name, code, by } of report.counts) tally.add(name, code, by);
      addHistogram(writes, report.writes);
      news = "some";
    },
  };
}
