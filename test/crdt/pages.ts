import type { PageStore } from "../../src/crdt/index.ts";
import { createInMemoryStore } from "../../src/refstore/index.ts";

/** A page store of one device without a relay: what is put counts as relayed. */
export function createLocalPages(): PageStore {
  const store = createInMemoryStore();
  return {
    put: async (seal) => (await store.put(seal)).id,
    relayed: async () => undefined,
    restore: async () => undefined,
    get: (hash) => store.get(hash),
    async delete(hash) {
      await store.delete(hash);
    },
  };
}
