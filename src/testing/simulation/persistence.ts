import * as Y from "yjs";
import { FlockError } from "../../base/index.ts";
import type { KeyValueStore, Persistence, SharedStore } from "../../crdt/index.ts";
import type { Disk } from "./disk.ts";
import type { Host } from "./host.ts";

/** Creates the persistence of one tab over its browser's disk, with the promises that IndexedDB makes. */
export function createSimulatedPersistence(disk: Disk, host: Host): Persistence {
  return {
    durable: true,
    open: async (name) => openPairs(disk, host, name),
    attach: (name, document) => attachUpdates(disk, host, name, document),
    tryLock: async (name) => disk.tryLock(host, name),
    forget: async (prefix) => disk.forget(prefix),
  };
}

function openPairs(disk: Disk, host: Host, name: string): KeyValueStore {
  let closed = false;
  function assertOpen(): void {
    if (closed) throw new FlockError("crdt/storage-failed", `The database ${name} is closed.`);
  }
  return {
    async get(key) {
      assertOpen();
      return disk.transact(host, name, "read", ({ pairs }) => structuredClone(pairs.get(key)));
    },
    async entries(prefix) {
      assertOpen();
      return disk.transact(host, name, "read", ({ pairs }) =>
        structuredClone([...pairs].filter(([key]) => key.startsWith(prefix))).sort(([a], [b]) =>
          a < b ? -1 : 1,
        ),
      );
    },
    async write(change) {
      assertOpen();
      const { put = [], remove = [] } = structuredClone(change);
      return disk.transact(host, name, "write", ({ pairs }) => {
        for (const key of remove) pairs.delete(key);
        for (const [key, value] of put) pairs.set(key, value);
      });
    },
    async close() {
      closed = true;
    },
  };
}

/** As y-indexeddb: each update of the document is a transaction of its own, which nobody waits for. */
function attachUpdates(disk: Disk, host: Host, name: string, document: Y.Doc): SharedStore {
  const origin = Symbol(name);
  let lastWrite: Promise<void> = Promise.resolve();

  const note = (update: Uint8Array, from: unknown): void => {
    if (from === origin) return;
    const copy = update.slice();
    lastWrite = disk.transact(host, name, "write", ({ updates }) => void updates.push(copy));
  };
  document.on("update", note);

  const loaded = disk
    .transact(host, name, "read", ({ updates }) => [...updates])
    .then((updates) =>
      Y.transact(
        document,
        () => {
          for (const update of updates) Y.applyUpdate(document, update, origin);
        },
        origin,
      ),
    );

  return {
    loaded,
    async confirm() {
      await loaded;
      await lastWrite;
    },
    async close() {
      document.off("update", note);
      await lastWrite;
    },
  };
}
