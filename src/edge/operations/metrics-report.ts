import { z } from "zod";
import { counterFamilies, gaugeFamilies, writeBuckets } from "./metric-families.ts";
import type { CounterName, GaugeName } from "./observer.ts";

const amount = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const counterName = z.enum(Object.keys(counterFamilies) as [CounterName, ...CounterName[]]);
const gaugeName = z.enum(Object.keys(gaugeFamilies) as [GaugeName, ...GaugeName[]]);

/** Codes that one counter is told apart by; what comes after them counts as `other`. */
export const maxCodes = 200;
/** The code of what has none, or none of ours. */
export const otherCode = "other";
const codePattern = /^[a-z0-9]+(?:[/-][a-z0-9]+)*$/;

const histogramSchema = z.object({
  /** How many writes fell into each bucket, the last of which has no upper bound; not cumulative. */
  counts: z.array(amount).length(writeBuckets.length + 1),
  sumSeconds: amount,
});

/** How long durable writes took. */
export type WriteHistogram = z.infer<typeof histogramSchema>;

/** What one room counted since its last report, and measures now. */
export const metricsReportSchema = z.object({
  counts: z
    .array(z.object({ name: counterName, code: z.string().max(64).optional(), by: amount }))
    .max(1_000),
  gauges: z.partialRecord(gaugeName, amount),
  writes: histogramSchema,
});

export type MetricsReport = z.infer<typeof metricsReportSchema>;

/** A histogram without writes. */
export function emptyHistogram(): WriteHistogram {
  return { counts: Array(writeBuckets.length + 1).fill(0), sumSeconds: 0 };
}

/** The bucket that a duration falls into. */
export function bucketOf(seconds: number): number {
  const index = writeBuckets.findIndex((bound) => seconds <= bound);
  return index < 0 ? writeBuckets.length : index;
}

/** Adds one histogram to another. */
export function addHistogram(into: WriteHistogram, { counts, sumSeconds }: WriteHistogram): void {
  into.sumSeconds += sumSeconds;
  counts.forEach((count, index) => {
    into.counts[index] = (into.counts[index] ?? 0) + count;
  });
}

/** Counts by name and code. Codes are few and of one form, whatever is counted: each makes a series for good. */
export interface Tally {
  add(name: CounterName, code: string | undefined, by: number): void;
  entries(): MetricsReport["counts"];
}

/** Creates a tally that goes on from these counts. */
export function createTally(counts: MetricsReport["counts"] = []): Tally {
  const byName = new Map<CounterName, Map<string | undefined, number>>();

  function add(name: CounterName, given: string | undefined, by: number): void {
    const codes = byName.get(name) ?? new Map<string | undefined, number>();
    byName.set(name, codes);
    const code = counterFamilies[name].coded ? codeIn(codes, given) : undefined;
    codes.set(code, (codes.get(code) ?? 0) + by);
  }

  for (const { name, code, by } of counts) add(name, code, by);
  return {
    add,
    entries: () =>
      [...byName].flatMap(([name, codes]) =>
        [...codes].map(([code, by]) => ({ name, by, ...(code !== undefined && { code }) })),
      ),
  };
}

function codeIn(codes: ReadonlyMap<string | undefined, number>, code: string | undefined): string {
  if (code === undefined || code.length > 64 || !codePattern.test(code)) return otherCode;
  return codes.has(code) || codes.size < maxCodes ? code : otherCode;
}
