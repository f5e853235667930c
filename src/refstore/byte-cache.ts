import type { Reference } from "../protocol/index.ts";

/** Bytes with their name. */
export interface CachedBytes {
  reference: Reference;
  bytes: Uint8Array;
}

/** Bytes in memory under a cap; the one unused for longest goes first. */
export interface ByteCache {
  /** Counts as a use. The bytes are the cache's own: hand out copies. */
  get(id: string): CachedBytes | undefined;
  has(id: string): boolean;
  /** Takes ownership of the bytes and counts as a use; false where they do not fit beside what must stay. */
  set(entry: CachedBytes): boolean;
  delete(id: string): boolean;
  references(): Reference[];
  readonly bytes: number;
  readonly count: number;
}

/** Creates an empty cache; `mustStay` exempts entries from eviction. */
export function createByteCache(
  maxBytes: number,
  mustStay: (id: string) => boolean = () => false,
): ByteCache {
  // A Map iterates in order of insertion, so re-inserting on use keeps the least recently used first.
  const entries = new Map<string, CachedBytes>();
  let total = 0;

  function remove(id: string): boolean {
    const entry = entries.get(id);
    if (!entry) return false;
    total -= entry.bytes.length;
    return entries.delete(id);
  }

  function makeRoom(sizeBytes: number): boolean {
    if (sizeBytes > maxBytes) return false;
    const victims: string[] = [];
    let free = maxBytes - total;
    for (const [id, entry] of entries) {
      if (free >= sizeBytes) break;
      if (mustStay(id)) continue;
      victims.push(id);
      free += entry.bytes.length;
    }
    if (free < sizeBytes) return false;
    for (const id of victims) remove(id);
    return true;
  }

  function use(id: string): CachedBytes | undefined {
    const entry = entries.get(id);
    if (entry) {
      entries.delete(id);
      entries.set(id, entry);
    }
    return entry;
  }

  return {
    get: use,
    has: (id) => entries.has(id),
    set(entry) {
      if (use(entry.reference.id)) return true;
      if (!makeRoom(entry.bytes.length)) return false;
      entries.set(entry.reference.id, entry);
      total += entry.bytes.length;
      return true;
    },
    delete: remove,
    references: () => [...entries.values()].map((entry) => entry.reference),
    get bytes() {
      return total;
    },
    get count() {
      return entries.size;
    },
  };
}
