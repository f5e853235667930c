import type { HybridClock, Timestamp } from "../../base/index.ts";

/** An entry that waits for its batch. */
interface Waiting {
  readonly id: string;
  readonly parents: readonly string[];
}

/**
 * The clock of the next batch, and how many of the waiting entries may share it. It is later than the effective clock of
 * every parent known, so that these entries stand by their own. Parents past the bound of a foreign clock take along
 * only what rests on them, and never the clock of this device.
 */
export function clockBatch(
  waiting: readonly Waiting[],
  hybrid: HybridClock,
  effectiveOf: (id: string) => Timestamp | undefined,
): { count: number; clock: Timestamp } {
  /** How many entries of this batch each one rests on, in a row; of those before the first that has parents, none. */
  const depths = new Map<string, number>();
  let count = 0;
  let isFar = false;
  let floor = 0;
  let deepest = 0;
  for (const { id, parents } of waiting) {
    let depth = 0;
    let own = 0;
    if (parents.length > 0 && depths.size < count) {
      for (const before of waiting.slice(0, count)) depths.set(before.id, 0);
    }
    for (const parent of parents) {
      const inBatch = depths.get(parent);
      if (inBatch !== undefined) depth = Math.max(depth, inBatch + 1);
      else own = Math.max(own, (effectiveOf(parent) ?? -1) + 1);
    }
    const goesFar: boolean = (depth > 0 && isFar) || (own > 0 && hybrid.observe(own - 1) < own - 1);
    if (count > 0 && goesFar !== isFar) break;
    isFar = goesFar;
    floor = Math.max(floor, own);
    deepest = Math.max(deepest, depth);
    if (depths.size > 0) depths.set(id, depth);
    count++;
  }
  // A clock past the safe integers would break the page for every reader.
  const clock = Math.min(Math.max(hybrid.tick(), floor), Number.MAX_SAFE_INTEGER);
  // Entries of one batch follow each other by one; what comes next is to follow them all.
  if (!isFar && deepest > 0) hybrid.observe(clock + deepest);
  return { count, clock };
}
