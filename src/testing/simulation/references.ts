import { FlockError } from "../../base/index.ts";
import { createInMemoryStore, type LocalReferenceStore } from "../../refstore/index.ts";
import type { DiskFaults } from "./disk.ts";

/** The stores of references of one browser, by name; closing one keeps what it holds. */
export interface BrowserReferences {
  open(name: string): Promise<LocalReferenceStore>;
  wipe(): void;
  /** Takes over what another browser holds. */
  copyFrom(other: BrowserReferences): void;
  readonly stores: ReadonlyMap<string, LocalReferenceStore>;
}

/** Creates the stores of a browser that was never used, on a disk with these faults. */
export function createBrowserReferences(faults: Readonly<DiskFaults>): BrowserReferences {
  const stores = new Map<string, LocalReferenceStore>();
  let copying: Promise<void> = Promise.resolve();

  function storeOf(name: string): LocalReferenceStore {
    const store = stores.get(name) ?? createInMemoryStore();
    stores.set(name, store);
    return store;
  }

  return {
    stores,
    async open(name) {
      await copying;
      // Looked up at each call: a tab that has the store open while it is wiped finds it empty.
      const current = (): LocalReferenceStore => storeOf(name);
      return {
        async put(bytes, options) {
          if (faults.full) {
            throw new FlockError("refstore/quota", "The disk is full: free some space and try again.");
          }
          return current().put(bytes, options);
        },
        get: (reference, options) => current().get(reference, options),
        has: (id, options) => current().has(id, options),
        delete: (id, options) => current().delete(id, options),
        list: () => current().list(),
        stats: () => current().stats(),
        uploads: {
          load: () => current().uploads.load(),
          remove: (id) => current().uploads.remove(id),
        },
        close: async () => {},
      };
    },
    wipe: () => stores.clear(),
    copyFrom(other) {
      copying = copyAll(other.stores, storeOf);
    },
  };
}

async function copyAll(
  stores: ReadonlyMap<string, LocalReferenceStore>,
  storeOf: (name: string) => LocalReferenceStore,
): Promise<void> {
  for (const [name, from] of [...stores]) {
    const pending = new Set((await from.uploads.load()).map(({ id }) => id));
    for await (const { id, contentType } of from.list()) {
      await storeOf(name).put(await from.get(id), { contentType, pending: pending.has(id) });
    }
  }
}
