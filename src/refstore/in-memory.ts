import { FlockError } from "../base/index.ts";
import { maxReferenceBytes } from "../protocol/index.ts";
import { createByteCache } from "./byte-cache.ts";
import type { LocalReferenceStore } from "./port.ts";
import { assertSize, closed, nameBytes, notFound, referenceId } from "./reference.ts";

const place = "the in-memory store";

export interface InMemoryStoreOptions {
  /** What all references together may take; default 64 MiB. */
  maxBytes?: number;
}

/**
 * Creates a store that lives as long as the page. Past its cap it drops the reference unused for longest, but never
 * one that is still to be uploaded: where those alone fill it, a put rejects with `refstore/quota`.
 *
 * @example
 * ```ts
 * const store = createInMemoryStore();
 * const reference = await store.put(new TextEncoder().encode("hello"), { contentType: "text/plain" });
 * await store.get(reference.id); // the same five bytes
 * ```
 */
export function createInMemoryStore({
  maxBytes = 64 * 1024 * 1024,
}: InMemoryStoreOptions = {}): LocalReferenceStore {
  const pending = new Set<string>();
  const cache = createByteCache(maxBytes, (id) => pending.has(id));
  let isClosed = false;

  function assertOpen(): void {
    if (isClosed) throw closed("The in-memory store");
  }

  return {
    async put(bytes, { contentType, signal, pending: upload = false } = {}) {
      assertOpen();
      signal?.throwIfAborted();
      assertSize(bytes.length, Math.min(maxBytes, maxReferenceBytes));
      const copy = bytes.slice();
      const reference = await nameBytes(copy, contentType);
      assertOpen();
      signal?.throwIfAborted();
      if (!cache.set({ reference, bytes: copy })) {
        throw new FlockError(
          "refstore/quota",
          `${cache.bytes} of ${maxBytes} bytes in memory wait for their upload: ${copy.length} more do not fit.`,
          { details: { sizeBytes: copy.length, usedBytes: cache.bytes, maxBytes } },
        );
      }
      if (upload) pending.add(reference.id);
      return reference;
    },
    async get(reference, { signal } = {}) {
      assertOpen();
      signal?.throwIfAborted();
      const id = referenceId(reference);
      const entry = cache.get(id);
      if (!entry) throw notFound(id, place);
      return entry.bytes.slice();
    },
    async has(id, { signal } = {}) {
      assertOpen();
      signal?.throwIfAborted();
      return cache.has(referenceId(id));
    },
    async delete(id, { signal } = {}) {
      assertOpen();
      signal?.throwIfAborted();
      pending.delete(referenceId(id));
      return cache.delete(id);
    },
    async *list() {
      assertOpen();
      yield* cache.references();
    },
    async stats() {
      assertOpen();
      return { count: cache.count, bytes: cache.bytes };
    },
    uploads: {
      async load() {
        assertOpen();
        return cache.references().filter((reference) => pending.has(reference.id));
      },
      async remove(id) {
        assertOpen();
        pending.delete(id);
      },
    },
    async close() {
      isClosed = true;
    },
  };
}
