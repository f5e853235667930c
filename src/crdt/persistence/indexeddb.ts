import { createStore, promisifyRequest, type UseStore } from "idb-keyval";
import { IndexeddbPersistence } from "y-indexeddb";
import type * as Y from "yjs";
import { FlockError, type Undo } from "../../base/index.ts";
import { createConfirmation } from "./confirmation.ts";
import type { KeyValueStore, Persistence, SharedStore, StoredValue } from "./port.ts";

/** The parts of the browser that the persistence uses. */
export interface IndexedDbPlatform {
  indexedDB: IDBFactory;
  /** Absent where the browser has no Web Locks: then each replica writes as a new writer. */
  locks: LockManager | undefined;
}

const storeName = "pairs";

/**
 * Creates the persistence of browsers: idb-keyval for databases, y-indexeddb for shared documents, Web Locks for locks.
 *
 * @throws `crdt/storage-failed` where the browser refuses to open a database, as some private windows do.
 */
export async function openIndexedDbPersistence(platform: IndexedDbPlatform): Promise<Persistence> {
  const probe = openPairs("flockstate/probe");
  await probe.write({ put: [["probe", 1]], remove: [] });
  await probe.close();

  return {
    durable: true,
    open: async (name) => openPairs(name),
    attach,
    tryLock: (name) => tryLock(platform.locks, name),
    async forget(prefix) {
      const databases = await platform.indexedDB.databases();
      await Promise.all(
        databases.map(({ name }) =>
          name?.startsWith(prefix) ? deleteDatabase(platform.indexedDB, name) : undefined,
        ),
      );
    },
  };
}

function failed(what: string, cause: unknown): FlockError {
  return new FlockError(
    "crdt/storage-failed",
    `IndexedDB failed to ${what}: free some space, or allow the site to store data.`,
    { cause },
  );
}

function openPairs(name: string): KeyValueStore {
  const use: UseStore = createStore(name, storeName);
  let closed = false;

  async function run<T>(
    what: string,
    mode: IDBTransactionMode,
    task: (store: IDBObjectStore) => Promise<T>,
  ): Promise<T> {
    if (closed) throw new FlockError("crdt/storage-failed", `The database ${name} is closed.`);
    try {
      return await use(mode, task);
    } catch (cause) {
      throw failed(what, cause);
    }
  }

  return {
    get: (key) =>
      run("read", "readonly", (store) => promisifyRequest<StoredValue | undefined>(store.get(key))),
    entries: (prefix) =>
      run("read", "readonly", async (store) => {
        const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
        const [keys, values] = await Promise.all([
          promisifyRequest(store.getAllKeys(range)),
          promisifyRequest<StoredValue[]>(store.getAll(range)),
        ]);
        return keys.map((key, index): [string, StoredValue] => [key as string, values[index] as StoredValue]);
      }),
    write: ({ put = [], remove = [] }) =>
      run("write", "readwrite", (store) => {
        try {
          for (const key of remove) store.delete(key);
          for (const [key, value] of put) store.put(value, key);
        } catch (failure) {
          // A value that can't be stored throws, and the transaction would commit what came before it.
          store.transaction.abort();
          throw failure;
        }
        return promisifyRequest(store.transaction);
      }),
    async close() {
      if (closed) return;
      closed = true;
      try {
        await use("readonly", (store) => store.transaction.db.close());
      } catch {
        // A database that can't be opened any more has nothing to close.
      }
    },
  };
}

function attach(name: string, document: Y.Doc): SharedStore {
  const adapter = new IndexeddbPersistence(name, document);
  const confirmation = createConfirmation(adapter, document);
  const loaded = Promise.race([
    adapter.whenSynced.then(() => undefined),
    // A database that does not open leaves `whenSynced` pending for ever.
    adapter._db.then(
      () => new Promise<never>(() => {}),
      (cause: unknown) => {
        throw failed("open a shared document", cause);
      },
    ),
  ]);
  return {
    loaded,
    confirm: async () => {
      await loaded;
      try {
        await confirmation.confirm();
      } catch (cause) {
        throw failed("keep a shared document", cause);
      }
    },
    async close() {
      confirmation.stop();
      try {
        await adapter.destroy();
      } catch {
        // It never opened: `loaded` has told why.
      }
    },
  };
}

async function tryLock(locks: LockManager | undefined, name: string): Promise<Undo | undefined> {
  if (!locks) return undefined;
  return new Promise((resolve, reject) => {
    locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (!lock) {
          resolve(undefined);
          return undefined;
        }
        return new Promise<void>((release) => resolve(() => release()));
      })
      .catch(reject);
  });
}

function deleteDatabase(factory: IDBFactory, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = factory.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(failed(`delete ${name}`, request.error));
    request.onblocked = () =>
      reject(
        failed(`delete ${name}`, new Error("another tab still has the room open: close it and try again")),
      );
  });
}
