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
    const tables = ["settings", "documents", "rows", "clocks", "places", "audit", "revocations"];
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
    storage.sql.exec("UPDATE settings SET value = '1' WHERE name = 'schema'");
    expect(openSqlStorage(storage).setting("epoch")).toBe("kept");
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
  });
});
