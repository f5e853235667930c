import type { Column } from "../data/table.ts";
import { type CategorySummary, summariseCategories } from "./categories.ts";
import { type ColumnType, inferType } from "./column-type.ts";
import { type DateSummary, summariseDates } from "./dates.ts";
import { type NumberSummary, summariseNumbers } from "./numbers.ts";
import { readDate } from "./read-date.ts";
import { readNumber } from "./read-number.ts";

/** What an analyst finds out about one column; exactly the summary of its type is there. */
export interface ColumnAnalysis {
  type: ColumnType;
  rows: number;
  /** Cells without a value, and cells that do not fit the column's type. */
  missing: number;
  distinct: number;
  numbers?: NumberSummary | undefined;
  dates?: DateSummary | undefined;
  categories?: CategorySummary | undefined;
}

/** Analyses one column: a pure function of its cells, so doing a task twice gives one result. */
export function analyseColumn(column: Column): ColumnAnalysis {
  const type = inferType(column.cells);
  const rows = column.cells.length;
  const counted = (values: readonly (string | number)[]) => ({
    type,
    rows,
    missing: rows - values.length,
    distinct: new Set(values).size,
  });
  if (type === "number") {
    const values = column.cells.map(readNumber).filter((value) => value !== undefined);
    const numbers = summariseNumbers(values);
    return { ...counted(values), ...(numbers && { numbers }) };
  }
  if (type === "date") {
    const days = column.cells.map(readDate).filter((value) => value !== undefined);
    const dates = summariseDates(days);
    return { ...counted(days), ...(dates && { dates }) };
  }
  const words = column.cells.filter((cell) => cell !== null).map(String);
  return { ...counted(words), ...(words.length > 0 && { categories: summariseCategories(words) }) };
}
