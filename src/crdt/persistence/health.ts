import {
  createEmitter,
  createStore,
  type Emitter,
  FlockError,
  isFlockError,
  type Store,
} from "../../base/index.ts";
import { storageFailed, storageFailureOf } from "./failure.ts";
import type { KeyValueStore, Persistence, SharedStore } from "./port.ts";

/** What a replica's storage is worth at the moment. */
export type StorageState = "ready" | "memory-only" | "failed";

/** Whether each of a room's stores takes what it is given. */
export interface StorageHealth {
  /** `failed` while any store has failed and not written since. */
  readonly state: Store<StorageState>;
  /** Told once of each store that fails, and again when it fails for another reason. */
  readonly problems: Emitter<FlockError>;
  /** Told of each successful write. */
  readonly written: Emitter<void>;
  failed(store: string, cause: unknown): void;
  wrote(store: string): void;
  /** Whether this failure came through here. */
  isNoted(failure: unknown): boolean;
  /** A store that is closed is nobody's concern any more. */
  closed(store: string): void;
}

/** Creates the health of stores that have not failed yet. */
export function createStorageHealth({ durable }: Pick<Persistence, "durable">): StorageHealth {
  const well: StorageState = durable ? "ready" : "memory-only";
  const state = createStore<StorageState>(well);
  const problems = createEmitter<FlockError>();
  const written = createEmitter<void>();
  /** The reason of each store that has failed. */
  const failing = new Map<string, string>();
  const noted = new WeakSet<FlockError>();

  function recovered(store: string): void {
    if (failing.delete(store) && failing.size === 0) state.set(well);
  }

  return {
    state,
    problems,
    written,
    failed(store, cause) {
      const error = isFlockError(cause) ? cause : storageFailed(`use ${store}`, "unknown", cause);
      const reason = storageFailureOf(error) ?? error.code;
      noted.add(error);
      if (failing.get(store) === reason) return;
      failing.set(store, reason);
      state.set("failed");
      problems.emit(error);
    },
    wrote(store) {
      recovered(store);
      written.emit();
    },
    isNoted: (failure) => failure instanceof FlockError && noted.has(failure),
    closed: recovered,
  };
}

/** The same persistence, whose successes and failures are noted. */
export function watchPersistence(persistence: Persistence, health: StorageHealth): Persistence {
  async function noted<T>(store: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (failure) {
      if (failure instanceof FlockError) health.failed(store, failure);
      throw failure;
    }
  }

  const eventsOf = (name: string) => ({
    onFailed: (error: FlockError) => health.failed(name, error),
    onWritten: () => health.wrote(name),
  });

  function watchPairs(name: string, store: KeyValueStore): KeyValueStore {
    let isClosed = false;
    const noteOf = <T>(call: () => Promise<T>): Promise<T> => (isClosed ? call() : noted(name, call));
    return {
      get: (key) => noteOf(() => store.get(key)),
      entries: (prefix) => noteOf(() => store.entries(prefix)),
      async write(change) {
        await noteOf(() => store.write(change));
        health.wrote(name);
      },
      async close() {
        isClosed = true;
        await store.close();
        health.closed(name);
      },
    };
  }

  function watchShared(name: string, store: SharedStore): SharedStore {
    return {
      loaded: noted(name, () => store.loaded),
      async confirm() {
        await noted(name, () => store.confirm());
        health.wrote(name);
      },
      async close() {
        await store.close();
        health.closed(name);
      },
    };
  }

  return {
    ...persistence,
    open: async (name) => watchPairs(name, await noted(name, () => persistence.open(name, eventsOf(name)))),
    attach: (name, document) => watchShared(name, persistence.attach(name, document, eventsOf(name))),
  };
}
