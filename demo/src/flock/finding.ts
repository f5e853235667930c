import * as z from "zod/mini";
import type { ColumnAnalysis } from "../stats/analyse.ts";
import type { CorrelationMatrix } from "../stats/correlation.ts";

const count = z.int().check(z.nonnegative());
const bins = z.object({ start: z.number(), step: z.number(), counts: z.array(count) });

const numbers = z.object({
  min: z.number(),
  max: z.number(),
  mean: z.number(),
  deviation: z.number(),
  q1: z.number(),
  median: z.number(),
  q3: z.number(),
  bins,
  outliers: z.object({
    below: count,
    above: count,
    lowFence: z.number(),
    highFence: z.number(),
    lowWhisker: z.number(),
    highWhisker: z.number(),
    sample: z.array(z.number()),
  }),
});

const dates = z.object({ first: z.number(), last: z.number(), unit: z.enum(["year", "day"]), bins });

const categories = z.object({ top: z.array(z.object({ value: z.string(), count })), others: count });

const analysis = z.object({
  type: z.enum(["number", "date", "boolean", "category", "text", "empty"]),
  rows: count,
  missing: count,
  distinct: count,
  numbers: z.optional(numbers),
  dates: z.optional(dates),
  categories: z.optional(categories),
}) satisfies z.ZodMiniType<ColumnAnalysis>;

const correlation = z.object({
  columns: z.array(z.string()),
  values: z.array(z.array(z.nullable(z.number()))),
}) satisfies z.ZodMiniType<CorrelationMatrix>;

/** The name of the finding that relates all columns of a data set. */
export const correlationsName = "correlations";

/** One row of the shared findings: what is known about a column, or how the columns relate. */
export const findingSchema = z.object({
  /** The task's id: a task that is done twice writes one row. */
  id: z.string(),
  /** The data set's reference: the SHA-256 of its bytes. */
  dataset: z.string(),
  column: z.string(),
  analysis: z.optional(analysis),
  correlation: z.optional(correlation),
});

/** What an analyst found out. */
export type Finding = z.infer<typeof findingSchema>;

/** A finding about one column. */
export type ColumnFinding = Finding & { analysis: ColumnAnalysis };

/** Tells a column's finding from the one about all columns. */
export function isColumnFinding(finding: Finding): finding is ColumnFinding {
  return finding.analysis !== undefined;
}
