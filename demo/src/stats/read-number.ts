import type { Cell } from "../data/table.ts";

const plain = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const grouped = /^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/;

/** Up to here the squares of many numbers have a finite sum. */
const largest = 1e100;

/** The number that a cell holds, or undefined; codes with a leading zero, such as "00412", are no numbers. */
export function readNumber(cell: Cell): number | undefined {
  if (typeof cell === "number") return bounded(cell);
  if (typeof cell !== "string") return undefined;
  const text = cell.trim();
  if (/^0\d/.test(text)) return undefined;
  if (plain.test(text)) return bounded(Number(text));
  return grouped.test(text) ? bounded(Number(text.replaceAll(",", ""))) : undefined;
}

function bounded(value: number): number | undefined {
  return Math.abs(value) <= largest ? value : undefined;
}
