import { type Bins, binValues } from "./bins.ts";

/** What a column of dates looks like. */
export interface DateSummary {
  /** First and last day, milliseconds since 1970. */
  first: number;
  last: number;
  /** What the bins count by: years, or days where the span is under three years. */
  unit: "year" | "day";
  /** In years of the calendar, or in days since 1970. */
  bins: Bins;
}

const dayMs = 86_400_000;

/** Summarises days given in milliseconds; undefined where there are none. */
export function summariseDates(days: readonly number[]): DateSummary | undefined {
  if (days.length === 0) return undefined;
  const sorted = days.toSorted((a, b) => a - b);
  const [first, last] = [sorted[0]!, sorted.at(-1)!];
  const unit = last - first > 3 * 366 * dayMs ? "year" : "day";
  const toUnit = unit === "year" ? (ms: number) => new Date(ms).getUTCFullYear() : (ms: number) => ms / dayMs;
  return { first, last, unit, bins: binValues(sorted.map(toUnit)) };
}
