import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import * as Y from "yjs";
import type { FlockError } from "../../src/base/index.ts";
import type { SqliteClass, SqliteConnection } from "../../src/node/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";
import { createDirectories, openStorage } from "./directories.ts";
import { describeDrivers } from "./drivers.ts";
import { createFaultySqlite } from "./faulty-sqlite.ts";

const newDirectory = createDirectories();
const mebibyte = 1_048_576;

/** A driver whose files hold so many pages and no more, as on a disk that is full. */
function withPages(Real: SqliteClass, limit: { pages: number }): SqliteClass {
  return class implements SqliteConnection {
    readonly #real: SqliteConnection;
    constructor(path: string) {
      this.#real = new Real(path);
    }
    exec(sql: string): void {
      this.#real.exec(`PRAGMA max_page_count = ${limit.pages}`);
      this.#real.exec(sql);
    }
    prepare(sql: string) {
      return this.#real.prepare(sql);
    }
    close(): void {
      this.#real.close();
    }
  };
}

/** Another process with a file in its hands: the lock is the same, whoever has it. */
function holdWriting(Sqlite: SqliteClass, path: string): () => void {
  const other = new Sqlite(path);
  other.exec("BEGIN IMMEDIATE");
  return () => void other.close();
}

describeDrivers("files of SQLite", (Sqlite, name) => {
  test("NODE-2: a full disk is told as quota, refuses a change whole, and takes the next that fits", async () => {
    const limit = { pages: 64 };
    const { persistence, openReferences } = openStorage(withPages(Sqlite, limit), newDirectory());
    const store = await persistence.open("room/a");
    await store.write({ put: [["small", 1]] });
    await expect(
      store.write({ put: [["small", 2] as const, ["big", new Uint8Array(mebibyte)] as const] }),
    ).rejects.toMatchObject({ code: "crdt/storage-failed", details: { reason: "quota" } });
    expect(await store.get("small")).toBe(1);
    await store.write({ put: [["small", 3]] });

    const document = new Y.Doc();
    const problems: FlockError[] = [];
    const shared = persistence.attach("room/document/shared", document, {
      onFailed: (e) => problems.push(e),
    });
    await shared.loaded;
    document.getText("t").insert(0, "x".repeat(mebibyte));
    await vi.waitFor(() => expect(problems).toMatchObject([{ details: { reason: "quota" } }]));
    await expect(shared.confirm()).rejects.toMatchObject({ details: { reason: "quota" } });

    const references = await openReferences("room/references");
    await expect(references.put(new Uint8Array(mebibyte))).rejects.toMatchObject({ code: "refstore/quota" });
    limit.pages = 100_000;
    await shared.confirm();
    await references.put(new Uint8Array(mebibyte));
    await Promise.all([store.close(), shared.close(), references.close()]);
  });

  test("NODE-2: one change that cannot be kept fails alone, whatever shares its turn", async () => {
    const { persistence } = openStorage(withPages(Sqlite, { pages: 64 }), newDirectory());
    const store = await persistence.open("room/a");
    const results = await Promise.allSettled([
      store.write({ put: [["first", 1]] }),
      store.write({ put: [["big", new Uint8Array(mebibyte)]] }),
      store.write({ put: [["last", 3]] }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect((await store.entries("")).map(([key]) => key)).toEqual(["first", "last"]);
    await store.close();
  });

  test("NODE-2: changes of one turn are one transaction", async () => {
    const commits = vi.fn();
    const Counting = class extends createFaultySqlite(Sqlite).Sqlite {
      override exec(sql: string): void {
        if (sql === "COMMIT") commits();
        super.exec(sql);
      }
    };
    const { persistence } = openStorage(Counting, newDirectory());
    const store = await persistence.open("room/a");
    const other = await persistence.open("room/b");
    commits.mockClear();
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        (index % 2 === 0 ? store : other).write({ put: [[`key${index}`, index]] }),
      ),
    );
    expect(commits).toHaveBeenCalledTimes(1);
    await Promise.all([store.close(), other.close()]);
  });

  test("NODE-3: a file that another process has locked is waited for, and in the end told as blocked", async () => {
    const directory = newDirectory();
    const clock = createManualClock();
    const { persistence } = openStorage(Sqlite, directory, { clock, limitMs: 100 });
    const store = await persistence.open("room/a");
    const release = holdWriting(Sqlite, join(directory, "room.sqlite"));
    const waiting = Promise.allSettled([
      store.write({ put: [["a", 1]] }),
      store.write({ put: [["b", 2]] }),
      store.get("a"),
    ]);
    await vi.waitFor(() => expect(clock.delays()).toHaveLength(1));
    clock.advance(50);
    release();
    clock.advance(10);
    expect((await waiting).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    expect(await store.get("b")).toBe(2);

    const releaseAgain = holdWriting(Sqlite, join(directory, "room.sqlite"));
    const refused = store.write({ put: [["c", 3]] });
    const told = expect(refused).rejects.toMatchObject({
      code: "crdt/storage-failed",
      details: { reason: "blocked" },
    });
    await vi.waitFor(() => expect(clock.delays()).toHaveLength(1));
    clock.advance(200);
    await told;
    releaseAgain();
    expect(await store.get("c")).toBeUndefined();
    await store.write({ put: [["c", 4]] });
    await store.close();
  });

  test("NODE-3: so is the guard of a directory, by whoever opens a database or takes a lock", async () => {
    const directory = newDirectory();
    const clock = createManualClock();
    const { persistence } = openStorage(Sqlite, directory, { clock, limitMs: 100 });
    const guard = new Sqlite(join(directory, "=guard"));
    guard.exec("BEGIN EXCLUSIVE");
    const opening = [persistence.open("room/a"), persistence.tryLock("room/a"), persistence.forget("x/")].map(
      (call) => expect(call).rejects.toMatchObject({ details: { reason: "blocked" } }),
    );
    expect(clock.delays()).toHaveLength(3);
    clock.advance(150);
    await Promise.all(opening);
    guard.close();
    await (await persistence.open("room/a")).close();
  });

  test("NODE-4: a damaged file is named, with what to do, and nothing is changed", async () => {
    const directory = newDirectory();
    writeFileSync(join(directory, "room.sqlite"), "no database at all, but long enough ".repeat(100));
    const { persistence } = openStorage(Sqlite, directory);
    const opening = persistence.open("room/a");
    await expect(opening).rejects.toMatchObject({
      code: "crdt/storage-failed",
      details: { reason: "unknown" },
    });
    await expect(opening).rejects.toThrow(/room\.sqlite is damaged.*backup/);
    const document = persistence.attach("room/document", new Y.Doc());
    await expect(document.loaded).rejects.toThrow(/damaged/);
    await expect(document.confirm()).rejects.toThrow(/damaged/);
    await document.close();
    expect(readdirSync(directory)).toContain("room.sqlite");
    await persistence.forget("room/");
    await (await persistence.open("room/a")).close();
  });

  test("NODE-4: a damaged row of a shared document is told, and the file stays usable", async () => {
    const directory = newDirectory();
    const { persistence } = openStorage(Sqlite, directory);
    await (await persistence.open("room/document")).close();
    const raw = new Sqlite(join(directory, "room.sqlite"));
    raw.prepare("INSERT INTO updates (database, bytes) VALUES (1, ?)").run(new Uint8Array([255, 255, 255]));
    raw.close();
    const document = persistence.attach("room/document", new Y.Doc());
    await expect(document.loaded).rejects.toMatchObject({ code: "crdt/storage-failed" });
    await document.close();
    await (await persistence.open("room/a")).close();
  });

  test("NODE-4: a value that is no JSON any more is told, and the others are read", async () => {
    const directory = newDirectory();
    const { persistence } = openStorage(Sqlite, directory);
    const store = await persistence.open("room/a");
    await store.write({ put: [["bad", 1] as const, ["good", 2] as const] });
    const raw = new Sqlite(join(directory, "room.sqlite"));
    raw.exec("UPDATE pairs SET value = '{' WHERE key = 'bad'");
    raw.close();
    await expect(store.get("bad")).rejects.toThrow(/damaged/);
    expect(await store.get("good")).toBe(2);
    await store.close();
  });

  test("NODE-4: a file system that takes no log is refused by name", async () => {
    const Logless = class extends createFaultySqlite(Sqlite).Sqlite {
      override exec(sql: string): void {
        super.exec(sql.replace("journal_mode = WAL", "journal_mode = DELETE"));
      }
    };
    const { persistence } = openStorage(Logless, newDirectory());
    await expect(persistence.open("room/a")).rejects.toThrow(/use a local disk/);
  });

  test("NODE-4: a file of a later version is crdt/storage-newer, one of another program is refused", async () => {
    const directory = newDirectory();
    const { persistence, openReferences } = openStorage(Sqlite, directory);
    await (await persistence.open("room/a")).close();
    await (await openReferences("room/references")).close();
    for (const file of ["room.sqlite", "room/references.references.sqlite"]) {
      const raw = new Sqlite(join(directory, file));
      raw.exec("PRAGMA user_version = 2");
      raw.close();
    }
    await expect(persistence.open("room/a")).rejects.toMatchObject({
      code: "crdt/storage-newer",
      details: { version: 2, known: 1 },
    });
    await expect(openReferences("room/references")).rejects.toMatchObject({ code: "refstore/unavailable" });
    const foreign = new Sqlite(join(directory, "other.sqlite"));
    foreign.exec("CREATE TABLE customers (name TEXT)");
    foreign.close();
    await expect(persistence.open("other/a")).rejects.toThrow(/another program/);
  });

  test("NODE-4: a file that is deleted under a process is told, never written into the void", async () => {
    const directory = newDirectory();
    const { persistence } = openStorage(Sqlite, directory);
    const gone: FlockError[] = [];
    const store = await persistence.open("room/a", { onFailed: (error) => gone.push(error) });
    await store.write({ put: [["key", 1]] });
    rmSync(join(directory, "room.sqlite"));
    await expect(store.write({ put: [["key", 2]] })).rejects.toMatchObject({ details: { reason: "closed" } });
    expect(gone).toMatchObject([{ details: { reason: "closed" } }]);
    await expect(store.get("key")).rejects.toMatchObject({ details: { reason: "closed" } });
    const again = await persistence.open("room/a");
    expect(await again.get("key")).toBeUndefined();
    await Promise.all([store.close(), again.close()]);
  });

  test("NODE-7: names that differ never share a file, whatever the file system makes of their letters", async () => {
    const directory = newDirectory();
    const { persistence } = openStorage(Sqlite, directory);
    const names = [
      "r%2F/a",
      "r/a",
      "R/a",
      "../r/a",
      "r./a",
      "r=/a",
      "a",
      "/a",
      "//a",
      "r//a",
      "é/a",
      "r/a.lock/a",
    ];
    for (const each of names) {
      const store = await persistence.open(each);
      await store.write({ put: [["name", each]] });
      await store.close();
      (await persistence.tryLock(each))?.();
    }
    for (const each of names) {
      const store = await persistence.open(each);
      expect(await store.get("name")).toBe(each);
      await store.close();
    }
    const paths = readdirSync(directory, { recursive: true, encoding: "utf8" });
    expect(paths.filter((path) => /[^a-z0-9_@=./\\-]/.test(path))).toEqual([]);
    expect(new Set(paths.map((path) => path.toLowerCase())).size).toBe(paths.length);
  });

  test("NODE-7: forgetting a prefix that ends within a name takes what begins with it", async () => {
    const { persistence } = openStorage(Sqlite, newDirectory());
    const names = ["room/ab", "room/ac", "room/b", "room/ab/deeper", "room/b/deeper", "ro"];
    for (const each of names) {
      const store = await persistence.open(each);
      await store.write({ put: [["key", 1]] });
      await store.close();
    }
    await persistence.forget("room/a");
    const left: string[] = [];
    for (const each of names) {
      const store = await persistence.open(each);
      if ((await store.get("key")) === 1) left.push(each);
      await store.close();
    }
    expect(left).toEqual(["room/b", "room/b/deeper", "ro"]);
    await persistence.forget("");
    const store = await persistence.open("room/b");
    expect(await store.get("key")).toBeUndefined();
    await store.close();
  });

  test("NODE-7: one database is forgotten by whoever holds its lock, while others of its file are open", async () => {
    const directory = newDirectory();
    const { persistence } = openStorage(Sqlite, directory);
    const another = openStorage(Sqlite, directory).persistence;
    const [kept, doomed] = [
      await persistence.open("room/writer/a.b.c"),
      await another.open("room/writer/x.y.z"),
    ];
    await doomed.write({ put: [["key", 1]] });
    const release = await persistence.tryLock("room/writer/x.y.z");
    await expect(another.forget("room/writer/x.y.z")).rejects.toMatchObject({
      details: { reason: "blocked" },
    });
    await persistence.forget("room/writer/x.y.z");
    expect(await another.tryLock("room/writer/x.y.z")).toBeUndefined();
    release?.();
    await kept.write({ put: [["key", 2]] });
    expect(await kept.get("key")).toBe(2);
    // Without its lock another process may still have it: it hears so, and writes no row that nobody would find.
    const told = doomed.write({ put: [["key", 3]] });
    await expect(told).rejects.toMatchObject({ details: { reason: "closed" } });
    const again = await persistence.open("room/writer/x.y.z");
    expect(await again.entries("")).toEqual([]);
    await Promise.all([kept, doomed, again].map((store) => store.close()));
  });

  test("NODE-7: forgetting a room takes its references, its locks and their folders", async () => {
    const directory = newDirectory();
    const { persistence, openReferences } = openStorage(Sqlite, directory);
    const references = await openReferences("room/x/references");
    const release = await persistence.tryLock("room/x/writer/a");
    await expect(persistence.forget("room/x/")).rejects.toMatchObject({ details: { reason: "blocked" } });
    release?.();
    await expect(persistence.forget("room/x/")).rejects.toMatchObject({ details: { reason: "blocked" } });
    await references.close();
    await persistence.forget("room/x/");
    expect(readdirSync(join(directory, "room"))).toEqual([]);
  });

  test("NODE-8: a lock leaves no file behind, and a lock's file of a process that died hinders nobody", async () => {
    const directory = newDirectory();
    const { persistence } = openStorage(Sqlite, directory);
    const path = join(directory, "room/writer/a.lock");
    const release = await persistence.tryLock("room/writer/a");
    expect(statSync(path).size).toBe(0);
    release?.();
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, "");
    const next = await persistence.tryLock("room/writer/a");
    expect(next).toBeDefined();
    next?.();
    expect(existsSync(path)).toBe(false);
  });

  test("NODE-9: thousands of small changes of a shared document are merged, though they are few bytes", async () => {
    const directory = newDirectory();
    const { persistence } = openStorage(Sqlite, directory);
    const document = new Y.Doc();
    const shared = persistence.attach("room/document", document);
    await shared.loaded;
    for (let turn = 0; turn < 20; turn++) {
      for (let change = 0; change < 100; change++) document.getText("t").insert(0, "x");
      await shared.confirm();
    }
    await shared.close();
    const raw = new Sqlite(join(directory, "room.sqlite"));
    const { rows } = raw.prepare("SELECT count(*) AS rows FROM updates").get() as { rows: number };
    raw.close();
    expect(rows).toBeLessThan(500);
    const again = new Y.Doc();
    const reader = persistence.attach("room/document", again);
    await reader.loaded;
    expect(again.getText("t").length).toBe(2_000);
    await reader.close();
  });

  test("NODE-9: what is deleted is given back to the disk, and large writes leave no large log", async () => {
    const directory = newDirectory();
    const { openReferences } = openStorage(Sqlite, directory);
    const store = await openReferences("references");
    const path = join(directory, "references.references.sqlite");
    const { id } = await store.put(new Uint8Array(32 * mebibyte).fill(7));
    await store.put(new Uint8Array([1]));
    await store.put(new Uint8Array([2]));
    expect(statSync(`${path}-wal`).size).toBeLessThan(40 * mebibyte);
    expect(await store.delete(id)).toBe(true);
    await store.close();
    expect(statSync(path).size).toBeLessThan(mebibyte);
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  test(`NODE-10: a copy of a reference that decayed is refstore/corrupt once, then gone (${name})`, async () => {
    const directory = newDirectory();
    const { openReferences } = openStorage(Sqlite, directory);
    const store = await openReferences("references");
    for (const damaged of [new Uint8Array([9]), new Uint8Array(), null]) {
      const { id } = await store.put(new Uint8Array([1, 2, 3]), { pending: true });
      const raw = new Sqlite(join(directory, "references.references.sqlite"));
      raw.prepare("UPDATE contents SET bytes = ? WHERE id = ?").run(damaged, id);
      raw.close();
      await expect(store.get(id)).rejects.toMatchObject({ code: "refstore/corrupt" });
      await expect(store.get(id)).rejects.toMatchObject({ code: "refstore/not-found" });
      expect(await store.uploads.load()).toEqual([]);
    }
    await store.close();
  });
});
