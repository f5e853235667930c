import { promisifyRequest } from "idb-keyval";
import { fetchUpdates, type IndexeddbPersistence } from "y-indexeddb";
import * as Y from "yjs";
import { FlockError } from "../../base/index.ts";
import { type Connection, type DatabaseLayout, nameFailure } from "./connection.ts";
import type { DatabaseOptions, SharedStore } from "./port.ts";

const updatesStore = "updates";
const customStore = "custom";

/** As y-indexeddb lays out a document's database, so that either reads what the other wrote. */
export const documentLayout: DatabaseLayout = {
  stores: [[updatesStore, { autoIncrement: true }], [customStore]],
  mark: { store: customStore, key: "flockstate" },
};

/** What a database may hold beyond twice its document's state before it is written anew. */
const slackBytes = 65_536;

/**
 * Keeps a document in its database: one transaction at a time, and what changes meanwhile goes together into the next.
 * `connecting` is then its own.
 */
export function keepDocument(
  connecting: Promise<Connection>,
  document: Y.Doc,
  { onFailed, onWritten }: DatabaseOptions,
): SharedStore {
  /** What y-indexeddb's reader needs of its adapter; also the origin of what it reads. */
  const reader = { db: null as IDBDatabase | null, doc: document, _dbref: 0, _dbsize: 0, _destroyed: false };
  let unsaved: Uint8Array[] = [];
  let running: Promise<void> | undefined;
  /** Bytes written since the database was last weighed, and how many make it worth weighing. */
  let written = 0;
  let weighAt = slackBytes / 2;
  let weighing: Promise<void> = Promise.resolve();

  const note = (update: Uint8Array, origin: unknown): void => {
    if (origin === reader) return;
    unsaved.push(update);
    save().catch(tell);
  };
  document.on("update", note);

  const loaded = load();
  loaded.then(
    () => {
      // One row is a state already.
      if (reader._dbsize > 1) weigh();
    },
    () => {
      // Whoever waits for `loaded` is told.
    },
  );

  async function load(): Promise<void> {
    const connection = await connecting;
    try {
      reader.db = await connection.database();
      await fetchUpdates(reader as unknown as IndexeddbPersistence);
    } catch (cause) {
      throw nameFailure("load a shared document", cause);
    }
  }

  function tell(failure: unknown): void {
    if (failure instanceof FlockError) onFailed?.(failure);
  }

  function weigh(): void {
    written = 0;
    weighing = weighing.then(compact).catch(tell);
  }

  function save(): Promise<void> {
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  }

  async function run(): Promise<void> {
    await loaded;
    while (unsaved.length > 0) {
      await write();
      onWritten?.();
      if (written > weighAt) {
        weigh();
        await weighing;
      }
    }
  }

  async function write(): Promise<void> {
    const connection = await connecting;
    const taken = unsaved;
    unsaved = [];
    try {
      await connection.transact("readwrite", updatesStore, (store) => {
        for (const update of taken) store.add(update);
      });
      for (const update of taken) written += update.length;
    } catch (failure) {
      unsaved = [joined(taken), ...unsaved];
      throw failure;
    }
  }

  /** What is tried again as one: never more than the whole document. */
  function joined(updates: Uint8Array[]): Uint8Array {
    const merged = Y.mergeUpdates(updates);
    const state = Y.encodeStateAsUpdate(document);
    return merged.length < state.length ? merged : state;
  }

  /**
   * Puts one state in the place of all updates, in the transaction that reads them: what another tab adds later stays.
   * The state is made of what was read, so that parts that wait for others are in it.
   */
  async function compact(): Promise<void> {
    const connection = await connecting;
    await connection.transact("readwrite", updatesStore, async (store) => {
      const [keys, updates] = await Promise.all([
        promisifyRequest(store.getAllKeys()),
        promisifyRequest<Uint8Array[]>(store.getAll()),
      ]);
      const storedBytes = updates.reduce((sum, { length }) => sum + length, 0);
      // About what was read makes, at a fraction of what making it costs.
      const stateBytes = Y.encodeStateAsUpdate(document).length;
      weighAt = Math.max(slackBytes / 2, stateBytes);
      // So that what is written until the next weighing stays within the bound, too.
      if (keys.length < 2 || storedBytes + weighAt <= 2 * stateBytes + slackBytes) return;
      const state = stateOf(updates);
      store.delete(IDBKeyRange.upperBound(keys.at(-1)));
      store.add(state);
    });
  }

  return {
    loaded,
    async confirm() {
      await loaded;
      // One that runs already may have failed with what it took before.
      while (running) await running.catch(() => undefined);
      if (unsaved.length > 0) await save();
    },
    async close() {
      document.off("update", note);
      reader._destroyed = true;
      const connection = await connecting.catch(() => undefined);
      while (running) await running.catch(() => undefined);
      if (unsaved.length > 0) await save().catch(tell);
      await weighing;
      await connection?.close();
    },
  };
}

function stateOf(updates: readonly Uint8Array[]): Uint8Array {
  const document = new Y.Doc();
  try {
    document.transact(() => {
      for (const update of updates) Y.applyUpdate(document, update);
    });
    return Y.encodeStateAsUpdate(document);
  } finally {
    document.destroy();
  }
}
