import type { Cell } from "../data/table.ts";

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const iso = /^(\d{4})[-/](\d{1,2})(?:[-/](\d{1,2}))?(?:[T ]\d{2}:\d{2}.*)?$/;
const slashed = /^(\d{1,2})\/(\d{1,2})\/(\d{4})(?: .*)?$/;
const monthFirst = /^([a-z]{3})[a-z]*\.? +(\d{1,2}),? +(\d{4})(?: .*)?$/i;
const dayFirst = /^(\d{1,2})[ -]([a-z]{3})[a-z]*\.?[ -](\d{4})(?: .*)?$/i;

/**
 * The day that a cell names, as milliseconds at midnight UTC, or undefined. `Date.parse` is no help here:
 * it reads "Apollo 13" as a date and depends on the reader's time zone.
 */
export function readDate(cell: Cell): number | undefined {
  if (typeof cell !== "string") return undefined;
  const text = cell.trim();
  let match = iso.exec(text);
  if (match !== null) return day(match[1], match[2], match[3] ?? "1");
  match = slashed.exec(text);
  if (match !== null) return day(match[3], match[1], match[2]) ?? day(match[3], match[2], match[1]);
  match = monthFirst.exec(text);
  if (match !== null) return day(match[3], monthNumber(match[1]), match[2]);
  match = dayFirst.exec(text);
  return match === null ? undefined : day(match[3], monthNumber(match[2]), match[1]);
}

function monthNumber(name: string | undefined): string {
  return String(months.indexOf(name?.slice(0, 3).toLowerCase() ?? "") + 1);
}

function day(
  year: string | undefined,
  month: string | undefined,
  date: string | undefined,
): number | undefined {
  const [y, m, d] = [Number(year), Number(month), Number(date)];
  const at = new Date(Date.UTC(y, m - 1, d));
  return at.getUTCMonth() === m - 1 && at.getUTCDate() === d ? at.getTime() : undefined;
}
