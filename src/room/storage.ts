import {
  type Clock,
  createStore,
  type FlockError,
  isFlockError,
  type Store,
  type WritableStore,
} from "../base/index.ts";
import { type StorageHealth, storageFailed } from "../crdt/index.ts";
import type { LocalReferenceStore } from "../refstore/index.ts";

/** What a browser says of an origin's storage; `navigator.storage` is one. */
export interface StorageManagerPort {
  estimate(): Promise<{ usage?: number; quota?: number }>;
  /** Asks to keep the data when the device runs short; a browser may ask its user. */
  persist(): Promise<boolean>;
  persisted(): Promise<boolean>;
}

/** The room that this device's storage has, for all of the origin. */
export interface StorageQuota {
  readonly usedBytes: number;
  readonly quotaBytes: number;
  /** Whether the browser keeps the data when the device runs short. */
  readonly persisted: boolean;
}

/** Reads how full storage is, now and then. */
export interface StorageMeter {
  /** Undefined where the platform does not say. */
  readonly quota: Store<StorageQuota | undefined>;
  /** Asks the browser to keep the data; false where it refuses, or has nothing to keep. */
  persist(): Promise<boolean>;
  close(): void;
}

/** While the room writes, storage is measured no more often than this. */
const measureEveryMs = 5 * 60_000;

/** Creates a meter, which measures at once, after each failure, and at most every five minutes while the room writes. */
export function createStorageMeter({
  storage,
  health,
  clock,
}: {
  storage: StorageManagerPort | undefined;
  health: Pick<StorageHealth, "problems" | "written">;
  clock: Pick<Clock, "now">;
}): StorageMeter {
  const quota: WritableStore<StorageQuota | undefined> = createStore<StorageQuota | undefined>(undefined);
  let measuredAt = clock.now();
  let isClosed = false;

  async function measure(): Promise<void> {
    measuredAt = clock.now();
    if (!storage) return;
    try {
      const [{ usage, quota: total }, persisted] = await Promise.all([
        storage.estimate(),
        storage.persisted(),
      ]);
      if (isClosed || usage === undefined || total === undefined) return;
      quota.set({ usedBytes: usage, quotaBytes: total, persisted });
    } catch {
      // A browser that does not tell, as some private windows: the last figures stand.
    }
  }

  const stops = [
    health.problems.on(() => void measure()),
    health.written.on(() => {
      if (clock.now() - measuredAt >= measureEveryMs) void measure();
    }),
  ];
  void measure();

  return {
    quota,
    async persist() {
      if (!storage) return false;
      const isKept = await storage.persist();
      await measure();
      return isKept;
    },
    close() {
      isClosed = true;
      for (const stop of stops) stop();
    },
  };
}

/** The same store of references, whose writes count as the room's. */
export function watchReferences(
  name: string,
  store: LocalReferenceStore,
  health: StorageHealth,
): LocalReferenceStore {
  return {
    ...store,
    async put(bytes, options) {
      try {
        const reference = await store.put(bytes, options);
        health.wrote(name);
        return reference;
      } catch (cause) {
        if (isFlockError(cause, "refstore/quota")) health.failed(name, failed("quota", cause));
        else if (isFlockError(cause, "refstore/unavailable")) health.failed(name, failed("unknown", cause));
        throw cause;
      }
    },
  };
}

function failed(reason: "quota" | "unknown", cause: unknown): FlockError {
  return storageFailed("keep a reference", reason, cause);
}
