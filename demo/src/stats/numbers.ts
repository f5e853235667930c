import { type Bins, binValues } from "./bins.ts";
import { round } from "./round.ts";

/** Values beyond 1.5 interquartile ranges from the quartiles. */
export interface Outliers {
  below: number;
  above: number;
  /** The fences: the last values that are no outliers would lie between them. */
  lowFence: number;
  highFence: number;
  /** Where the whiskers end: the least and greatest values within the fences. */
  lowWhisker: number;
  highWhisker: number;
  /** At most 64 of the outliers, evenly chosen, both ends among them. */
  sample: number[];
}

/** What a column of numbers looks like. */
export interface NumberSummary {
  min: number;
  max: number;
  mean: number;
  /** Standard deviation of the sample (n − 1); 0 for a single value. */
  deviation: number;
  q1: number;
  median: number;
  q3: number;
  bins: Bins;
  outliers: Outliers;
}

const maxSample = 64;

/** The quantile of sorted values by linear interpolation (type 7, as R and spreadsheets have it). */
export function quantile(sorted: readonly number[], p: number): number {
  const at = (sorted.length - 1) * p;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** Summarises numbers; undefined where there are none. */
export function summariseNumbers(values: readonly number[]): NumberSummary | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const [q1, median, q3] = [quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)];
  return {
    min: sorted[0]!,
    max: sorted.at(-1)!,
    mean: round(mean),
    deviation: round(sorted.length > 1 ? Math.sqrt(squares / (sorted.length - 1)) : 0),
    q1: round(q1),
    median: round(median),
    q3: round(q3),
    bins: binValues(sorted),
    outliers: findOutliers(sorted, q1, q3),
  };
}

function findOutliers(sorted: readonly number[], q1: number, q3: number): Outliers {
  const reach = 1.5 * (q3 - q1);
  const [lowFence, highFence] = [q1 - reach, q3 + reach];
  const inside = sorted.filter((value) => value >= lowFence && value <= highFence);
  const outside = sorted.filter((value) => value < lowFence || value > highFence);
  const below = outside.filter((value) => value < lowFence).length;
  return {
    below,
    above: outside.length - below,
    lowFence: round(lowFence),
    highFence: round(highFence),
    lowWhisker: inside[0] ?? round(q1),
    highWhisker: inside.at(-1) ?? round(q3),
    sample: evenly(outside, maxSample),
  };
}

function evenly(values: readonly number[], count: number): number[] {
  if (values.length <= count) return [...values];
  return Array.from(
    { length: count },
    (_, i) => values[Math.round((i * (values.length - 1)) / (count - 1))]!,
  );
}
