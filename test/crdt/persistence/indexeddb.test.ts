import "fake-indexeddb/auto";
import { forceCloseDatabase, IDBFactory } from "fake-indexeddb";
import { createStore, get, set } from "idb-keyval";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { IndexeddbPersistence } from "y-indexeddb";
import * as Y from "yjs";
import type { FlockError } from "../../../src/base/index.ts";
import { openIndexedDbPersistence, type Persistence, storageFailureOf } from "../../../src/crdt/index.ts";
import { createManualClock, until } from "../../refstore/manual-clock.ts";
import { createFakeLocks } from "./fake-locks.ts";
import { indexedDbFaults, withUpdates } from "./indexeddb-faults.ts";

/** Rejections that nobody handles: y-indexeddb leaves some, and ours must not. */
const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
let browser = { indexedDB: globalThis.indexedDB, locks: createFakeLocks() };

beforeEach(() => {
  browser = { indexedDB: new IDBFactory(), locks: createFakeLocks() };
  globalThis.indexedDB = browser.indexedDB;
  process.on("unhandledRejection", note);
});
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note);
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  expect(unhandled.splice(0)).toEqual([]);
});

const open = () => openIndexedDbPersistence(browser);
const failedBy = (reason: string) => ({ code: "crdt/storage-failed", details: { reason } });
const { fillDisk, abortWrite, storedBytes } = indexedDbFaults({ factory: () => browser.indexedDB });
const name = "room/document/shared";

async function attach(persistence?: Persistence) {
  const failures: (string | undefined)[] = [];
  const written: number[] = [];
  const document = new Y.Doc();
  const store = (persistence ?? (await open())).attach(name, document, {
    onFailed: (error) => failures.push(storageFailureOf(error)),
    onWritten: () => written.push(written.length),
  });
  await store.loaded;
  return { store, document, text: document.getText("t"), failures, written };
}

/** The connections that are opened from now on. */
function watchConnections(): IDBDatabase[] {
  const found: IDBDatabase[] = [];
  const original = browser.indexedDB.open.bind(browser.indexedDB);
  browser.indexedDB.open = (...given) => {
    const request = original(...given);
    request.addEventListener("success", () => found.push(request.result));
    return request;
  };
  return found;
}

function deleted(database: string): Promise<unknown> {
  const request = browser.indexedDB.deleteDatabase(database);
  return new Promise((resolve, reject) => {
    request.onsuccess = resolve;
    request.onblocked = reject;
  });
}

describe("IndexedDB that is refused", () => {
  it("STORE-18: a browser that does not let open rejects with a code", async () => {
    browser.indexedDB = {
      open() {
        throw new DOMException("denied", "SecurityError");
      },
    } as unknown as IDBFactory;
    await expect(open()).rejects.toMatchObject(failedBy("unknown"));
  });

  it("STORE-18: so does one that opens and takes no write", async () => {
    const mend = fillDisk(await open());
    await expect(open()).rejects.toMatchObject(failedBy("quota"));
    mend();
  });

  it("STORE-28: an opening that hears nothing is given up as blocked, and closed should it come late", async () => {
    const clock = createManualClock();
    const connections = watchConnections();
    const persistence = await openIndexedDbPersistence({ ...browser, clock });
    const holder = await (await open()).open("room/a");
    const held = connections.at(-1) as IDBDatabase;
    // Deaf to the wish to delete it, as a page of an older version: what comes after waits for it.
    held.onversionchange = null;
    await expect(deleted("room/a")).rejects.toBeDefined();
    const opening = persistence.open("room/a");
    opening.catch(() => undefined);
    await until(() => clock.delays().length > 0);
    await clock.advance(10_000);
    await expect(opening).rejects.toMatchObject(failedBy("blocked"));
    await holder.close();
    await until(() => connections.at(-1) !== held);
    // Nobody has it open any more, or this would be refused.
    await deleted("room/a");
  });

  it("STORE-14: without Web Locks there is no lock to be had, and it says so", async () => {
    const persistence = await openIndexedDbPersistence({ ...browser, locks: undefined });
    expect([persistence.locks, await persistence.tryLock("writer/a")]).toEqual([false, undefined]);
  });
});

