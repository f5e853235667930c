import type { RoomStorage, StorageCommit, StoredClock, StoredDocument, StoredRow } from "../room/ports.ts";
import { maxPieces, migrations } from "./schema.ts";
import {
  type SqlRow,
  toAuditEntry,
  toClock,
  toDocument,
  toPageName,
  toPlace,
  toRevocation,
  toRow,
  toWriter,
} from "./sql-values.ts";

/** What a Durable Object's storage offers for SQLite. */
export interface SqlDriver {
  readonly sql: {
    exec(query: string, ...bindings: unknown[]): Iterable<SqlRow>;
  };
  transactionSync<T>(run: () => T): T;
}

/** Opens a room's storage over SQLite, bringing its tables to the present version. */
export function openSqlStorage(driver: SqlDriver): RoomStorage {
  const { sql } = driver;
  migrate(driver);

  /** The settings as they are committed: asked for every turn, and only written here. */
  let settings: Map<string, string> | undefined;

  function readSettings(): Map<string, string> {
    const rows = [...sql.exec("SELECT name, value FROM settings")];
    return new Map(rows.map((row) => [String(row["name"]), String(row["value"])]));
  }

  function first(query: string, ...bindings: unknown[]): SqlRow | undefined {
    return [...sql.exec(query, ...bindings)][0];
  }

  function numberOf(query: string, ...bindings: unknown[]): number {
    return Number(first(query, ...bindings)?.["number"] ?? 0);
  }

  function documentOf(condition: string, binding: string | number): StoredDocument | undefined {
    const row = first(`SELECT ${documentColumns} FROM documents WHERE ${condition}`, binding);
    return row && toDocument(row);
  }

  function settingOf(name: string): string | undefined {
    settings ??= readSettings();
    return settings.get(name);
  }

  function* mapped<T>(rows: Iterable<SqlRow>, convert: (row: SqlRow) => T): Iterable<T> {
    for (const row of rows) yield convert(row);
  }

  return {
    setting: settingOf,
    documentNamed: (name) => documentOf("name = ?", name),
    documentNumbered: (id) => documentOf("id = ?", id),
    documentsAfter: (after, limit) =>
      [
        ...sql.exec(
          `SELECT ${documentColumns} FROM documents WHERE id > ? ORDER BY id LIMIT ?`,
          after,
          limit,
        ),
      ].map(toDocument),
    lastDocument: () => Math.max(lastDocumentOf(sql), Number(settingOf(lastDocumentName) ?? 0)),
    documentCount: () => numberOf("SELECT COUNT(*) AS number FROM documents"),
    idlestWriters: (limit) =>
      [
        ...sql.exec(
          `SELECT writer, MAX(day) AS day FROM documents WHERE writer IS NOT NULL
           GROUP BY writer ORDER BY day, writer LIMIT ?`,
          limit,
        ),
      ].map(toWriter),
    documentsOf: (writer, limit) =>
      [
        ...sql.exec(
          `SELECT ${documentColumns} FROM documents WHERE writer = ? ORDER BY id LIMIT ?`,
          writer,
          limit,
        ),
      ].map(toDocument),
    head: () => Math.max(headOf(sql), Number(settingOf(headName) ?? 0)),
    rowsAfter: (sequence) =>
      mapped(
        sql.exec(
          "SELECT place, document, parts FROM rows WHERE place >= ? ORDER BY place",
          (sequence + 1) * maxPieces,
        ),
        toRow,
      ),
    rowsOf: (document, sequence = 0) =>
      mapped(
        sql.exec(
          "SELECT place, document, parts FROM rows WHERE document = ? AND place >= ? ORDER BY place",
          document,
          (sequence + 1) * maxPieces,
        ),
        toRow,
      ),
    size(document) {
      const row =
        document === undefined
          ? first("SELECT COUNT(*) AS rows, SUM(bytes) AS bytes FROM rows INDEXED BY rows_by_document")
          : first("SELECT COUNT(*) AS rows, SUM(bytes) AS bytes FROM rows WHERE document = ?", document);
      return { rows: Number(row?.["rows"] ?? 0), bytes: Number(row?.["bytes"] ?? 0) };
    },
    longDocuments: (rows, limit) =>
      [
        ...sql.exec(
          "SELECT document FROM rows GROUP BY document HAVING COUNT(*) >= ? ORDER BY document LIMIT ?",
          rows,
          limit,
        ),
      ].map((row) => Number(row["document"])),
    clock(document, client) {
      const row = first(
        "SELECT document, client, clock, owner FROM clocks WHERE document = ? AND client = ?",
        document,
        client,
      );
      return row && toClock(row);
    },
    clocks: (document) =>
      mapped<StoredClock>(
        sql.exec("SELECT document, client, clock, owner FROM clocks WHERE document = ?", document),
        toClock,
      ),
    placeAt(document, client, clock) {
      const row = first(
        `SELECT document, client, since, upto, depth, keyed FROM places
         WHERE document = ? AND client = ? AND since <= ? ORDER BY since DESC LIMIT 1`,
        document,
        client,
        clock,
      );
      return row && toPlace(row);
    },
    wasDropped: ({ register, page }) =>
      first(
        "SELECT 1 FROM dropped WHERE document = ? AND number = ? AND client = ?",
        register,
        page.number,
        page.client,
      ) !== undefined,
    droppedPages: (register) =>
      mapped(
        sql.exec("SELECT number, client FROM dropped WHERE document = ? ORDER BY number, client", register),
        toPageName,
      ),
    droppedCount: (register) =>
      register === undefined
        ? numberOf("SELECT COUNT(*) AS number FROM dropped")
        : numberOf("SELECT COUNT(*) AS number FROM dropped WHERE document = ?", register),
    auditAfter: (id, limit) =>
      [...sql.exec("SELECT id, entry FROM audit WHERE id > ? ORDER BY id LIMIT ?", id, limit)].map(
        toAuditEntry,
      ),
    lastAudit: () => numberOf("SELECT MAX(id) AS number FROM audit"),
    revocation(kind, value) {
      const row = first(
        "SELECT kind, value, before FROM revocations WHERE kind = ? AND value = ?",
        kind,
        value,
      );
      return row && toRevocation(row);
    },
    revocations: () => [...sql.exec("SELECT kind, value, before FROM revocations")].map(toRevocation),
    commit(changes) {
      if (changes.clear || changes.settings || changes.dropDocuments) settings = undefined;
      driver.transactionSync(() => write(sql, changes));
    },
  };
}

