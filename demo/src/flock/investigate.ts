import { type Table, TableError } from "../data/table.ts";
import { analyseColumn } from "../stats/analyse.ts";
import { correlate } from "../stats/correlation.ts";
import type { Finding } from "./finding.ts";
import type { AnalystTask } from "./task.ts";

/**
 * Does an analyst's task on a table: the same task gives the same finding, wherever it is done.
 *
 * @throws TableError where the table has no such column.
 */
export function investigate(task: AnalystTask, table: Table): Finding {
  const { id, dataset, column } = task;
  if (task.kind === "correlations") return { id, dataset, column, correlation: correlate(table) };
  const found = table.columns.find(({ name }) => name === column);
  if (found === undefined) throw new TableError("not-tabular", `The data set has no column "${column}".`);
  return { id, dataset, column, analysis: analyseColumn(found) };
}

/** How sure an analyst can be: the share of cells that the finding rests on, between 0 and 1. */
export function confidenceOf({ analysis, correlation }: Finding): number {
  if (analysis !== undefined) return analysis.rows === 0 ? 0 : 1 - analysis.missing / analysis.rows;
  const cells = correlation?.values.flat() ?? [];
  return cells.length === 0 ? 0 : cells.filter((r) => r !== null).length / cells.length;
}
