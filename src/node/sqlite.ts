/** What SQLite takes as a parameter here. */
export type SqliteValue = string | number | Uint8Array | null;

/** A prepared statement. */
export interface SqliteStatement {
  run(...values: SqliteValue[]): unknown;
  get(...values: SqliteValue[]): unknown;
  all(...values: SqliteValue[]): unknown[];
}

/** One connection to a file. */
export interface SqliteConnection {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

/**
 * The class of a synchronous SQLite driver: `better-sqlite3`, or `DatabaseSync` of `node:sqlite`. One of them for
 * all of a directory's users in a process, as the locks of two copies of SQLite do not see each other.
 */
export type SqliteClass = new (path: string) => SqliteConnection;

/** Of SQLite's result codes those that are told apart. */
export type SqliteFailure = "full" | "busy" | "undone" | "corrupt" | "other";

/** The primary result codes: https://www.sqlite.org/rescode.html */
const failures: readonly [name: string, code: number, failure: SqliteFailure][] = [
  ["SQLITE_BUSY", 5, "busy"],
  ["SQLITE_LOCKED", 6, "busy"],
  ["SQLITE_INTERRUPT", 9, "undone"],
  ["SQLITE_IOERR", 10, "undone"],
  ["SQLITE_CORRUPT", 11, "corrupt"],
  ["SQLITE_FULL", 13, "full"],
  ["SQLITE_NOTADB", 26, "corrupt"],
];

/** Reads an error of either driver: better-sqlite3 names the extended code, `node:sqlite` numbers it. */
export function sqliteFailureOf(cause: unknown): SqliteFailure {
  if (typeof cause !== "object" || cause === null) return "other";
  const named = "code" in cause ? String(cause.code) : "";
  if (named === "ENOSPC") return "full";
  const primary = "errcode" in cause ? Number(cause.errcode) & 0xff : undefined;
  const found = failures.find(
    ([name, code]) => code === primary || named === name || named.startsWith(`${name}_`),
  );
  return found?.[2] ?? "other";
}

/** The first column of a statement's first row. */
export function readValue(statement: SqliteStatement, ...values: SqliteValue[]): unknown {
  const row = statement.get(...values);
  return typeof row === "object" && row !== null ? Object.values(row)[0] : undefined;
}

/** Bytes as plain ones: a driver may give a Buffer, whose methods differ, and an empty blob as null. */
export function bytesOf(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) return new Uint8Array();
  return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.length);
}
