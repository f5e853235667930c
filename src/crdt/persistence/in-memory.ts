import * as Y from "yjs";
import { FlockError } from "../../base/index.ts";
import type { KeyValueStore, Persistence, SharedStore, StoredValue } from "./port.ts";

/**
 * Creates a persistence that lives as long as this object: for Node, tests, and browsers that refuse storage.
 * Several replicas may share one, as tabs share a browser's.
 */
export function createInMemoryPersistence(): Persistence {
  const databases = new Map<string, Map<string, StoredValue>>();
  const locks = new Set<string>();

  return {
    durable: false,
    async open(name) {
      const pairs = databases.get(name) ?? new Map<string, StoredValue>();
      databases.set(name, pairs);
      return createInMemoryStore(pairs);
    },
    attach(name, document) {
      const pairs = databases.get(name) ?? new Map<string, StoredValue>();
      databases.set(name, pairs);
      return attachInMemory(pairs, document);
    },
    async tryLock(name) {
      if (locks.has(name)) return undefined;
      locks.add(name);
      return () => void locks.delete(name);
    },
    async forget(prefix) {
      for (const name of [...databases.keys()]) if (name.startsWith(prefix)) databases.delete(name);
    },
  };
}

function createInMemoryStore(pairs: Map<string, StoredValue>): KeyValueStore {
  let closed = false;
  function assertOpen(): void {
    if (closed) throw new FlockError("crdt/storage-failed", "The database is closed.");
  }
  return {
    async get(key) {
      assertOpen();
      return pairs.get(key);
    },
    async entries(prefix) {
      assertOpen();
      return [...pairs].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
    },
    async write({ put = [], remove = [] }) {
      assertOpen();
      for (const key of remove) pairs.delete(key);
      for (const [key, value] of put) pairs.set(key, value);
    },
    async close() {
      closed = true;
    },
  };
}

const stateKey = "state";

function attachInMemory(pairs: Map<string, StoredValue>, document: Y.Doc): SharedStore {
  const held = pairs.get(stateKey);
  if (held instanceof Uint8Array) Y.applyUpdate(document, held, pairs);
  let changed = false;
  let saved = held;
  const note = (): void => {
    changed = true;
  };
  function save(): void {
    if (!changed) return;
    const present = pairs.get(stateKey);
    const state = Y.encodeStateAsUpdate(document);
    // Another replica may have saved what this one has not heard of.
    saved = present instanceof Uint8Array && present !== saved ? Y.mergeUpdates([present, state]) : state;
    pairs.set(stateKey, saved);
    changed = false;
  }
  document.on("update", note);
  return {
    loaded: Promise.resolve(),
    async confirm() {
      save();
    },
    async close() {
      save();
      document.off("update", note);
    },
  };
}
