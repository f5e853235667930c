import { type Cell, type Table, TableError, tableOf } from "./table.ts";

type Plain = Readonly<Record<string, unknown>>;

/**
 * Reads parsed JSON as a table: rows as objects, rows as arrays under a header, columns as arrays,
 * or an object with one property that holds any of these.
 */
export function tableFromJson(value: unknown): Table {
  if (Array.isArray(value)) return fromRows(value);
  if (isPlain(value)) {
    const lists = Object.entries(value).filter((entry): entry is [string, unknown[]] =>
      Array.isArray(entry[1]),
    );
    if (lists.length === 1 && lists[0]![1].some((row) => typeof row === "object"))
      return fromRows(lists[0]![1]);
    if (lists.length > 0 && lists.length === Object.keys(value).length) return fromColumns(lists);
  }
  throw new TableError("not-tabular", "This JSON is no table: a list of records was expected.");
}

function fromRows(rows: readonly unknown[]): Table {
  if (rows.length === 0) throw new TableError("empty", "The file has no rows.");
  if (rows.every(isPlain)) return fromRecords(rows);
  const [header, ...body] = rows;
  if (
    Array.isArray(header) &&
    header.every((name) => typeof name === "string") &&
    body.every(Array.isArray)
  ) {
    return tableOf(
      header,
      body.map((row: unknown[]) => row.map(readCell)),
    );
  }
  throw new TableError("not-tabular", "This JSON is no table: its rows are not records.");
}

function fromRecords(records: readonly Plain[]): Table {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))];
  return tableOf(
    names,
    records.map((record) => names.map((name) => readCell(record[name]))),
  );
}

function fromColumns(columns: readonly (readonly [string, readonly unknown[]])[]): Table {
  const rowCount = Math.max(...columns.map(([, cells]) => cells.length));
  const rows = Array.from({ length: rowCount }, (_, at) => columns.map(([, cells]) => readCell(cells[at])));
  return tableOf(
    columns.map(([name]) => name),
    rows,
  );
}

function readCell(value: unknown): Cell {
  if (value === undefined || value === null || value === "") return null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  return JSON.stringify(value);
}

function isPlain(value: unknown): value is Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
