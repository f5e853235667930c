import { describe, expect, test } from "vitest";
import { formatMetrics, type MetricsTotals } from "../../src/edge/operations/exposition.ts";
import { writeBuckets } from "../../src/edge/operations/metric-families.ts";
import {
  createTally,
  emptyHistogram,
  type MetricsReport,
  maxCodes,
  metricsReportSchema,
} from "../../src/edge/operations/metrics-report.ts";
import { createMetricsReporter } from "../../src/edge/operations/metrics-reporter.ts";
import { createRoomMetrics } from "../../src/edge/operations/room-metrics.ts";
import { readExposition } from "./exposition-reader.ts";
import { createManualClock } from "./room-harness.ts";

const nothing: MetricsTotals = { counts: [], gauges: {}, writes: emptyHistogram(), rooms: 0, reports: 0 };

describe("the text format", () => {
  test("METRICS-1: every family has its help and type once, and its samples together", () => {
    const report = createRoomMetrics();
    report.count("frames_in", 3);
    report.count("frames_out", 9);
    report.count("updates_refused", 1, "gate/gap");
    report.count("updates_refused", 2, "edge/room-full");
    const families = readExposition(formatMetrics({ ...nothing, ...report.take() }, "1.2.3"));
    expect(families.get("flockstate_build_info")?.samples).toEqual([
      { name: "flockstate_build_info", labels: { version: "1.2.3" }, value: 1 },
    ]);
    expect(families.get("flockstate_frames_total")).toMatchObject({
      type: "counter",
      samples: [
        { labels: { direction: "in" }, value: 3 },
        { labels: { direction: "out" }, value: 9 },
      ],
    });
    expect(families.get("flockstate_updates_refused_total")?.samples).toMatchObject([
      { labels: { code: "gate/gap" }, value: 1 },
      { labels: { code: "edge/room-full" }, value: 2 },
    ]);
    expect(families.get("flockstate_sockets")).toMatchObject({ type: "gauge", samples: [{ value: 0 }] });
  });

  test("METRICS-1: a label's value is escaped, whatever it holds", () => {
    const version = 'a"b\\c\nd';
    const text = formatMetrics(nothing, version);
    expect(text).toContain('version="a\\"b\\\\c\\nd"');
    expect(readExposition(text).get("flockstate_build_info")?.samples[0]?.labels).toEqual({ version });
  });

  test("METRICS-2: a histogram's buckets are cumulative, end at +Inf, and agree with count and sum", () => {
    const metrics = createRoomMetrics();
    for (const ms of [0.5, 1, 1.1, 30, 30, 9_000]) metrics.wrote(ms);
    const { samples = [], type } = readExposition(formatMetrics({ ...nothing, ...metrics.take() }, "1")).get(
      "flockstate_durable_write_seconds",
    ) ?? { type: "" };
    expect(type).toBe("histogram");
    const buckets = samples.filter(({ name }) => name.endsWith("_bucket"));
    expect(buckets.map(({ labels }) => labels["le"])).toEqual([...writeBuckets.map(String), "+Inf"]);
    const values = buckets.map(({ value }) => value);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(values.slice(0, 2)).toEqual([2, 3]);
    expect(values.at(-1)).toBe(6);
    expect(samples.find(({ name }) => name.endsWith("_count"))?.value).toBe(6);
    expect(samples.find(({ name }) => name.endsWith("_sum"))?.value).toBeCloseTo(9.0626);
  });
});

describe("what a room counts", () => {
  test("METRICS-3: codes of another form, and those past 200, count as one", () => {
    const tally = createTally();
    for (const code of ["gate/gap", "a b", '"} 1', "UPPER", "x".repeat(65), undefined]) {
      tally.add("updates_refused", code, 1);
    }
    expect(tally.entries()).toEqual([
      { name: "updates_refused", code: "gate/gap", by: 1 },
      { name: "updates_refused", code: "other", by: 5 },
    ]);
    for (let index = 0; index < 1_000; index++) tally.add("closed", `edge/code-${index}`, 1);
    const closed = tally.entries().filter(({ name }) => name === "closed");
    expect(closed.length).toBeLessThanOrEqual(maxCodes + 1);
    expect(closed.reduce((sum, { by }) => sum + by, 0)).toBe(1_000);
    tally.add("frames_in", "gate/gap", 1);
    expect(tally.entries().find(({ name }) => name === "frames_in")).toEqual({ name: "frames_in", by: 1 });
  });

  test("METRICS-4: a report is what its schema says, and is taken once", () => {
    const metrics = createRoomMetrics();
    metrics.count("joins");
    metrics.gauge("sockets", 2);
    metrics.wrote(3);
    const report = metrics.take();
    expect(metricsReportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
    expect(metrics.news).toBe("none");
    expect(metrics.take()).toEqual({ counts: [], gauges: { sockets: 2 }, writes: emptyHistogram() });
  });
});

describe("reporting", () => {
  function reporting() {
    const clock = createManualClock();
    const metrics = createRoomMetrics();
    const sent: MetricsReport[] = [];
    let works = true;
    const reporter = createMetricsReporter({
      metrics,
      clock,
      async send(report) {
        if (!works) throw new Error("unreachable");
        sent.push(report);
      },
    });
    return { clock, metrics, sent, reporter, breaks: () => (works = false), works: () => (works = true) };
  }

  test("METRICS-5: a room reports at most every 10 s, on its turns, and has no timer of its own", () => {
    const { clock, metrics, sent, reporter } = reporting();
    for (let second = 0; second < 60; second++) {
      metrics.count("updates_accepted");
      reporter.turn();
      clock.advance(1_000);
    }
    expect(sent).toHaveLength(5);
    expect(clock.waiting).toBe(0);
    const told = sent.flatMap(({ counts }) => counts).reduce((sum, { by }) => sum + by, 0);
    expect(told).toBe(51);
    expect(reporter.dueAt()).toBe(clock.now());
  });

  test("METRICS-5: the alarm is due only while there is something worth a wake", () => {
    const { clock, metrics, sent, reporter } = reporting();
    expect(reporter.dueAt()).toBeUndefined();
    metrics.count("frames_in");
    metrics.count("bytes_in", 5);
    expect(reporter.dueAt()).toBeUndefined();
    clock.advance(299_999);
    reporter.turn();
    expect(sent).toHaveLength(0);
    clock.advance(1);
    reporter.turn();
    expect(sent).toHaveLength(1);
    metrics.count("joins");
    expect(reporter.dueAt()).toBe(clock.now() + 10_000);
    clock.advance(10_000);
    reporter.turn();
    expect(sent).toHaveLength(2);
    expect(reporter.dueAt()).toBeUndefined();
  });

  test("METRICS-5: what could not be reported is in the next report", async () => {
    const { clock, metrics, sent, reporter, breaks, works } = reporting();
    metrics.count("joins", 2);
    metrics.wrote(3);
    breaks();
    clock.advance(10_000);
    reporter.turn();
    await Promise.resolve();
    await Promise.resolve();
    metrics.count("joins", 1);
    works();
    clock.advance(10_000);
    reporter.turn();
    expect(sent[0]?.counts).toEqual([{ name: "joins", by: 3 }]);
    expect(sent[0]?.writes.counts.reduce((a, b) => a + b, 0)).toBe(1);
  });
});
