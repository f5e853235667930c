import type { DatabaseOptions, KeyValueStore, StoredValue } from "../crdt/index.ts";
import type { Connection } from "./connection.ts";
import { databaseGone, fileDamaged, notStorable } from "./failure.ts";
import type { FileLease } from "./files.ts";
import { bytesOf, type SqliteValue } from "./sqlite.ts";

const lastCharacter = "\u{10ffff}";

/** Opens the database of a name in its file, made where there is none; closing it closes the lease. */
export async function openKeyValueStore(
  name: string,
  file: FileLease,
  { onFailed = () => {} }: DatabaseOptions = {},
): Promise<KeyValueStore> {
  const database = await enterDatabase(name, file).catch(async (failure: unknown) => {
    await file.close();
    throw failure;
  });
  let isGone = false;
  return {
    async get(key) {
      const row = await file.read("read", ({ prepare }) =>
        prepare("SELECT value FROM pairs WHERE database = ? AND key = ?").get(database, key),
      );
      return row === undefined ? undefined : decode((row as { value: SqliteValue }).value, file.path);
    },
    async entries(prefix) {
      const rows = await file.read("read", ({ prepare }) =>
        prepare("SELECT key, value FROM pairs WHERE database = ? AND key >= ? AND key < ? ORDER BY key").all(
          database,
          prefix,
          prefix + lastCharacter,
        ),
      );
      return (rows as { key: string; value: SqliteValue }[])
        .map(({ key, value }): [string, StoredValue] => [key, decode(value, file.path)])
        .sort(([a], [b]) => (a < b ? -1 : 1));
    },
    async write({ put = [], remove = [] }) {
      // At the call, as the caller may go on with its arrays; and what can't be encoded fails alone.
      const encoded = put.map(([key, value]) => [key, encode(key, value, file.path)] as const);
      const removed = [...remove];
      const isThere = await file.write("write", (connection) => {
        if (!hasDatabase(connection, database)) return false;
        const { prepare } = connection;
        for (const key of removed)
          prepare("DELETE FROM pairs WHERE database = ? AND key = ?").run(database, key);
        for (const [key, value] of encoded) {
          prepare("INSERT OR REPLACE INTO pairs VALUES (?, ?, ?)").run(database, key, value);
        }
        return true;
      });
      if (isThere) return;
      const error = databaseGone(file.path, name);
      if (!isGone) onFailed(error);
      isGone = true;
      throw error;
    },
    close: () => file.close(),
  };
}

/** The number that a file keeps for a name. */
export function enterDatabase(name: string, file: FileLease): Promise<number> {
  return file.write("open a database", ({ prepare }) => {
    prepare("INSERT OR IGNORE INTO databases (name) VALUES (?)").run(name);
    const row = prepare("SELECT id FROM databases WHERE name = ?").get(name);
    return (row as { id: number }).id;
  });
}

/** False where another process has deleted the database under its holder: its number is never given again. */
export function hasDatabase({ prepare }: Connection, database: number): boolean {
  return prepare("SELECT 1 FROM databases WHERE id = ?").get(database) !== undefined;
}

/** Deletes the databases of a file whose names begin with a prefix. */
export function deleteDatabases({ exec, prepare }: Connection, prefix: string): void {
  exec("BEGIN IMMEDIATE");
  const rows = prepare("SELECT id FROM databases WHERE name >= ? AND name < ?").all(
    prefix,
    prefix + lastCharacter,
  );
  for (const { id } of rows as { id: number }[]) {
    for (const [table, column] of [
      ["pairs", "database"],
      ["updates", "database"],
      ["databases", "id"],
    ]) {
      prepare(`DELETE FROM ${table} WHERE ${column} = ?`).run(id);
    }
  }
  exec("COMMIT");
}

/** @throws `crdt/storage-failed` for what is neither bytes nor JSON. */
function encode(key: string, value: StoredValue, path: string): SqliteValue {
  if (value instanceof Uint8Array) return value.slice();
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw notStorable(path, key);
  return text;
}

function decode(value: SqliteValue, path: string): StoredValue {
  if (typeof value !== "string") return bytesOf(value);
  try {
    return JSON.parse(value) as StoredValue;
  } catch (cause) {
    throw fileDamaged(path, "read a value", cause);
  }
}
