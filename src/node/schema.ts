import { fileForeign, fileNewer } from "./failure.ts";
import { readValue, type SqliteConnection } from "./sqlite.ts";

/** What a kind of file holds. */
export interface Schema {
  /** Marks the file as ours in its header. */
  applicationId: number;
  /** Raised with each change that an older reader would misread. */
  version: number;
  tables: string;
}

/** Databases of keys and values, and shared documents: bytes are blobs, JSON is text. */
export const databaseSchema: Schema = {
  applicationId: 0x464c4b44,
  version: 1,
  tables: `
    CREATE TABLE databases (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE pairs (
      database INTEGER NOT NULL, key TEXT NOT NULL, value ANY, PRIMARY KEY (database, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE updates (id INTEGER PRIMARY KEY, database INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
    CREATE INDEX updates_of_database ON updates (database, id);
  `,
};

/** References; the bytes lie in a table of their own, so that listing reads none. */
export const referenceSchema: Schema = {
  applicationId: 0x464c4b52,
  version: 1,
  tables: `
    CREATE TABLE contents (id TEXT PRIMARY KEY, bytes BLOB) STRICT;
    CREATE TABLE described (id TEXT PRIMARY KEY, size INTEGER NOT NULL, type TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE uploads (id TEXT PRIMARY KEY, size INTEGER NOT NULL, type TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
};

/**
 * Makes the tables in an empty file, or checks that a file is of this kind and not of a later version.
 *
 * @throws `crdt/storage-newer`, `crdt/storage-failed`
 */
export function prepareSchema(connection: SqliteConnection, path: string, schema: Schema): void {
  const id = Number(readValue(connection.prepare("PRAGMA application_id")));
  const version = Number(readValue(connection.prepare("PRAGMA user_version")));
  if (id === schema.applicationId && version === schema.version) return;
  if (id === schema.applicationId && version > schema.version) throw fileNewer(path, version, schema.version);
  const tables = Number(readValue(connection.prepare("SELECT count(*) FROM sqlite_schema")));
  if (id !== 0 || version !== 0 || tables !== 0) throw fileForeign(path);
  connection.exec(`
    BEGIN IMMEDIATE;
    ${schema.tables}
    PRAGMA application_id = ${schema.applicationId};
    PRAGMA user_version = ${schema.version};
    COMMIT;
  `);
}
