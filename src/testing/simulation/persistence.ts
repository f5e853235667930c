import * as Y from "yjs";
import { FlockError } from "../../base/index.ts";
import {
  type DatabaseOptions,
  type KeyValueStore,
  type Persistence,
  type SharedStore,
  type StorageFailure,
  type StoredChange,
  storageFailed,
} from "../../crdt/index.ts";
import type { Disk, DiskDatabase } from "./disk.ts";
import type { Host } from "./host.ts";
import type { Locks } from "./locks.ts";

/** Creates the persistence of one tab over its browser's disk, with the promises that IndexedDB makes. */
export function createSimulatedPersistence(disk: Disk, locks: Locks, host: Host): Persistence {
  return {
    durable: true,
    locks: locks.available,
    open: async (name, options = {}) => openPairs(openDatabase(disk, host, name, options)),
    attach: (name, document, options = {}) =>
      keepDocument(openDatabase(disk, host, name, options), document, options),
    tryLock: async (name) => locks.tryLock(host, name),
    forget: async (prefix) => disk.forget(prefix),
  };
}

/** One tab's connection to a database: of no use any more once it was wiped or closed. */
interface Database {
  run<T>(mode: "read" | "write", work: (database: DiskDatabase) => T): Promise<T>;
  close(): void;
}

const reasons: Readonly<Record<string, StorageFailure>> = {
  QuotaExceededError: "quota",
  AbortError: "aborted",
};

function openDatabase(disk: Disk, host: Host, name: string, { onFailed }: DatabaseOptions): Database {
  let lost: FlockError | undefined;
  const release = disk.hold(host, name, () => {
    lost = storageFailed(`keep ${name}, which was deleted`, "closed");
    onFailed?.(lost);
  });
  return {
    async run(mode, work) {
      if (lost) throw lost;
      try {
        return await disk.transact(host, name, mode, work);
      } catch (cause) {
        const reason = cause instanceof DOMException ? reasons[cause.name] : undefined;
        throw storageFailed(`${mode} ${name}`, reason ?? "unknown", cause);
      }
    },
    close() {
      lost ??= storageFailed(`use ${name} after closing it`, "closed");
      release();
    },
  };
}

function openPairs(database: Database): KeyValueStore {
  return {
    get: (key) => database.run("read", ({ pairs }) => structuredClone(pairs.get(key))),
    entries: (prefix) =>
      database.run("read", ({ pairs }) =>
        structuredClone([...pairs].filter(([key]) => key.startsWith(prefix))).sort(([a], [b]) =>
          a < b ? -1 : 1,
        ),
      ),
    async write(change) {
      const { put = [], remove = [] } = copyOf(change);
      return database.run("write", ({ pairs }) => {
        for (const key of remove) pairs.delete(key);
        for (const [key, value] of put) pairs.set(key, value);
      });
    },
    close: async () => database.close(),
  };
}

function copyOf(change: StoredChange): StoredChange {
  try {
    return structuredClone(change);
  } catch (cause) {
    throw storageFailed("copy a value", "unknown", cause);
  }
}

/** One transaction at a time: what changes meanwhile, and what a failure left out, goes together into the next. */
function keepDocument(
  database: Database,
  document: Y.Doc,
  { onFailed, onWritten }: DatabaseOptions,
): SharedStore {
  const origin = Symbol("database");
  let unsaved: Uint8Array[] = [];
  let running: Promise<void> | undefined;

  const note = (update: Uint8Array, from: unknown): void => {
    if (from === origin) return;
    unsaved.push(update.slice());
    save().catch(tell);
  };
  document.on("update", note);

  function tell(failure: unknown): void {
    if (failure instanceof FlockError) onFailed?.(failure);
  }

  async function load(): Promise<void> {
    const updates = await database.run("read", (stored) => [...stored.updates]);
    document.transact(() => {
      for (const update of updates) Y.applyUpdate(document, update, origin);
    }, origin);
  }
  const loaded = load();
  loaded.catch(() => {
    // Whoever waits for `loaded` is told.
  });

  function save(): Promise<void> {
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  }

  async function run(): Promise<void> {
    await loaded;
    while (unsaved.length > 0) {
      const taken = unsaved;
      unsaved = [];
      try {
        await database.run("write", ({ updates }) => void updates.push(...taken));
      } catch (failure) {
        unsaved = [...taken, ...unsaved];
        throw failure;
      }
      onWritten?.();
    }
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
      while (running) await running.catch(() => undefined);
      if (unsaved.length > 0) await save().catch(tell);
      database.close();
    },
  };
}
