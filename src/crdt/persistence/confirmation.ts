import { promisifyRequest } from "idb-keyval";
import type { IndexeddbPersistence } from "y-indexeddb";
import * as Y from "yjs";
import { equalBytes } from "../../base/index.ts";

/** Tells when y-indexeddb, which reports neither success nor failure, has really written. */
export interface Confirmation {
  /** Resolves once a read finds every update that the document made before the call; rejects if it can't be written. */
  confirm(): Promise<void>;
  stop(): void;
}

const updatesStore = "updates";

/**
 * Watches the document beside y-indexeddb. A read that is queued behind y-indexeddb's write in the same
 * store sees it or proves it lost (aborted transaction, quota); what is lost is written again, whole.
 */
export function createConfirmation(adapter: IndexeddbPersistence, document: Y.Doc): Confirmation {
  let unconfirmed: Uint8Array[] = [];
  let lastKey = 0;
  let running: Promise<void> | undefined;

  const note = (update: Uint8Array, origin: unknown): void => {
    if (origin !== adapter) unconfirmed.push(update);
  };
  document.on("update", note);

  async function check(): Promise<void> {
    const database = await adapter._db;
    const waiting = unconfirmed;
    unconfirmed = [];
    if (waiting.length === 0) return;
    try {
      const store = database.transaction(updatesStore, "readonly").objectStore(updatesStore);
      const range = IDBKeyRange.lowerBound(lastKey, true);
      const [keys, values] = await Promise.all([
        promisifyRequest(store.getAllKeys(range)),
        promisifyRequest<Uint8Array[]>(store.getAll(range)),
      ]);
      if (!holdsInOrder(values, waiting)) await writeWhole(database, document);
      lastKey = Number(keys.at(-1) ?? lastKey);
    } catch (failure) {
      unconfirmed = [...waiting, ...unconfirmed];
      throw failure;
    }
  }

  return {
    async confirm() {
      // One check at a time: a second call waits for the first, which may have begun before its updates.
      while (running) await running.catch(() => undefined);
      running = check();
      try {
        await running;
      } finally {
        running = undefined;
      }
    },
    stop: () => document.off("update", note),
  };
}

function holdsInOrder(stored: readonly Uint8Array[], wanted: readonly Uint8Array[]): boolean {
  let next = 0;
  for (const value of stored) {
    const update = wanted[next];
    if (update && equalBytes(value, update)) next++;
  }
  return next === wanted.length;
}

function writeWhole(database: IDBDatabase, document: Y.Doc): Promise<void> {
  const transaction = database.transaction(updatesStore, "readwrite");
  transaction.objectStore(updatesStore).add(Y.encodeStateAsUpdate(document));
  return promisifyRequest(transaction);
}
