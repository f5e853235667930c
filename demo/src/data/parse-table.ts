import { parseCsv } from "./csv.ts";
import { decodeText } from "./decode-text.ts";
import { tableFromJson } from "./json.ts";
import { type Table, TableError } from "./table.ts";

/**
 * Reads a file as a table. It looks at the bytes alone, never at the file's name,
 * so every analyst that holds the same reference works on the same table.
 *
 * @throws TableError
 */
export function parseTable(bytes: Uint8Array): Table {
  const text = decodeText(bytes).trim();
  if (text === "") throw new TableError("empty", "The file is empty.");
  if (!/^[[{]/.test(text)) return parseCsv(text);
  const whole = readJson(text);
  if (whole !== undefined) return tableFromJson(whole);
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const records = lines.map(readJson);
  if (records.length > 1 && records.every((record) => record !== undefined)) return tableFromJson(records);
  throw new TableError("not-tabular", "The file begins like JSON but does not parse as JSON.");
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Not JSON: the caller says so in words of its own, or tries it line by line.
    return undefined;
  }
}
