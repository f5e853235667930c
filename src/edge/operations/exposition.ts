import {
  counterFamilies,
  gaugeFamilies,
  type MetricFamily,
  relayFamilies,
  writeBuckets,
} from "./metric-families.ts";
import type { MetricsReport } from "./metrics-report.ts";
import type { CounterName, GaugeName } from "./observer.ts";

/** The content type of the text format. */
export const expositionType = "text/plain; version=0.0.4; charset=utf-8";

/** The sums over all rooms. */
export interface MetricsTotals extends MetricsReport {
  rooms: number;
  reports: number;
}

type Labels = Readonly<Record<string, string>>;

/**
 * Writes totals in the text format of Prometheus, version 0.0.4. Every metric is there from the beginning, but those
 * by code, whose codes come as they are met.
 */
export function formatMetrics(totals: MetricsTotals, version: string): string {
  const lines: string[] = [];
  const family = ({ metric, help }: MetricFamily, type: "counter" | "gauge" | "histogram") =>
    lines.push(`# HELP ${metric} ${escapeHelp(help)}`, `# TYPE ${metric} ${type}`);
  const sample = (metric: string, labels: Labels, value: number) =>
    lines.push(`${metric}${formatLabels(labels)} ${formatValue(value)}`);

  family(relayFamilies.build, "gauge");
  sample(relayFamilies.build.metric, { version }, 1);
  family(relayFamilies.rooms, "gauge");
  sample(relayFamilies.rooms.metric, {}, totals.rooms);
  family(relayFamilies.reports, "counter");
  sample(relayFamilies.reports.metric, {}, totals.reports);
  for (const [name, described] of Object.entries(gaugeFamilies) as [GaugeName, MetricFamily][]) {
    family(described, "gauge");
    sample(described.metric, {}, totals.gauges[name] ?? 0);
  }
  let last = "";
  for (const [name, described] of byFamily()) {
    if (described.metric !== last) family(described, "counter");
    last = described.metric;
    const counts = totals.counts.filter((count) => count.name === name);
    if (counts.length === 0 && !described.coded) sample(described.metric, described.labels ?? {}, 0);
    for (const { code, by } of counts) {
      sample(described.metric, { ...described.labels, ...(code !== undefined && { code }) }, by);
    }
  }
  const { metric } = relayFamilies.writes;
  family(relayFamilies.writes, "histogram");
  let cumulative = 0;
  totals.writes.counts.forEach((count, index) => {
    cumulative += count;
    const bound = writeBuckets[index];
    sample(`${metric}_bucket`, { le: bound === undefined ? "+Inf" : String(bound) }, cumulative);
  });
  sample(`${metric}_sum`, {}, totals.writes.sumSeconds);
  sample(`${metric}_count`, {}, cumulative);
  return `${lines.join("\n")}\n`;
}

/** The format wants the samples of one family together. */
function byFamily(): [CounterName, (typeof counterFamilies)[CounterName]][] {
  const all = Object.entries(counterFamilies) as [CounterName, (typeof counterFamilies)[CounterName]][];
  const order = [...new Set(all.map(([, { metric }]) => metric))];
  return all.sort(([, a], [, b]) => order.indexOf(a.metric) - order.indexOf(b.metric));
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(value: string): string {
  return escapeHelp(value).replaceAll('"', '\\"');
}

function formatValue(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : value < 0 ? "-Inf" : "NaN";
}
