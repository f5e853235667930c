import { median } from "../measure.ts";
import { format, markdown } from "../relay/report.ts";

/** What a figure is measured in, and how its ratio is read. */
export type Unit = "/s" | "µs" | "B";

/** One line: ours beside a limit or a peer of the same run. */
export interface Line {
  readonly path: string;
  readonly unit: Unit;
  readonly ours: readonly number[];
  readonly beside?: { readonly name: string; readonly values: readonly number[] };
  /** What is aimed at: a figure of ours, or a ratio. */
  readonly bar?: { readonly least: number } | { readonly mostRatio: number } | { readonly most: number };
}

/** Lines as a Markdown table: medians, with the least and greatest run. */
export function printTable(title: string, lines: readonly Line[]): void {
  const rows = lines.map(({ path, unit, ours, beside, bar }) => [
    path,
    spread(ours, unit),
    beside ? `${figure(median(beside.values), unit)}: ${beside.name}` : "",
    beside ? format(ratioOf(ours, beside.values)) : "",
    bar ? judged(ours, beside?.values, bar, unit) : "",
  ]);
  console.log(
    ["", `### ${title}`, "", ...markdown([["", "ours", "beside it", "ratio", "bar"], ...rows])].join("\n"),
  );
}

function spread(values: readonly number[], unit: Unit): string {
  const range = values.length > 1 ? ` (${format(Math.min(...values))}-${format(Math.max(...values))})` : "";
  return `${figure(median(values), unit)}${range}`;
}

function figure(value: number, unit: Unit): string {
  return unit === "/s" ? format(value) : `${format(value)} ${unit}`;
}

function ratioOf(ours: readonly number[], beside: readonly number[]): number {
  return median(ours) / median(beside);
}

function judged(
  ours: readonly number[],
  beside: readonly number[] | undefined,
  bar: NonNullable<Line["bar"]>,
  unit: Unit,
): string {
  if ("least" in bar) return `≥ ${figure(bar.least, unit)}: ${yes(median(ours) >= bar.least)}`;
  if ("most" in bar) return `≤ ${figure(bar.most, unit)}: ${yes(median(ours) <= bar.most)}`;
  return `≤ ${bar.mostRatio} times: ${yes(beside !== undefined && ratioOf(ours, beside) <= bar.mostRatio)}`;
}

function yes(reached: boolean): string {
  return reached ? "yes" : "no";
}
