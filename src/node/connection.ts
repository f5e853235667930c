import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileNotLocal } from "./failure.ts";
import { prepareSchema, type Schema } from "./schema.ts";
import { readValue, type SqliteClass, type SqliteConnection, type SqliteStatement } from "./sqlite.ts";

/** What a commit outlives: the end of this process however it comes, or the machine's as well. */
export type Durability = "process" | "power";

/** A connection whose statements are prepared once. */
export interface Connection {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): void;
  /** Whether the file is still where it was opened: an open one that was deleted takes writes that nobody would find. */
  isInPlace(): boolean;
  close(): void;
}

/** How long SQLite itself waits for another process, all of this one standing still meanwhile. */
const waitMs = 20;
/** What is left of the log after a large commit. */
const maxLogBytes = 4 * 1024 * 1024;
/** Free space that a file gives back when it is closed, once there is more. */
const maxFreeBytes = 1024 * 1024;

/** Opens a file with its tables; throws SQLite's own errors besides those of `prepareSchema`. */
export function openConnection(
  Sqlite: SqliteClass,
  path: string,
  { schema, durability }: { schema: Schema; durability: Durability },
): Connection {
  mkdirSync(dirname(path), { recursive: true });
  const connection = new Sqlite(path);
  try {
    // The vacuum's mode can be chosen in an empty file only, and the log's mode writes its first page.
    connection.exec(`
      PRAGMA busy_timeout = ${waitMs};
      PRAGMA auto_vacuum = INCREMENTAL;
      PRAGMA journal_mode = WAL;
      PRAGMA journal_size_limit = ${maxLogBytes};
      PRAGMA synchronous = ${durability === "power" ? "FULL" : "NORMAL"};
      PRAGMA fullfsync = ${durability === "power" ? 1 : 0};
    `);
    if (readValue(connection.prepare("PRAGMA journal_mode")) !== "wal") throw fileNotLocal(path);
    prepareSchema(connection, path, schema);
  } catch (cause) {
    connection.close();
    throw cause;
  }
  const { ino } = statSync(path, { bigint: true });
  const statements = new Map<string, SqliteStatement>();
  return {
    prepare(sql) {
      const statement = statements.get(sql) ?? connection.prepare(sql);
      statements.set(sql, statement);
      return statement;
    },
    exec: (sql) => void connection.exec(sql),
    isInPlace: () => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino === ino,
    close() {
      try {
        giveBack(connection);
      } finally {
        connection.close();
      }
    },
  };
}

function giveBack(connection: SqliteConnection): void {
  try {
    const pages = Number(readValue(connection.prepare("PRAGMA freelist_count")));
    const pageBytes = Number(readValue(connection.prepare("PRAGMA page_size")));
    if (pages * pageBytes > maxFreeBytes) connection.exec("PRAGMA incremental_vacuum");
  } catch {
    // The file is only larger than it need be.
  }
}
