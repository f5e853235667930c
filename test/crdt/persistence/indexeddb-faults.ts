import type { PersistenceFaults } from "../../../src/testing/index.ts";

type Put = IDBObjectStore["put"];

/** Ends the transaction of whoever puts or adds next, as the browser would; with an error, that is its cause. */
function breakWrites(error: DOMException | null): () => void {
  const { put, add } = IDBObjectStore.prototype;
  const broken: Put = function (this: IDBObjectStore, ...given) {
    const request = put.apply(this, given);
    Object.defineProperty(this.transaction, "error", { value: error });
    this.transaction.abort();
    return request;
  };
  IDBObjectStore.prototype.put = broken;
  IDBObjectStore.prototype.add = broken;
  return () => Object.assign(IDBObjectStore.prototype, { put, add });
}

function breakNextWrite(): void {
  const mend = breakWrites(null);
  const { put } = IDBObjectStore.prototype;
  const once: Put = function (this: IDBObjectStore, ...given) {
    mend();
    return put.apply(this, given);
  };
  IDBObjectStore.prototype.put = once;
  IDBObjectStore.prototype.add = once;
}

function open(factory: IDBFactory, name: string): Promise<IDBDatabase> {
  const request = factory.open(name);
  // As y-indexeddb makes one.
  request.onupgradeneeded = () => {
    request.result.createObjectStore("updates", { autoIncrement: true });
    request.result.createObjectStore("custom");
  };
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Runs one transaction over a shared document's updates, as another program would. */
export async function withUpdates<T>(
  factory: IDBFactory,
  name: string,
  work: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await open(factory, name);
  const transaction = database.transaction("updates", "readwrite");
  const request = work(transaction.objectStore("updates"));
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  database.close();
  return request.result;
}

/** What can be simulated of the IndexedDB that stands in `globalThis`; `prefix` is before every database's name. */
export function indexedDbFaults({
  factory = () => globalThis.indexedDB,
  prefix = "",
}: {
  factory?: () => IDBFactory;
  prefix?: string | (() => string);
} = {}): Required<Pick<PersistenceFaults, "fillDisk" | "abortWrite" | "appendUpdate" | "storedBytes">> {
  const nameOf = (name: string): string => (typeof prefix === "string" ? prefix : prefix()) + name;
  return {
    fillDisk: () => breakWrites(new DOMException("The disk is full.", "QuotaExceededError")),
    abortWrite: breakNextWrite,
    async appendUpdate(_, name, update) {
      await withUpdates(factory(), nameOf(name), (store) => store.add(update));
    },
    async storedBytes(_, name) {
      const updates = await withUpdates<Uint8Array[]>(factory(), nameOf(name), (store) => store.getAll());
      return updates.reduce((sum, { length }) => sum + length, 0);
    },
  };
}
