import type { Json } from "flockstate";
import * as z from "zod/mini";
import type { Dataset } from "./dataset.ts";
import { correlationsName } from "./finding.ts";

const referenceSchema = z.object({ id: z.string(), size: z.number(), contentType: z.string() });

const base = { id: z.string(), dataset: z.string() };

const columnTaskSchema = z.object({
  ...base,
  kind: z.literal("column"),
  column: z.string(),
  reference: referenceSchema,
});
const correlationsTaskSchema = z.object({
  ...base,
  kind: z.literal("correlations"),
  column: z.string(),
  reference: referenceSchema,
});
const summaryTaskSchema = z.object({ ...base, kind: z.literal("summary") });

const taskSchema = z.discriminatedUnion("kind", [
  columnTaskSchema,
  correlationsTaskSchema,
  summaryTaskSchema,
]);

/** A piece of work, as a TASK_REQUEST carries it; its id is the same whoever deals it out. */
export type Task = z.infer<typeof taskSchema>;
/** A task for an analyst. */
export type AnalystTask = Extract<Task, { kind: "column" | "correlations" }>;
/** The task for a writer. */
export type SummaryTask = Extract<Task, { kind: "summary" }>;

/** Reads the content of a TASK_REQUEST; undefined where it is none of ours. */
export function readTask(content: Json | Uint8Array | undefined): Task | undefined {
  const task = taskSchema.safeParse(content);
  return task.success ? task.data : undefined;
}

/** The tasks of a data set: one a column, and one for how the columns relate. */
export function analystTasks(dataset: Dataset): AnalystTask[] {
  const shared = { dataset: dataset.id, reference: dataset.reference };
  return [
    ...dataset.columns.map((column, at) => ({
      ...shared,
      id: `${dataset.id}/${at}`,
      kind: "column" as const,
      column,
    })),
    { ...shared, id: `${dataset.id}/${correlationsName}`, kind: "correlations", column: correlationsName },
  ];
}

/** The task of summing a data set up. */
export function summaryTask(dataset: Dataset): SummaryTask {
  return { id: `${dataset.id}/summary`, kind: "summary", dataset: dataset.id };
}
