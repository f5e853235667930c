import { createStore, promisifyRequest, type UseStore } from "idb-keyval";
import { equalBytes, FlockError, isFlockError } from "../base/index.ts";
import { type Reference, referenceSchema } from "../protocol/index.ts";
import type { LocalReferenceStore } from "./port.ts";
import { assertSize, closed, corrupt, nameBytes, notFound, referenceId, verify } from "./reference.ts";

const place = "the local database";
/** How many descriptions one transaction of `list` reads. */
const listPage = 256;

/** Three records a reference, so that listing reads no bytes. */
const keys = {
  meta: (id: string) => `meta/${id}`,
  bytes: (id: string) => `bytes/${id}`,
  upload: (id: string) => `upload/${id}`,
};

/** What the records mean; a database without one is of version 1. */
const version = 2;
const versionKey = "schema";

/** Every key of one kind that comes after `after`. */
function keyRange(kind: keyof typeof keys, after = ""): IDBKeyRange {
  return IDBKeyRange.bound(`${kind}/${after}`, `${kind}0`, after !== "", true);
}

export interface IndexedDbStoreOptions {
  /** Where the transactions come from; default idb-keyval's own database of the given name. */
  database?: UseStore;
}

/**
 * Opens a store in an IndexedDB database of its own, whose name must be used for nothing else. Several tabs may have
 * it open at once.
 *
 * @throws `refstore/unavailable` where the browser refuses IndexedDB, as some private windows do; `refstore/quota`
 * from `put` where the disk is full; `crdt/storage-newer` where a later version of this library wrote it.
 * @example
 * ```ts
 * const store = await openIndexedDbStore("my-room/references");
 * const { id } = await store.put(bytes);
 * ```
 */
export async function openIndexedDbStore(
  name: string,
  { database = createStore(name, "references") }: IndexedDbStoreOptions = {},
): Promise<LocalReferenceStore> {
  let isClosed = false;

  async function transact<T>(
    mode: IDBTransactionMode,
    work: (store: IDBObjectStore) => T | Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    if (isClosed) throw closed("The local database of references");
    signal?.throwIfAborted();
    try {
      return await database(mode, async (store) => {
        const ending = committed(store.transaction);
        const [result, end] = await Promise.allSettled([attempt(store, work), ending]);
        // The abort names the cause; a request that fails with it does not.
        if (end.status === "rejected" && end.reason) throw end.reason;
        if (result.status === "rejected") throw result.reason;
        if (end.status === "rejected") throw new DOMException("The transaction was aborted.", "AbortError");
        return result.value;
      });
    } catch (failure) {
      throw storageFailure(name, failure);
    }
  }

  function read<T>(request: (store: IDBObjectStore) => IDBRequest<T>, signal?: AbortSignal): Promise<T> {
    return transact("readonly", (store) => promisifyRequest(request(store)), signal);
  }

  /** Removes bytes that failed their hash, unless good ones have taken their place meanwhile. */
  function quarantine(id: string, bad: unknown): Promise<void> {
    return transact("readwrite", (store) => {
      const request = store.get(keys.bytes(id));
      request.onsuccess = () => {
        if (isSame(request.result, bad)) removeAll(store, id);
      };
    });
  }

  const stored = await transact("readonly", (store) => {
    // Without this a database deleted elsewhere would wait for this tab for ever.
    store.transaction.db.onversionchange = () => store.transaction.db.close();
    return promisifyRequest<unknown>(store.get(versionKey));
  });
  assertKnown(name, stored);
  if (stored === undefined) {
    // Nothing has changed since version 1 but that there are versions, so on a full disk it can wait.
    await transact("readwrite", (store) => void store.put({ version }, versionKey)).catch(() => undefined);
  }

  async function* list(): AsyncIterable<Reference> {
    let after = "";
    for (;;) {
      const range = keyRange("meta", after);
      const [found, records] = await transact("readonly", (store) =>
        Promise.all([
          promisifyRequest<IDBValidKey[]>(store.getAllKeys(range, listPage)),
          promisifyRequest<unknown[]>(store.getAll(range, listPage)),
        ]),
      );
      yield* parseReferences(records);
      if (found.length < listPage) return;
      after = String(found.at(-1)).slice(keys.meta("").length);
    }
  }

  return {
    async put(bytes, { contentType, signal, pending = false } = {}) {
      if (isClosed) throw closed("The local database of references");
      signal?.throwIfAborted();
      assertSize(bytes.length);
      const copy = bytes.slice();
      const reference = await nameBytes(copy, contentType);
      await transact(
        "readwrite",
        (store) => {
          // Written even where there are some: what lies there may have decayed.
          store.put(copy, keys.bytes(reference.id));
          if (pending) store.put(reference, keys.upload(reference.id));
          const present = store.getKey(keys.meta(reference.id));
          present.onsuccess = () => {
            if (present.result === undefined) store.put(reference, keys.meta(reference.id));
          };
        },
        signal,
      );
      return reference;
    },
    async get(reference, { signal } = {}) {
      const id = referenceId(reference);
      const found = await read<unknown>((store) => store.get(keys.bytes(id)), signal);
      if (found === undefined) throw notFound(id, place);
      try {
        if (!(found instanceof Uint8Array)) throw corrupt(id, place);
        await verify(id, found, place);
        return found;
      } catch (failure) {
        if (isFlockError(failure, "refstore/corrupt")) await quarantine(id, found);
        throw failure;
      }
    },
    async has(id, { signal } = {}) {
      const key = keys.bytes(referenceId(id));
      return (await read((store) => store.getKey(key), signal)) !== undefined;
    },
    async delete(id, { signal } = {}) {
      const key = keys.bytes(referenceId(id));
      let existed = false;
      await transact(
        "readwrite",
        (store) => {
          const present = store.getKey(key);
          present.onsuccess = () => {
            existed = present.result !== undefined;
          };
          removeAll(store, id);
        },
        signal,
      );
      return existed;
    },
    list,
    async stats() {
      let count = 0;
      let bytes = 0;
      for await (const reference of list()) {
        count += 1;
        bytes += reference.size;
      }
      return { count, bytes };
    },
    uploads: {
      async load() {
        return parseReferences(await read<unknown[]>((store) => store.getAll(keyRange("upload"))));
      },
      async remove(id) {
        await transact("readwrite", (store) => void store.delete(keys.upload(id)));
      },
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      // idb-keyval keeps the connection to itself: a transaction is the one way to it.
      await database("readonly", (store) => store.transaction.db.close()).catch(() => {
        // A connection that gives no transaction is closed already.
      });
    },
  };
}