/** The setting that holds the version of the tables; no room setting has its name. */
const versionName = "schema";
/** What there was before documents were dropped: the highest sequence and number, that none is given twice. */
const headName = "head";
const lastDocumentName = "lastDocument";
const documentColumns = "id, name, writer, day";

function migrate(driver: SqlDriver): void {
  const { sql } = driver;
  // Read to their ends: a cursor that is left open locks the tables that are to be dropped.
  const tables = [...sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'settings'")];
  const [row] =
    tables.length > 0 ? [...sql.exec("SELECT value FROM settings WHERE name = ?", versionName)] : [];
  const version = Number(row?.["value"] ?? 0);
  if (version > migrations.length) {
    throw new RangeError(
      `The room's tables have version ${version}, and this relay knows ${migrations.length}: deploy a newer one.`,
    );
  }
  if (version === migrations.length) return;
  driver.transactionSync(() => {
    for (const statement of migrations.slice(version).flat()) sql.exec(statement);
    sql.exec(
      "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)",
      versionName,
      String(migrations.length),
    );
  });
}

function write(sql: SqlDriver["sql"], changes: StorageCommit): void {
  if (changes.clear) clear(sql);
  for (const [name, value] of Object.entries(changes.settings ?? {})) {
    if (value === undefined) sql.exec("DELETE FROM settings WHERE name = ?", name);
    else sql.exec("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", name, value);
  }
  drop(sql, changes.dropDocuments ?? []);
  for (const { id, name, writer = null, day } of changes.documents ?? []) {
    sql.exec("INSERT INTO documents (id, name, writer, day) VALUES (?, ?, ?, ?)", id, name, writer, day);
  }
  for (const { id, day } of changes.days ?? [])
    sql.exec("UPDATE documents SET day = ? WHERE id = ?", day, id);
  for (const { document, upTo } of changes.removeRows ?? []) {
    sql.exec("DELETE FROM rows WHERE document = ? AND place < ?", document, (upTo + 1) * maxPieces);
  }
  for (const row of changes.rows ?? []) {
    const { document, parts } = row;
    sql.exec(
      "INSERT INTO rows (place, document, bytes, parts) VALUES (?, ?, ?, ?)",
      placeOf(row),
      document,
      parts.length,
      parts,
    );
  }
  for (const { document, client, clock, owner } of changes.clocks ?? []) {
    sql.exec(
      "INSERT OR REPLACE INTO clocks (document, client, clock, owner) VALUES (?, ?, ?, ?)",
      document,
      client,
      clock,
      owner,
    );
  }
  for (const { document, client, from, to, depth, keyed } of changes.places ?? []) {
    sql.exec(
      "INSERT OR REPLACE INTO places (document, client, since, upto, depth, keyed) VALUES (?, ?, ?, ?, ?, ?)",
      document,
      client,
      from,
      to,
      depth,
      keyed ? 1 : 0,
    );
  }
  for (const { register, page } of changes.droppedPages ?? []) {
    sql.exec(
      "INSERT OR IGNORE INTO dropped (document, number, client) VALUES (?, ?, ?)",
      register,
      page.number,
      page.client,
    );
  }
  for (const entry of changes.audit ?? []) {
    sql.exec("INSERT INTO audit (entry) VALUES (?)", JSON.stringify(entry));
  }
  if (changes.trimAudit !== undefined) {
    // The newest stays, because SQLite numbers on from the highest that it finds.
    sql.exec("DELETE FROM audit WHERE id <= ? AND id < (SELECT MAX(id) FROM audit)", changes.trimAudit);
  }
  if (changes.clearRevocations) sql.exec("DELETE FROM revocations");
  for (const { kind, value, before } of changes.revocations ?? []) {
    sql.exec(
      "INSERT OR REPLACE INTO revocations (kind, value, before) VALUES (?, ?, ?)",
      kind,
      value,
      before,
    );
  }
}

function drop(sql: SqlDriver["sql"], documents: readonly number[]): void {
  if (documents.length === 0) return;
  for (const [name, number] of [
    [headName, headOf(sql)],
    [lastDocumentName, Math.max(lastDocumentOf(sql), ...documents)],
  ] as const) {
    sql.exec(
      `INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name)
       DO UPDATE SET value = excluded.value WHERE CAST(value AS INTEGER) < CAST(excluded.value AS INTEGER)`,
      name,
      String(number),
    );
  }
  for (const id of documents) {
    for (const table of ["rows", "clocks", "places", "dropped"]) {
      sql.exec(`DELETE FROM ${table} WHERE document = ?`, id);
    }
    sql.exec("DELETE FROM documents WHERE id = ?", id);
  }
}

function headOf(sql: SqlDriver["sql"]): number {
  return Math.floor(highest(sql, "SELECT MAX(place) AS number FROM rows") / maxPieces);
}

function lastDocumentOf(sql: SqlDriver["sql"]): number {
  return highest(sql, "SELECT MAX(id) AS number FROM documents");
}

function highest(sql: SqlDriver["sql"], query: string): number {
  const [row] = [...sql.exec(query)];
  return Number(row?.["number"] ?? 0);
}

function clear(sql: SqlDriver["sql"]): void {
  sql.exec("DELETE FROM settings WHERE name <> ?", versionName);
  for (const table of ["documents", "rows", "clocks", "places", "dropped", "revocations"]) {
    sql.exec(`DELETE FROM ${table}`);
  }
}

function placeOf({ sequence, piece }: StoredRow): number {
  if (piece < maxPieces) return sequence * maxPieces + piece;
  throw new RangeError(`Piece ${piece} of sequence ${sequence}: a sequence has at most ${maxPieces} rows.`);
}