describe("a database that is taken away", () => {
  it("STORE-28: a holder is told at once that it was deleted, and every later call fails as closed", async () => {
    const failures: FlockError[] = [];
    const store = await (await open()).open("room/a", { onFailed: (error) => failures.push(error) });
    await store.write({ put: [["key", 1]] });
    await deleted("room/a");
    expect(failures).toMatchObject([failedBy("closed")]);
    await expect(store.write({ put: [["key", 2]] })).rejects.toMatchObject(failedBy("closed"));
    await expect(store.get("key")).rejects.toMatchObject(failedBy("closed"));
    await store.close();
    const again = await (await open()).open("room/a");
    expect(await again.entries("")).toEqual([]);
    await again.close();
  });

  it("STORE-28: one that the browser closed and that is still there is opened again, and nobody is troubled", async () => {
    const connections = watchConnections();
    const failures: FlockError[] = [];
    const store = await (await open()).open("room/a", { onFailed: (error) => failures.push(error) });
    await store.write({ put: [["key", 1]] });
    forceCloseDatabase(connections.at(-1) as never);
    await store.write({ put: [["other", 2]] });
    expect([await store.get("key"), await store.get("other"), failures]).toEqual([1, 2, []]);
    await store.close();
  });

  for (const [what, make] of Object.entries<() => Promise<void>>({
    "is gone": async () => undefined,
    "was made anew by another tab": async () => {
      const other = await (await open()).open("room/a");
      await other.write({ put: [["key", "other"]] });
      await other.close();
    },
  })) {
    it(`STORE-28: one that was closed and ${what} is lost: its half would mix with another's`, async () => {
      const connections = watchConnections();
      const failures: FlockError[] = [];
      const store = await (await open()).open("room/a", { onFailed: (error) => failures.push(error) });
      await store.write({ put: [["key", 1]] });
      const ours = connections.at(-1) as IDBDatabase;
      const { onclose } = ours;
      ours.onclose = null;
      forceCloseDatabase(ours as never);
      await deleted("room/a");
      await make();
      onclose?.call(ours, new Event("close"));
      await until(() => failures.length > 0);
      expect(failures).toMatchObject([failedBy("closed")]);
      await expect(store.write({ put: [["key", 2]] })).rejects.toMatchObject(failedBy("closed"));
      await store.close();
    });
  }

  it("STORE-28: a shared document tells of it, and goes on in memory", async () => {
    const { store, document, text, failures } = await attach();
    text.insert(0, "kept");
    await store.confirm();
    await deleted(name);
    text.insert(4, " in memory");
    await expect(store.confirm()).rejects.toMatchObject(failedBy("closed"));
    expect([failures[0], document.getText("t").toString()]).toEqual(["closed", "kept in memory"]);
    await store.close();
  });
});

