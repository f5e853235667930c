import "fake-indexeddb/auto";
import { createStore, get, keys, set, type UseStore } from "idb-keyval";
import { afterEach, describe, expect, test, vi } from "vitest";
import { sha256Hex, toUtf8 } from "../../src/base/index.ts";
import { openIndexedDbStore } from "../../src/refstore/index.ts";
import {
  localReferenceStoreContract,
  referenceStoreContract,
} from "../../src/testing/reference-store-contract.ts";

let databases = 0;
const freshName = () => `references-${databases++}`;

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe("the contract in IndexedDB", () => {
  const open = () => openIndexedDbStore(freshName());
  for (const { id, title, run } of [...referenceStoreContract(open), ...localReferenceStoreContract(open)]) {
    test(`${id}: ${title}`, run);
  }
});

/** The database as a disk that decays, or another program, would touch it. */
const rawDatabase = (name: string) => createStore(name, "references");

test("REF-13: bytes, names and the ledger outlive the store", async () => {
  const name = freshName();
  const before = await openIndexedDbStore(name);
  const reference = await before.put(toUtf8("still here"), { contentType: "text/plain", pending: true });
  await before.close();
  const after = await openIndexedDbStore(name);
  expect(await after.get(reference)).toEqual(toUtf8("still here"));
  expect(await after.uploads.load()).toEqual([reference]);
  expect(await after.stats()).toEqual({ count: 1, bytes: 10 });
  await after.close();
});

describe("REF-14: a copy that decayed is refstore/corrupt once, then gone", () => {
  for (const [what, damaged] of [
    ["changed", toUtf8("Bytes")],
    ["cut short", toUtf8("byte")],
    ["replaced", "a string"],
  ] as const) {
    test(what, async () => {
      const name = freshName();
      const store = await openIndexedDbStore(name);
      const { id } = await store.put(toUtf8("bytes"), { pending: true });
      await set(`bytes/${id}`, damaged, rawDatabase(name));
      await expect(store.get(id)).rejects.toMatchObject({ code: "refstore/corrupt" });
      await expect(store.get(id)).rejects.toMatchObject({ code: "refstore/not-found" });
      // But for the version of the database.
      expect(await keys(rawDatabase(name))).toEqual(["schema"]);
      await store.put(toUtf8("bytes"));
      expect(await store.get(id)).toEqual(toUtf8("bytes"));
      await store.close();
    });
  }
});

test("REF-14: a put of the same bytes heals a copy that decayed", async () => {
  const name = freshName();
  const store = await openIndexedDbStore(name);
  const { id } = await store.put(toUtf8("bytes"));
  await set(`bytes/${id}`, toUtf8("decay"), rawDatabase(name));
  await store.put(toUtf8("bytes"));
  expect(await store.get(id)).toEqual(toUtf8("bytes"));
  await store.close();
});

test("REF-10: list and stats read no bytes, and pass over records that are no references", async () => {
  const name = freshName();
  const store = await openIndexedDbStore(name);
  const reference = await store.put(toUtf8("bytes"));
  await set(`bytes/${reference.id}`, "unreadable", rawDatabase(name));
  await set(`meta/${"0".repeat(64)}`, { id: "no id" }, rawDatabase(name));
  expect(await store.stats()).toEqual({ count: 1, bytes: 5 });
  expect(await get(`meta/${reference.id}`, rawDatabase(name))).toEqual(reference);
  await store.close();
});

test("REF-13: two tabs share one database", async () => {
  const name = freshName();
  const [one, two] = [await openIndexedDbStore(name), await openIndexedDbStore(name)];
  const reference = await one.put(toUtf8("shared"), { pending: true });
  expect(await two.get(reference)).toEqual(toUtf8("shared"));
  expect(await two.uploads.load()).toEqual([reference]);
  await Promise.all([one.close(), two.close()]);
});

test("REF-15: where the browser has no IndexedDB, opening is refstore/unavailable", async () => {
  vi.stubGlobal("indexedDB", undefined);
  await expect(openIndexedDbStore(freshName())).rejects.toMatchObject({ code: "refstore/unavailable" });
});

test("REF-15: where the browser refuses IndexedDB, opening is refstore/unavailable", async () => {
  const refusing: UseStore = () => Promise.reject(new DOMException("private window", "SecurityError"));
  await expect(openIndexedDbStore(freshName(), { database: refusing })).rejects.toMatchObject({
    code: "refstore/unavailable",
  });
});

describe("REF-15: a full disk is refstore/quota, and stores nothing", () => {
  const full = () => new DOMException("full", "QuotaExceededError");
  const failures = {
    "noticed at the write": () => {
      throw full();
    },
    "noticed at the commit": ({ transaction }: IDBObjectStore, request: IDBRequest) => {
      request.addEventListener("success", () => {
        Object.defineProperty(transaction, "error", { value: full() });
        transaction.abort();
      });
    },
  };
  for (const [when, fail] of Object.entries(failures)) {
    test(when, async () => {
      const store = await openIndexedDbStore(freshName());
      const put = IDBObjectStore.prototype.put;
      vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (
        this: IDBObjectStore,
        value,
        key,
      ) {
        const request = put.call(this, value, key);
        if (String(key).startsWith("upload/")) fail(this, request);
        return request;
      });
      await expect(store.put(toUtf8("too much"), { pending: true })).rejects.toMatchObject({
        code: "refstore/quota",
      });
      vi.restoreAllMocks();
      expect(await store.has(await sha256Hex(toUtf8("too much")))).toBe(false);
      expect(await store.stats()).toEqual({ count: 0, bytes: 0 });
      expect(await store.uploads.load()).toEqual([]);
      await store.put(toUtf8("less"));
      await store.close();
    });
  }
});

test("REF-15: an open store blocks no deletion of its database, and is refstore/unavailable after it", async () => {
  const name = freshName();
  const store = await openIndexedDbStore(name);
  await new Promise<void>((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
  });
  await expect(store.stats()).rejects.toMatchObject({ code: "refstore/unavailable" });
  await store.close();
});

test("STORE-31: a database of version 1 gets its version, and what it had stays", async () => {
  const name = freshName();
  const before = await openIndexedDbStore(name);
  const reference = await before.put(toUtf8("still here"));
  await before.close();
  await set("schema", undefined, rawDatabase(name));
  const after = await openIndexedDbStore(name);
  expect(await after.get(reference)).toEqual(toUtf8("still here"));
  await after.close();
  expect(await get("schema", rawDatabase(name))).toEqual({ version: 2 });
});

test("STORE-31: a database of a later version is refused and left as it is", async () => {
  const name = freshName();
  await set("schema", { version: 3 }, rawDatabase(name));
  await expect(openIndexedDbStore(name)).rejects.toMatchObject({
    code: "crdt/storage-newer",
    details: { version: 3, latest: 2 },
  });
  expect(await keys(rawDatabase(name))).toEqual(["schema"]);
});
