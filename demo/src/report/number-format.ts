import type { NumberSummary } from "../stats/numbers.ts";
import { formatValue } from "./format.ts";

const firstYear = 1500;
const lastYear = 2100;

/** How the values of a column are written: whole numbers that can only be years are not grouped or shortened. */
export function numberFormat({ min, max, bins }: NumberSummary): (value: number) => string {
  const isWhole = Number.isInteger(min) && Number.isInteger(max) && Number.isInteger(bins.step);
  return isWhole && min >= firstYear && max <= lastYear ? (value) => String(Math.round(value)) : formatValue;
}