/** @throws `crdt/storage-newer` */
function assertKnown(name: string, record: unknown): void {
  const isRecord = typeof record === "object" && record !== null && "version" in record;
  if (!isRecord || Number(record.version) <= version) return;
  throw new FlockError(
    "crdt/storage-newer",
    `The database ${name} is of version ${record.version}, and this library knows ${version}: load a later one.`,
    { details: { database: name, version: record.version, latest: version } },
  );
}

/** The records that are references; another program may have written here. */
function parseReferences(records: readonly unknown[]): Reference[] {
  return records.flatMap((record) => {
    const parsed = referenceSchema.safeParse(record);
    return parsed.success ? [parsed.data] : [];
  });
}

function removeAll(store: IDBObjectStore, id: string): void {
  store.delete(keys.bytes(id));
  store.delete(keys.meta(id));
  store.delete(keys.upload(id));
}

function isSame(stored: unknown, seen: unknown): boolean {
  return stored instanceof Uint8Array && seen instanceof Uint8Array
    ? equalBytes(stored, seen)
    : !(stored instanceof Uint8Array) && !(seen instanceof Uint8Array);
}

/** Runs the work; where it throws at once, what it had written goes with it, as with a request that fails. */
async function attempt<T>(
  store: IDBObjectStore,
  work: (store: IDBObjectStore) => T | Promise<T>,
): Promise<T> {
  try {
    return work(store);
  } catch (failure) {
    store.transaction.abort();
    throw failure;
  }
}

/** Waits for `complete` or `abort`, not for `error`: only at the abort does the transaction name its cause. */
function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

function storageFailure(name: string, failure: unknown): FlockError {
  const reason = failure instanceof Error ? failure.message : String(failure);
  if (failure instanceof Error && failure.name === "QuotaExceededError") {
    return new FlockError("refstore/quota", `The database ${name} is full: delete references or free disk.`, {
      cause: failure,
    });
  }
  return new FlockError("refstore/unavailable", `The database ${name} cannot be used: ${reason}.`, {
    cause: failure,
  });
}
