import type { Cell } from "../data/table.ts";

const plain = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const grouped = /^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/;

/** The number that a cell holds, or undefined; codes with a leading zero, such as "00412", are no numbers. */
export function readNumber(cell: Cell): number | undefined {
  if (typeof cell === "number") return cell;
  if (typeof cell !== "string") return undefined;
  const text = cell.trim();
  if (/^0\d/.test(text)) return undefined;
  if (plain.test(text)) return finite(Number(text));
  return grouped.test(text) ? finite(Number(text.replaceAll(",", ""))) : undefined;
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}
