import type { FlockError } from "../base/index.ts";
import { isFlockError } from "../base/index.ts";
import type { Entry } from "../crdt/index.ts";
import type { HistorySource } from "./history-sources.ts";

/** Pages that are fetched at once where several lanes need one: what hides the way to the relay. */
const loadsAtOnce = 8;

export interface MergeOptions {
  compare(a: Entry, b: Entry): number;
  isNewestFirst: boolean;
  /** Told of a page that can't be had: the rest of its lane's sealed part is left out. Without it the failure is thrown. */
  onMissing?: ((failure: FlockError) => void) | undefined;
}

/** Merges sources, each in order, into one; a page is read only once its lane's turn has come. */
export async function* mergeSources(
  sources: readonly HistorySource[],
  { compare, isNewestFirst, onMissing }: MergeOptions,
): AsyncGenerator<Entry, void, undefined> {
  let queue: HistorySource[] = [];

  function precedes(a: HistorySource, b: HistorySource): boolean {
    if (a.bound !== b.bound) return isNewestFirst ? a.bound > b.bound : a.bound < b.bound;
    // What is not read yet may come first.
    return a.head && b.head ? compare(a.head, b.head) < 0 : !a.head;
  }

  function enter(source: HistorySource): void {
    if (source.isOver) return;
    let [low, high] = [0, queue.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (precedes(source, queue[middle] as HistorySource)) high = middle;
      else low = middle + 1;
    }
    queue.splice(low, 0, source);
  }

  async function load(source: HistorySource): Promise<void> {
    try {
      await source.load();
    } catch (failure) {
      if (!onMissing || !isFlockError(failure) || failure.code === "refstore/closed") throw failure;
      source.close(failure);
      onMissing(failure);
    }
  }

  for (const source of sources) enter(source);
  for (let [top] = queue; top; [top] = queue) {
    if (top.head) {
      const { head } = top;
      queue.shift();
      top.advance();
      enter(top);
      yield head;
      continue;
    }
    const loaded = queue.findIndex(({ head }) => head);
    const due = queue.slice(0, Math.min(loadsAtOnce, loaded === -1 ? queue.length : loaded));
    queue = queue.slice(due.length);
    await Promise.all(due.map(load));
    for (const source of due) enter(source);
  }
}
