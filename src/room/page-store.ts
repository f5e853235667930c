import type { PageStore } from "../crdt/index.ts";
import { sealContentType } from "../protocol/index.ts";
import { type LayeredStore, type ReferenceStore, whenRemote } from "../refstore/index.ts";

/** Keeps sealed pages among the references of a room; `remote` is the relay's store, absent in a room without one. */
export function createPageStore(refs: LayeredStore, remote: ReferenceStore | undefined): PageStore {
  return {
    async put(seal) {
      const { id } = await refs.put(seal, { contentType: sealContentType });
      return id;
    },
    relayed: (hash, options) => (remote ? whenRemote(refs, hash, options) : Promise.resolve()),
    async restore(hash, options) {
      if (!remote || !refs.state(hash)?.here || (await remote.has(hash, options))) return;
      await refs.put(await refs.get(hash, options), { contentType: sealContentType });
    },
    get: (hash, options) => refs.get(hash, options),
    async delete(hash) {
      await remote?.delete(hash);
      await refs.delete(hash);
    },
  };
}
