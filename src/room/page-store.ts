import type { PageStore } from "../crdt/index.ts";
import { sealContentType } from "../protocol/index.ts";
import type { LayeredStore, ReferenceStore } from "../refstore/index.ts";

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

/** Resolves when the relay has a reference; it may have to wait for the network, and for ever. */
function whenRemote(
  refs: LayeredStore,
  id: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    if (refs.state(id)?.state === "remote") {
      resolve();
      return;
    }
    const end = (settle: () => void): void => {
      undo();
      signal?.removeEventListener("abort", abort);
      settle();
    };
    const abort = (): void => end(() => reject(signal?.reason));
    const undo = refs.onChange((change) => {
      if (change.id === id && change.state === "remote") end(resolve);
    });
    signal?.addEventListener("abort", abort);
  });
}
