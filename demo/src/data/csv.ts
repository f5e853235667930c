import { dsvFormat } from "d3-dsv";
import { type Cell, type Table, TableError, tableOf } from "./table.ts";

const delimiters = [",", ";", "\t", "|"] as const;
const missing = /^(?:|na|n\/a|nan|null|none)$/i;

/** Reads delimited text as RFC 4180 has it; the delimiter is the one that the first line holds most of. */
export function parseCsv(text: string): Table {
  const rows = dsvFormat(detectDelimiter(text))
    .parseRows(text)
    .filter((row) => row.some((cell) => cell !== ""));
  const [header, ...body] = rows;
  if (header === undefined || body.length === 0) {
    throw new TableError("empty", "The file has no rows under its header.");
  }
  return tableOf(
    header,
    body.map((row) => row.map(readCell)),
  );
}

function readCell(raw: string): Cell {
  return missing.test(raw.trim()) ? null : raw;
}

/** The delimiter that occurs most in the first line, outside quotes; a comma where there is none. */
export function detectDelimiter(text: string): string {
  const counts = new Map<string, number>();
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (character === "\n" || character === "\r") break;
    else counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  let best: string = ",";
  for (const delimiter of delimiters) {
    if ((counts.get(delimiter) ?? 0) > (counts.get(best) ?? 0)) best = delimiter;
  }
  return best;
}
