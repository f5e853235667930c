import type { SqliteClass, SqliteConnection } from "../../src/node/index.ts";

/** A driver whose disk fills up, fails and forgets its process, over a real one. */
export interface FaultySqlite {
  Sqlite: SqliteClass;
  /** Every file is full until the result is called. */
  fill(): () => void;
  /** The next commit fails. */
  failNextCommit(): void;
  /** Closes every connection as the system does for a process that is gone. */
  crash(): void;
}

const padBytes = 1_048_576;

export function createFaultySqlite(Real: SqliteClass): FaultySqlite {
  const open = new Set<SqliteConnection>();
  let full = false;
  let failing = false;

  class Sqlite implements SqliteConnection {
    readonly #real: SqliteConnection;
    constructor(path: string) {
      this.#real = new Real(path);
      open.add(this.#real);
    }
    exec(sql: string): void {
      if (sql === "COMMIT" && failing) {
        failing = false;
        throw Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR_WRITE", errcode: 778 });
      }
      if (sql === "COMMIT" && full) overfill(this.#real);
      this.#real.exec(sql);
    }
    prepare(sql: string) {
      return this.#real.prepare(sql);
    }
    close(): void {
      open.delete(this.#real);
      this.#real.close();
    }
  }

  return {
    Sqlite,
    fill() {
      full = true;
      return () => {
        full = false;
      };
    },
    failNextCommit() {
      failing = true;
    },
    crash() {
      for (const connection of open) connection.close();
      open.clear();
    },
  };
}

/** Leaves no page to a file and asks for one more: SQLite's own failure, with its own rollback. */
function overfill(connection: SqliteConnection): void {
  connection.exec("PRAGMA max_page_count = 1");
  try {
    connection.exec(`CREATE TABLE padding AS SELECT zeroblob(${padBytes}) AS bytes`);
  } finally {
    connection.exec("PRAGMA max_page_count = 4294967294");
  }
}
