import { median } from "../measure.ts";
import type { Sample, Scenario } from "./scenarios/scenario.ts";

/** The samples of one scenario, by relay. */
export type Results = Map<string, Sample[]>;

/** A scenario's figures as a Markdown table: medians, with the least and greatest run. */
export function table(scenario: Scenario, results: Results, labels: ReadonlyMap<string, string>): string {
  const rows = [...results].map(([id, samples]) => [
    labels.get(id) ?? id,
    ...scenario.columns.map(({ key, scale = 1 }) =>
      cell(samples.map((sample) => (sample[key] ?? 0) * scale)),
    ),
  ]);
  const titles = ["relay", ...scenario.columns.map(({ title }) => title)];
  return [`### ${scenario.title}`, "", scenario.about, "", ...markdown([titles, ...rows])].join("\n");
}

/** Rows as a Markdown table; the first is its head. */
export function markdown([head = [], ...rows]: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`);
}

function cell(values: readonly number[]): string {
  if (values.length === 0) return "failed";
  const range = values.length > 1 ? ` (${format(Math.min(...values))}-${format(Math.max(...values))})` : "";
  return `${format(median(values))}${range}`;
}

/** A figure with about three digits. */
export function format(value: number): string {
  if (value >= 10_000) return (Math.round(value / 100) * 100).toLocaleString("en");
  if (value >= 1_000) return (Math.round(value / 10) * 10).toLocaleString("en");
  if (value >= 100) return Math.round(value).toString();
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
