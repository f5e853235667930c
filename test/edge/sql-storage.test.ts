import { env, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { openSqlStorage } from "../../src/edge/index.ts";
import { roomStorageContract } from "../../src/testing/room-storage-contract.ts";

let rooms = 0;

/** Runs a case inside an object of its own: SQLite cannot leave it. */
const cases = roomStorageContract(async () => {
  throw new Error("Each case is run over its own storage below.");
});

cases.forEach(({ id, title }, index) => {
  test(`${id}: ${title} (SQLite)`, async () => {
    await runInDurableObject(env.ROOMS.getByName(`contract-${rooms++}`), async (_, { storage }) => {
      await roomStorageContract(async () => openSqlStorage(storage))[index]?.run();
    });
  });
});

test("ROWS-9: opening the storage again keeps what is in it", async () => {
  await runInDurableObject(env.ROOMS.getByName("again"), (_, { storage }) => {
    openSqlStorage(storage).commit({ settings: { epoch: "kept" } });
    expect(openSqlStorage(storage).setting("epoch")).toBe("kept");
  });
});

test("ROWS-16: tables of an unreleased relay make place for those of today", async () => {
  await runInDurableObject(env.ROOMS.getByName("unversioned"), (_, { storage }) => {
    const { sql } = storage;
    const tables = ["settings", "documents", "rows", "clocks", "places", "dropped", "audit", "revocations"];
    for (const table of tables) sql.exec(`DROP TABLE IF EXISTS ${table}`);
    sql.exec("CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
    sql.exec(
      "CREATE TABLE rows (sequence INTEGER PRIMARY KEY, document INTEGER NOT NULL, parts BLOB NOT NULL)",
    );
    sql.exec("INSERT INTO settings (name, value) VALUES ('epoch', 'old')");
    const opened = openSqlStorage(storage);
    expect([opened.setting("epoch"), opened.head()]).toEqual([undefined, 0]);
  });
});

test("ROWS-16: tables of a newer relay are left alone", async () => {
  await runInDurableObject(env.ROOMS.getByName("newer"), (_, { storage }) => {
    openSqlStorage(storage).commit({ settings: { epoch: "kept" } });
    storage.sql.exec("UPDATE settings SET value = '99' WHERE name = 'schema'");
    expect(() => openSqlStorage(storage)).toThrow("version 99");
    storage.sql.exec("UPDATE settings SET value = '2' WHERE name = 'schema'");
    expect(openSqlStorage(storage).setting("epoch")).toBe("kept");
  });
});

/** The tables as the first released relay made them. */
const firstTables = [
  "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
  "CREATE TABLE documents (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
  "CREATE TABLE rows (place INTEGER PRIMARY KEY, document INTEGER NOT NULL, bytes INTEGER NOT NULL, parts BLOB NOT NULL)",
  "CREATE INDEX rows_by_document ON rows (document, place, bytes)",
  `CREATE TABLE clocks (document INTEGER NOT NULL, client INTEGER NOT NULL, clock INTEGER NOT NULL, owner TEXT NOT NULL,
    PRIMARY KEY (document, client)) WITHOUT ROWID`,
  `CREATE TABLE places (document INTEGER NOT NULL, client INTEGER NOT NULL, since INTEGER NOT NULL, upto INTEGER NOT NULL,
    depth INTEGER NOT NULL, keyed INTEGER NOT NULL, PRIMARY KEY (document, client, since)) WITHOUT ROWID`,
  "CREATE TABLE audit (id INTEGER PRIMARY KEY, entry TEXT NOT NULL)",
  `CREATE TABLE revocations (kind TEXT NOT NULL, value TEXT NOT NULL, before INTEGER NOT NULL,
    PRIMARY KEY (kind, value)) WITHOUT ROWID`,
  "INSERT INTO settings VALUES ('schema', '1'), ('epoch', 'old'), ('presences', '65')",
  "INSERT INTO documents VALUES (1, 'shared'), (2, 'shared/register'), (3, 'register/a.b.c'), (7, 'lane/a.b.c/12-7')",
  "INSERT INTO rows VALUES (1024, 1, 2, x'0101'), (2049, 7, 2, x'0707')",
  "INSERT INTO clocks VALUES (7, 7, 5, 'a')",
  "INSERT INTO places VALUES (1, 9, 0, 4, 2, 1)",
  "INSERT INTO revocations VALUES ('token', 't', 9)",
];

test("ROWS-22: tables of the first relay are brought forward with all that is in them, and count as written today", async () => {
  await runInDurableObject(env.ROOMS.getByName("first"), (_, { storage }) => {
    const tables = ["settings", "documents", "rows", "clocks", "places", "audit", "revocations"];
    for (const table of [...tables, "dropped"]) storage.sql.exec(`DROP TABLE IF EXISTS ${table}`);
    for (const statement of firstTables) storage.sql.exec(statement);
    const before = Math.floor(Date.now() / 86_400_000);
    const opened = openSqlStorage(storage);
    expect([opened.setting("epoch"), opened.setting("presences")]).toEqual(["old", "65"]);
    const documents = opened.documentsAfter(0, 9);
    expect(documents.map(({ id, name, writer }) => [id, name, writer])).toEqual([
      [1, "shared", undefined],
      [2, "shared/register", undefined],
      [3, "register/a.b.c", "a.b.c"],
      [7, "lane/a.b.c/12-7", "a.b.c"],
    ]);
    for (const { day } of documents) {
      expect(day).toBeGreaterThanOrEqual(before);
      expect(day).toBeLessThanOrEqual(before + 1);
    }
    expect(
      [...opened.rowsAfter(0)].map(({ sequence, piece, document }) => [sequence, piece, document]),
    ).toEqual([
      [1, 0, 1],
      [2, 1, 7],
    ]);
    expect([opened.head(), opened.lastDocument()]).toEqual([2, 7]);
    expect([opened.clock(7, 7)?.clock, opened.placeAt(1, 9, 3)?.depth]).toEqual([5, 2]);
    expect(opened.revocations()).toHaveLength(1);
    const page = { register: 3, page: { number: 12, client: 7 } };
    expect(opened.wasDropped(page)).toBe(false);
    opened.commit({ dropDocuments: [7], droppedPages: [page] });
    const again = openSqlStorage(storage);
    expect([again.head(), again.lastDocument(), again.documentCount()]).toEqual([2, 7, 3]);
    expect([again.wasDropped(page), again.droppedCount()]).toEqual([true, 1]);
  });
});

test("ROWS-16: a cleared storage keeps the version of its tables", async () => {
  await runInDurableObject(env.ROOMS.getByName("cleared"), (_, { storage }) => {
    openSqlStorage(storage).commit({ clear: true, settings: { epoch: "new" } });
    expect(openSqlStorage(storage).setting("epoch")).toBe("new");
  });
});

test("ROWS-17: sizes, joins and the search for long documents read no more than an index", async () => {
  await runInDurableObject(env.ROOMS.getByName("plans"), (_, { storage }) => {
    openSqlStorage(storage);
    const planOf = (query: string) =>
      [...storage.sql.exec(`EXPLAIN QUERY PLAN ${query}`)].map(({ detail }) => String(detail)).join("; ");
    expect(planOf("SELECT COUNT(*), SUM(bytes) FROM rows WHERE document = 1")).toMatch(/COVERING INDEX/);
    expect(planOf("SELECT COUNT(*), SUM(bytes) FROM rows INDEXED BY rows_by_document")).toMatch(
      /COVERING INDEX/,
    );
    expect(planOf("SELECT document FROM rows GROUP BY document HAVING COUNT(*) >= 9")).toMatch(
      /COVERING INDEX/,
    );
    expect(planOf("SELECT parts FROM rows WHERE document = 1 AND place >= 5 ORDER BY place")).not.toMatch(
      /TEMP B-TREE/,
    );
    expect(planOf("SELECT parts FROM rows WHERE place >= 5 ORDER BY place")).toMatch(/PRIMARY KEY/);
    expect(planOf("SELECT writer, MAX(day) FROM documents WHERE writer IS NOT NULL GROUP BY writer")).toMatch(
      /COVERING INDEX/,
    );
    expect(planOf("SELECT id, name, writer, day FROM documents WHERE writer = 'a'")).toMatch(/USING INDEX/);
    for (const table of ["rows", "clocks", "places", "dropped"]) {
      expect(planOf(`DELETE FROM ${table} WHERE document = 1`)).toMatch(
        /USING (COVERING )?(INDEX|PRIMARY KEY)/,
      );
    }
  });
});

test("ROWS-25: a dropped page takes no more than the 20 bytes that it counts for, and is found by one look", async () => {
  await runInDurableObject(env.ROOMS.getByName("dropped"), (_, { storage }) => {
    const opened = openSqlStorage(storage);
    const before = storage.sql.databaseSize;
    const count = 20_000;
    for (let from = 0; from < count; from += 1_000) {
      opened.commit({
        droppedPages: Array.from({ length: 1_000 }, (_, index) => ({
          register: 90_000,
          page: { number: from + index, client: (0x9e3779b1 * (from + index)) >>> 0 },
        })),
      });
    }
    expect((storage.sql.databaseSize - before) / count).toBeLessThan(20);
    const plan = [
      ...storage.sql.exec(
        "EXPLAIN QUERY PLAN SELECT 1 FROM dropped WHERE document = 1 AND number = 2 AND client = 3",
      ),
    ];
    expect(plan.map(({ detail }) => detail)).toEqual([
      "SEARCH dropped USING PRIMARY KEY (document=? AND number=? AND client=?)",
    ]);
  });
});
