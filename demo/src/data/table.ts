/** One value of a table as it was read; `null` is a missing one. */
export type Cell = string | number | boolean | null;

/** One column with a value for every row. */
export interface Column {
  readonly name: string;
  readonly cells: readonly Cell[];
}

/** A data set in memory, column by column. */
export interface Table {
  readonly columns: readonly Column[];
  readonly rowCount: number;
}

/** Why a file could not be read as a table. */
export type TableErrorCode = "empty" | "not-tabular" | "too-many-columns" | "too-large";

/** A file that is no table, with a sentence for the person who dropped it. */
export class TableError extends Error {
  override readonly name = "TableError";
  readonly code: TableErrorCode;

  constructor(code: TableErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** More columns than this would be a wall of cards, not a report. */
export const maxColumns = 200;

const maxNameLength = 80;

/** Builds a table from a header and rows; short rows are padded, names are made distinct. */
export function tableOf(header: readonly string[], rows: readonly (readonly Cell[])[]): Table {
  if (header.length > maxColumns) {
    throw new TableError(
      "too-many-columns",
      `The file has ${header.length} columns; the demo takes up to ${maxColumns}.`,
    );
  }
  if (header.length === 0 || rows.length === 0) throw new TableError("empty", "The file has no rows.");
  const names = distinctNames(header);
  const columns = names.map((name, at) => ({ name, cells: rows.map((row) => row[at] ?? null) }));
  return { columns, rowCount: rows.length };
}

function distinctNames(header: readonly string[]): string[] {
  const seen = new Set<string>();
  return header.map((raw, at) => {
    const base = raw.trim().slice(0, maxNameLength) || `column ${at + 1}`;
    let name = base;
    for (let n = 2; seen.has(name); n += 1) name = `${base} (${n})`;
    seen.add(name);
    return name;
  });
}