describe("a shared document's database", () => {
  it("STORE-23: a failure that no call waits for is told with its reason, and the next success too", async () => {
    const { store, text, failures, written } = await attach();
    const mend = fillDisk(await open());
    text.insert(0, "a");
    await until(() => failures.length > 0);
    expect([failures, written]).toEqual([["quota"], []]);
    mend();
    text.insert(1, "b");
    await until(() => written.length > 0);
    await store.close();
    const again = await attach();
    expect(again.text.toString()).toBe("ab");
    await again.store.close();
  });

  it("STORE-23: what could not be written while the page lives grows no longer than the document", async () => {
    const { store, document } = await attach();
    const mend = fillDisk(await open());
    for (let count = 0; count < 50; count++) {
      document.getMap("m").set("key", `${count}${"x".repeat(1_000)}`);
      await store.confirm().catch(() => undefined);
    }
    mend();
    await store.confirm();
    const stored = await storedBytes(await open(), name);
    expect(stored).toBeLessThan(2 * Y.encodeStateAsUpdate(document).length);
    await store.close();
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

  it("STORE-20: a document whose database cannot be read is told with a code, and stays as it was", async () => {
    await withUpdates(browser.indexedDB, name, (store) => store.add("no update"));
    const document = new Y.Doc();
    const store = (await open()).attach(name, document);
    await expect(store.loaded).rejects.toMatchObject(failedBy("unknown"));
    document.getText("t").insert(0, "x");
    await expect(store.confirm()).rejects.toMatchObject(failedBy("unknown"));
    await store.close();
  });

  it("STORE-24: a compaction that fails loses nothing", async () => {
    const first = await attach();
    for (let count = 0; count < 3; count++) {
      first.document.getMap("m").set("big", `${count}${"x".repeat(40_000)}`);
      await first.store.confirm();
    }
    await first.store.close();
    const persistence = await open();
    abortWrite(persistence);
    const second = await attach(persistence);
    await until(() => second.failures.length > 0);
    expect(second.failures).toEqual(["aborted"]);
    expect(String(second.document.getMap("m").get("big"))[0]).toBe("2");
    await second.store.close();
    const third = await attach();
    expect(String(third.document.getMap("m").get("big"))[0]).toBe("2");
    await third.store.close();
    expect(await storedBytes(await open(), name)).toBeLessThan(50_000);
  });

  it("STORE-29: y-indexeddb reads what we wrote, and we what it wrote", async () => {
    const ours = await attach();
    ours.text.insert(0, "ours");
    await ours.store.confirm();
    await ours.store.close();
    const document = new Y.Doc();
    const theirs = new IndexeddbPersistence(name, document);
    await theirs.whenSynced;
    expect(document.getText("t").toString()).toBe("ours");
    document.getText("t").insert(4, " and theirs");
    await theirs.get("anything");
    await theirs.destroy();
    const again = await attach();
    expect(again.text.toString()).toBe("ours and theirs");
    await again.store.close();
  });

  it("STORE-29: a database that y-indexeddb made works as ours", async () => {
    const document = new Y.Doc();
    const theirs = new IndexeddbPersistence(name, document);
    await theirs.whenSynced;
    document.getText("t").insert(0, "theirs");
    await theirs.get("anything");
    await theirs.destroy();
    const ours = await attach();
    expect(ours.text.toString()).toBe("theirs");
    await ours.store.close();
  });
});

describe("databases of keys and values", () => {
  it("STORE-29: idb-keyval reads what we wrote, and we what it wrote", async () => {
    const theirs = createStore("room/a", "pairs");
    await set("theirs", 1, theirs);
    await theirs("readonly", (pairs) => pairs.transaction.db.close());
    const store = await (await open()).open("room/a");
    await store.write({ put: [["ours", 2]] });
    expect(await store.entries("")).toEqual([
      ["ours", 2],
      ["theirs", 1],
    ]);
    await store.close();
    expect(await get("ours", createStore("room/a", "pairs"))).toBe(2);
  });

  it("STORE-17: where databases can't be listed, those that are named are forgotten", async () => {
    const persistence = await open();
    for (const each of ["room/a", "room/b"]) {
      const store = await persistence.open(each);
      await store.write({ put: [["key", 1]] });
      await store.close();
    }
    Object.assign(browser.indexedDB, { databases: undefined });
    await persistence.forget("room/", ["room/a"]);
    const [a, b] = [await persistence.open("room/a"), await persistence.open("room/b")];
    expect([await a.get("key"), await b.get("key")]).toEqual([undefined, 1]);
    await Promise.all([a.close(), b.close()]);
  });

  it("STORE-17: a holder that is deaf to deletion is told of as blocked, not waited for", async () => {
    const connections = watchConnections();
    const holder = await (await openIndexedDbPersistence({ ...browser, locks: undefined })).open("room/a");
    (connections.at(-1) as IDBDatabase).onversionchange = null;
    await expect((await open()).forget("room/")).rejects.toMatchObject(failedBy("blocked"));
    await holder.close();
  });
});
