import { promisifyRequest } from "idb-keyval";
import { type Clock, FlockError, type RandomBytes, randomId } from "../../base/index.ts";
import { type StorageFailure, storageFailed } from "./failure.ts";

/** A connection to one IndexedDB database, each of whose failures has a name. */
export interface Connection {
  /**
   * Runs one transaction over a store; resolves once it is committed. Transactions follow each other in the order of
   * the calls. Work that throws leaves nothing behind.
   *
   * @throws `crdt/storage-failed`
   */
  transact<T>(
    mode: IDBTransactionMode,
    store: string,
    work: (store: IDBObjectStore) => T | Promise<T>,
  ): Promise<T>;
  /** The database, for code that makes its own transactions. @throws `crdt/storage-failed` */
  database(): Promise<IDBDatabase>;
  close(): Promise<void>;
}

/** The stores of a database, and where its mark lies: the random value by which it is known again. */
export interface DatabaseLayout {
  readonly stores: readonly (readonly [name: string, options?: IDBObjectStoreParameters])[];
  readonly mark: { readonly store: string; readonly key: IDBValidKey };
}

export interface ConnectionOptions {
  indexedDB: IDBFactory;
  clock: Clock;
  random: RandomBytes;
  layout: DatabaseLayout;
  /** The database was closed or deleted under us, and can't be opened again. */
  onLost(error: FlockError): void;
}

/** A request that waits for somebody else's is given up after this; a slow disk takes a second or two. */
const giveUpAfterMs = 10_000;

/**
 * Opens a database, made where there is none. A connection that the browser drops is opened again, if the database is
 * still the one it was.
 *
 * @throws `crdt/storage-failed`
 */
export async function openConnection(name: string, options: ConnectionOptions): Promise<Connection> {
  const { layout, onLost } = options;
  let mark: unknown;
  let isClosed = false;
  let current = connect(false);
  await current;

  async function connect(isAgain: boolean): Promise<IDBDatabase> {
    const database = await openDatabase(name, options, isAgain);
    const found = await readMark(database, layout).catch((cause: unknown) => {
      database.close();
      throw nameFailure(`read ${name}`, cause);
    });
    if (isAgain && (found === undefined || found !== mark)) {
      database.close();
      throw new DOMException(`Another database has the name ${name}.`, "InvalidStateError");
    }
    mark = found;
    database.onversionchange = () => {
      // Whoever deletes the database would wait for this tab.
      database.close();
      lose(storageFailed(`keep ${name}, which was deleted`, "closed"));
    };
    database.onclose = () => {
      current = connect(true).catch((cause: unknown) => {
        throw storageFailed(`find ${name} again`, "closed", cause);
      });
      current.catch(lose);
    };
    if (isClosed) database.close();
    return database;
  }

  function lose(error: FlockError): void {
    if (isClosed) return;
    current = Promise.reject(error);
    current.catch(() => undefined);
    onLost(error);
  }

  function database(): Promise<IDBDatabase> {
    return isClosed ? Promise.reject(storageFailed(`use ${name} after closing it`, "closed")) : current;
  }

  return {
    database,
    async transact(mode, store, work) {
      try {
        const transaction = (await database()).transaction(store, mode);
        return await run(transaction, transaction.objectStore(store), work);
      } catch (cause) {
        throw nameFailure(`${mode === "readonly" ? "read" : "write"} ${name}`, cause);
      }
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await current.then(
        (open) => open.close(),
        () => undefined,
      );
    },
  };
}

async function run<T>(
  transaction: IDBTransaction,
  store: IDBObjectStore,
  work: (store: IDBObjectStore) => T | Promise<T>,
): Promise<T> {
  // `complete` or `abort`, not `error`: only at the abort does the transaction name its cause.
  const ended = new Promise<boolean>((resolve) => {
    transaction.oncomplete = () => resolve(true);
    transaction.onabort = () => resolve(false);
  });
  const [result, isCommitted] = await Promise.allSettled([attempt(transaction, store, work), ended]);
  const isWhole = isCommitted.status === "fulfilled" && isCommitted.value;
  if (isWhole && result.status === "fulfilled") return result.value;
  throw transaction.error ?? (result.status === "rejected" ? result.reason : aborted());
}

