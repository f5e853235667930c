/** Rows of one sequence: a snapshot of 1,024 MiB has as many pieces. */
export const maxPieces = 1024;

/**
 * What makes each version of the tables out of the one before. Version 0 is a storage without a version: empty, or
 * of a relay that was never released, whose data is dropped; its clients find a new epoch and bring theirs again.
 */
export const migrations: readonly (readonly string[])[] = [
  [
    ...["settings", "documents", "rows", "clocks", "depths"].map((table) => `DROP TABLE IF EXISTS ${table}`),
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE documents (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    // The place is sequence times `maxPieces` plus piece: one key, and so one tree, for what is written every turn.
    "CREATE TABLE rows (place INTEGER PRIMARY KEY, document INTEGER NOT NULL, bytes INTEGER NOT NULL, parts BLOB NOT NULL)",
    // With the bytes in it, sizes are summed without a look at the rows.
    "CREATE INDEX rows_by_document ON rows (document, place, bytes)",
    `CREATE TABLE clocks (
      document INTEGER NOT NULL, client INTEGER NOT NULL, clock INTEGER NOT NULL, owner TEXT NOT NULL,
      PRIMARY KEY (document, client)
    ) WITHOUT ROWID`,
    `CREATE TABLE places (
      document INTEGER NOT NULL, client INTEGER NOT NULL, since INTEGER NOT NULL, upto INTEGER NOT NULL,
      depth INTEGER NOT NULL, keyed INTEGER NOT NULL, PRIMARY KEY (document, client, since)
    ) WITHOUT ROWID`,
    // One value, JSON: an entry is written every turn, and read whole or not at all.
    "CREATE TABLE audit (id INTEGER PRIMARY KEY, entry TEXT NOT NULL)",
    `CREATE TABLE revocations (
      kind TEXT NOT NULL, value TEXT NOT NULL, before INTEGER NOT NULL, PRIMARY KEY (kind, value)
    ) WITHOUT ROWID`,
  ],
  [
    "ALTER TABLE documents ADD COLUMN writer TEXT",
    "ALTER TABLE documents ADD COLUMN day INTEGER NOT NULL DEFAULT 0",
    `UPDATE documents SET writer = CASE
      WHEN name GLOB 'register/*' THEN substr(name, 10)
      WHEN name GLOB 'lane/*' THEN substr(name, 6, instr(substr(name, 6), '/') - 1)
    END`,
    // When they were written nobody knows: retention counts from now.
    "UPDATE documents SET day = unixepoch() / 86400",
    // Everything that retention asks is in it.
    "CREATE INDEX documents_by_writer ON documents (writer, day) WHERE writer IS NOT NULL",
    // By the number of a register, an entry takes about 20 bytes.
    `CREATE TABLE dropped (
      document INTEGER NOT NULL, number INTEGER NOT NULL, client INTEGER NOT NULL,
      PRIMARY KEY (document, number, client)
    ) WITHOUT ROWID`,
  ],
];
