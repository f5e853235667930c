import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as Y from "yjs";
import { openIndexedDbPersistence } from "../../../src/crdt/index.ts";
import { createFakeLocks } from "./fake-locks.ts";

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const open = () => openIndexedDbPersistence({ indexedDB: globalThis.indexedDB, locks: createFakeLocks() });
const storageFailed = { code: "crdt/storage-failed" };

/** The database as another program would touch it. */
function raw(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function clearUpdates(name: string): Promise<void> {
  const database = await raw(name);
  const transaction = database.transaction("updates", "readwrite");
  transaction.objectStore("updates").clear();
  await new Promise((resolve) => {
    transaction.oncomplete = resolve;
  });
  database.close();
}

async function attach(name = "room/document/shared") {
  const persistence = await open();
  const document = new Y.Doc();
  const store = persistence.attach(name, document);
  await store.loaded;
  return { store, document, text: document.getText("t") };
}

describe("IndexedDB", () => {
  it("STORE-18: where the browser refuses storage, opening rejects with a code", async () => {
    vi.stubGlobal("indexedDB", {
      open() {
        throw new DOMException("denied", "SecurityError");
      },
    });
    await expect(open()).rejects.toMatchObject(storageFailed);
  });

  it("STORE-12: a change of which one value cannot be stored leaves nothing behind", async () => {
    const store = await (await open()).open("room/a");
    await store.write({ put: [["old", 1]] });
    const change = store.write({
      put: [["first", 1] as const, ["second", (() => 1) as never] as const],
      remove: ["old"],
    });
    await expect(change).rejects.toMatchObject(storageFailed);
    expect((await store.entries("")).map(([key]) => key)).toEqual(["old"]);
    await store.close();
  });

  it("STORE-12: a transaction that aborts is told with a code, and the next write works", async () => {
    const store = await (await open()).open("room/a");
    vi.spyOn(IDBObjectStore.prototype, "put").mockImplementationOnce(function (this: IDBObjectStore) {
      this.transaction.abort();
      return {} as IDBRequest<IDBValidKey>;
    });
    await expect(store.write({ put: [["a", 1]] })).rejects.toMatchObject(storageFailed);
    await store.write({ put: [["b", 2]] });
    expect(await store.entries("")).toEqual([["b", 2]]);
    await store.close();
  });

  it("STORE-19: an update that y-indexeddb's transaction lost is written again at the confirmation", async () => {
    const { store, document, text } = await attach();
    text.insert(0, "lost");
    await clearUpdates("room/document/shared");
    await store.confirm();
    document.destroy();
    await store.close();
    const again = await attach();
    expect(again.text.toString()).toBe("lost");
    await again.store.close();
  });

  it("STORE-19 control: without a confirmation it stays lost", async () => {
    const { store, text } = await attach();
    text.insert(0, "lost");
    await clearUpdates("room/document/shared");
    await store.close();
    const again = await attach();
    expect(again.text.toString()).toBe("");
    await again.store.close();
  });

  it("STORE-19: confirmations wait for each other, and each covers what was there when it was asked for", async () => {
    const { store, text } = await attach();
    for (let count = 0; count < 5; count++) {
      text.insert(0, `${count}`);
      void store.confirm();
    }
    await store.confirm();
    const reader = await attach();
    expect(reader.text.toString()).toBe("43210");
    await Promise.all([store.close(), reader.store.close()]);
  });

  it("STORE-20: a confirmation that cannot read is told with a code, and the next one tries again", async () => {
    const { store, text } = await attach();
    text.insert(0, "kept");
    await clearUpdates("room/document/shared");
    vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementationOnce(() => {
      throw new DOMException("closing", "InvalidStateError");
    });
    await expect(store.confirm()).rejects.toMatchObject(storageFailed);
    await store.confirm();
    await store.close();
    const again = await attach();
    expect(again.text.toString()).toBe("kept");
    await again.store.close();
  });

  it("STORE-14: without Web Locks there is no lock to be had", async () => {
    const persistence = await openIndexedDbPersistence({ indexedDB: globalThis.indexedDB, locks: undefined });
    expect(await persistence.tryLock("writer/a")).toBeUndefined();
  });

  it("STORE-17: forgetting while another tab has a database open is told with a code", async () => {
    const persistence = await open();
    const store = await persistence.open("room/a");
    await store.write({ put: [["a", 1]] });
    await expect(persistence.forget("room/")).rejects.toMatchObject(storageFailed);
    await store.close();
  });
});
