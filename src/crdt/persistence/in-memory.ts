import * as Y from "yjs";
import { storageFailed } from "./failure.ts";
import type { KeyValueStore, Persistence, SharedStore, StoredValue } from "./port.ts";

/**
 * Creates a persistence that lives as long as this object: for Node, tests, and browsers that refuse storage.
 * Several replicas may share one, as tabs share a browser's.
 */
export function createInMemoryPersistence(): Persistence {
  const databases = new Map<string, Database>();
  const locks = new Set<string>();

  function take(name: string): Database {
    const database = databases.get(name) ?? { pairs: new Map<string, StoredValue>(), holders: 0 };
    databases.set(name, database);
    database.holders++;
    return database;
  }

  return {
    durable: false,
    locks: true,
    open: async (name) => createInMemoryStore(take(name)),
    attach: (name, document) => attachInMemory(take(name), document),
    async tryLock(name) {
      if (locks.has(name)) return undefined;
      locks.add(name);
      return () => void locks.delete(name);
    },
    async forget(prefix) {
      const concerned = [...databases].filter(([name]) => name.startsWith(prefix));
      const [open] = concerned.find(([, { holders }]) => holders > 0) ?? [];
      if (open !== undefined) throw storageFailed(`delete ${open}`, "blocked");
      for (const [name] of concerned) databases.delete(name);
    },
  };
}

interface Database {
  readonly pairs: Map<string, StoredValue>;
  /** How many have it open. */
  holders: number;
}

function createInMemoryStore(database: Database): KeyValueStore {
  const { pairs } = database;
  let closed = false;
  function assertOpen(): void {
    if (closed) throw storageFailed("use a database after closing it", "closed");
  }
  return {
    async get(key) {
      assertOpen();
      return structuredClone(pairs.get(key));
    },
    async entries(prefix) {
      assertOpen();
      return structuredClone([...pairs].filter(([key]) => key.startsWith(prefix))).sort(([a], [b]) =>
        a < b ? -1 : 1,
      );
    },
    async write({ put = [], remove = [] }) {
      assertOpen();
      const copies = put.map(([key, value]) => [key, copyOf(value)] as const);
      for (const key of remove) pairs.delete(key);
      for (const [key, value] of copies) pairs.set(key, value);
    },
    async close() {
      if (!closed) database.holders--;
      closed = true;
    },
  };
}

function copyOf(value: StoredValue): StoredValue {
  try {
    return value instanceof Uint8Array ? new Uint8Array(value) : structuredClone(value);
  } catch (cause) {
    throw storageFailed("copy a value", "unknown", cause);
  }
}

const stateKey = "state";

function attachInMemory(database: Database, document: Y.Doc): SharedStore {
  const { pairs } = database;
  const held = pairs.get(stateKey);
  if (held instanceof Uint8Array) Y.applyUpdate(document, held, pairs);
  let changed = false;
  let closed = false;
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
      if (closed) return;
      closed = true;
      save();
      document.off("update", note);
      database.holders--;
    },
  };
}
