import type { Cell } from "../data/table.ts";
import { readDate } from "./read-date.ts";
import { readNumber } from "./read-number.ts";

/** What a column holds. `text` is mostly unique, such as titles; `category` repeats itself. */
export type ColumnType = "number" | "date" | "boolean" | "category" | "text" | "empty";

// A few stray cells, such as "unknown" in a column of numbers, do not change what the column is.
const enough = 0.95;
const textFromDistinct = 50;
const textFromRatio = 0.6;

/** Infers a column's type from the cells that are there. */
export function inferType(cells: readonly Cell[]): ColumnType {
  const present = cells.filter((cell) => cell !== null);
  if (present.length === 0) return "empty";
  const share = (test: (cell: Cell) => boolean) => present.filter(test).length / present.length;
  if (share(isBoolean) === 1) return "boolean";
  if (share((cell) => readNumber(cell) !== undefined) >= enough) return "number";
  if (share((cell) => readDate(cell) !== undefined) >= enough) return "date";
  const distinct = new Set(present.map(String)).size;
  return distinct > textFromDistinct && distinct / present.length > textFromRatio ? "text" : "category";
}

function isBoolean(cell: Cell): boolean {
  return (
    typeof cell === "boolean" || (typeof cell === "string" && /^(?:true|false|yes|no)$/i.test(cell.trim()))
  );
}