/** Begins the work at once, while the transaction takes requests; where it fails, what it had written goes with it. */
async function attempt<T>(
  transaction: IDBTransaction,
  store: IDBObjectStore,
  work: (store: IDBObjectStore) => T | Promise<T>,
): Promise<T> {
  try {
    return await work(store);
  } catch (failure) {
    try {
      transaction.abort();
    } catch {
      // It has ended already, by the failure of a request.
    }
    throw failure;
  }
}

function aborted(): DOMException {
  return new DOMException("The transaction was aborted.", "AbortError");
}

const reasons: Readonly<Record<string, StorageFailure>> = {
  QuotaExceededError: "quota",
  AbortError: "aborted",
  // A request after the abort.
  TransactionInactiveError: "aborted",
  InvalidStateError: "closed",
};

/** Gives a failure of IndexedDB its code and reason. */
export function nameFailure(what: string, cause: unknown): FlockError {
  if (cause instanceof FlockError) return cause;
  const name = typeof cause === "object" && cause !== null && "name" in cause ? String(cause.name) : "";
  return storageFailed(what, reasons[name] ?? "unknown", cause);
}

async function openDatabase(
  name: string,
  { indexedDB, clock, random, layout }: ConnectionOptions,
  isAgain: boolean,
): Promise<IDBDatabase> {
  let failure: unknown;
  return inTime(clock, `open ${name}`, () => {
    const request = indexedDB.open(name);
    request.onupgradeneeded = () => {
      try {
        if (isAgain) throw new DOMException(`The database ${name} was deleted.`, "InvalidStateError");
        create(request.result, layout, random);
      } catch (cause) {
        failure = cause;
        request.transaction?.abort();
      }
    };
    return request;
  }).catch((cause: unknown) => {
    throw failure === undefined ? cause : nameFailure(`make ${name}`, failure);
  });
}

function create(database: IDBDatabase, { stores, mark }: DatabaseLayout, random: RandomBytes): void {
  for (const [store, options] of stores) {
    const made = database.createObjectStore(store, options);
    if (store === mark.store) made.put(randomId(random), mark.key);
  }
}

async function readMark(database: IDBDatabase, { mark }: DatabaseLayout): Promise<unknown> {
  const store = database.transaction(mark.store, "readonly").objectStore(mark.store);
  return promisifyRequest<unknown>(store.get(mark.key));
}

/** Deletes a database. @throws `crdt/storage-failed` of the reason `blocked` while somebody does not let go of it. */
export function deleteDatabase(name: string, indexedDB: IDBFactory, clock: Clock): Promise<void> {
  return inTime(clock, `delete ${name}`, () => indexedDB.deleteDatabase(name)).then(() => undefined);
}

/** A request behind somebody else's unfinished one hears nothing at all, so it is given up after a while. */
function inTime<T extends IDBOpenDBRequest>(clock: Clock, what: string, ask: () => T): Promise<T["result"]> {
  return new Promise<T["result"]>((resolve, reject) => {
    const request = ask();
    let isGivenUp = false;
    const giveUp = (): void => {
      isGivenUp = true;
      cancel();
      reject(storageFailed(what, "blocked"));
    };
    const cancel = clock.after(giveUpAfterMs, giveUp);
    request.onblocked = giveUp;
    request.onsuccess = () => {
      cancel();
      if (isGivenUp) (request.result as IDBDatabase | undefined)?.close();
      else resolve(request.result);
    };
    request.onerror = () => {
      cancel();
      reject(request.error);
    };
  }).catch((cause: unknown) => {
    throw nameFailure(what, cause);
  });
}
