import type { RoomSetting, RoomStorage, StoredDepth, StoredDocument, StoredRow } from "../room/ports.ts";

type SqlValue = ArrayBuffer | string | number | null;

/** What a Durable Object's storage offers for SQLite. */
export interface SqlDriver {
  readonly sql: {
    exec(query: string, ...bindings: unknown[]): Iterable<Record<string, SqlValue>>;
  };
  transactionSync<T>(run: () => T): T;
}

const schema = [
  "CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS documents (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
  "CREATE TABLE IF NOT EXISTS rows (sequence INTEGER PRIMARY KEY, document INTEGER NOT NULL, parts BLOB NOT NULL)",
  "CREATE INDEX IF NOT EXISTS rows_by_document ON rows (document, sequence)",
  `CREATE TABLE IF NOT EXISTS clocks (
    document INTEGER NOT NULL, client INTEGER NOT NULL, clock INTEGER NOT NULL,
    PRIMARY KEY (document, client)
  ) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS depths (
    document INTEGER NOT NULL, client INTEGER NOT NULL, since INTEGER NOT NULL, upto INTEGER NOT NULL,
    depth INTEGER NOT NULL, PRIMARY KEY (document, client, since)
  ) WITHOUT ROWID`,
];

/** Opens a room's storage over SQLite, creating its tables where they are missing. */
export function openSqlStorage(driver: SqlDriver): RoomStorage {
  const { sql } = driver;
  for (const statement of schema) sql.exec(statement);

  function first(query: string, ...bindings: unknown[]): Record<string, SqlValue> | undefined {
    return [...sql.exec(query, ...bindings)][0];
  }

  function* rows(query: string, binding: number): Iterable<StoredRow> {
    for (const row of sql.exec(query, binding)) {
      yield {
        sequence: Number(row["sequence"]),
        document: Number(row["document"]),
        parts: new Uint8Array(row["parts"] as ArrayBuffer),
      };
    }
  }

  return {
    setting(name: RoomSetting) {
      const row = first("SELECT value FROM settings WHERE name = ?", name);
      return row && String(row["value"]);
    },
    documentNamed: (name) => toDocument(first("SELECT id, name FROM documents WHERE name = ?", name)),
    documentNumbered: (id) => toDocument(first("SELECT id, name FROM documents WHERE id = ?", id)),
    lastDocument: () => Number(first("SELECT MAX(id) AS id FROM documents")?.["id"] ?? 0),
    head: () => Number(first("SELECT MAX(sequence) AS head FROM rows")?.["head"] ?? 0),
    rowsAfter: (sequence) =>
      rows("SELECT sequence, document, parts FROM rows WHERE sequence > ? ORDER BY sequence", sequence),
    rowsOf: (document) =>
      rows("SELECT sequence, document, parts FROM rows WHERE document = ? ORDER BY sequence", document),
    clock: (document, client) =>
      Number(
        first("SELECT clock FROM clocks WHERE document = ? AND client = ?", document, client)?.["clock"] ?? 0,
      ),
    clocks(document) {
      const clocks = new Map<number, number>();
      for (const row of sql.exec("SELECT client, clock FROM clocks WHERE document = ?", document)) {
        clocks.set(Number(row["client"]), Number(row["clock"]));
      }
      return clocks;
    },
    depthAt(document, client, clock): StoredDepth | undefined {
      const row = first(
        `SELECT since, upto, depth FROM depths WHERE document = ? AND client = ? AND since <= ?
         ORDER BY since DESC LIMIT 1`,
        document,
        client,
        clock,
      );
      return (
        row && {
          document,
          client,
          from: Number(row["since"]),
          to: Number(row["upto"]),
          depth: Number(row["depth"]),
        }
      );
    },
    commit(changes) {
      driver.transactionSync(() => {
        for (const [name, value] of Object.entries(changes.settings ?? {})) {
          sql.exec("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", name, value);
        }
        for (const { id, name } of changes.documents ?? []) {
          sql.exec("INSERT INTO documents (id, name) VALUES (?, ?)", id, name);
        }
        for (const { sequence, document, parts } of changes.rows ?? []) {
          sql.exec(
            "INSERT INTO rows (sequence, document, parts) VALUES (?, ?, ?)",
            sequence,
            document,
            parts,
          );
        }
        for (const { document, client, clock } of changes.clocks ?? []) {
          sql.exec(
            "INSERT OR REPLACE INTO clocks (document, client, clock) VALUES (?, ?, ?)",
            document,
            client,
            clock,
          );
        }
        for (const { document, client, from, to, depth } of changes.depths ?? []) {
          sql.exec(
            "INSERT OR REPLACE INTO depths (document, client, since, upto, depth) VALUES (?, ?, ?, ?, ?)",
            document,
            client,
            from,
            to,
            depth,
          );
        }
      });
    },
  };
}

function toDocument(row: Record<string, SqlValue> | undefined): StoredDocument | undefined {
  return row && { id: Number(row["id"]), name: String(row["name"]) };
}
