import type { Timestamp } from "../../base/index.ts";
import { parseEntryId } from "../../protocol/index.ts";
import type { Entry, LoggedPage } from "../lanes/entry.ts";
import type { Coverage } from "./coverage.ts";
import type { Guarded } from "./guarded.ts";
import { createKeyFold, createKeyFolder, type KeyFold, type KeyStart } from "./key-fold.ts";
import type { Lanes } from "./lanes.ts";
import type { Order } from "./order.ts";
import { comparePlaces, type Placed, pageKey } from "./place.ts";
import { liveEntries } from "./sealed-reading.ts";

/** What a view keeps in memory: all keys; those that are open; or those of a window on what is live. */
export type Reach = "all" | "open" | "live";

/** The keys of a view, and which of its entries have folded. */
export interface ViewKeys<State> {
  readonly folds: Map<string, KeyFold<State>>;
  readonly coverage: Coverage;
  /** Entries that the coverage counts and that have not folded, because they wait for a parent. */
  readonly waiting: Set<string>;
  /** Keys of which entries have to be read back: from the pages that are known, or from all of history. */
  readonly stale: Map<string, "pages" | "history">;
  /** Keys that may have been in memory before, and the parents that say so. */
  readonly suspects: Map<string, Set<string>>;
  /** Takes up an entry once; without a clock it waits for a parent. */
  deal(entry: Entry, effective: Timestamp | undefined): void;
  /** Folds an entry that has waited, or that was counted without being folded. */
  fold(placed: Placed): void;
  settle(fold: KeyFold<State>): State;
  touch(key: string): void;
  /** The keys that were touched since the last call. */
  takeTouched(): string[];
  /** Begins a key anew with these entries, and what is known of its pages. */
  rebuild(key: string, entries: readonly Placed[]): KeyFold<State> | undefined;
  /** Takes a key up from a snapshot. */
  restore(start: Required<KeyStart<State>>): void;
  /** Takes up keys that had left memory, and what came since. */
  revive(starts: ReadonlyMap<string, Required<KeyStart<State>>>): void;
  /** The keys of a page that is live no more. */
  release(writer: string, page: LoggedPage): KeyFold<State>[];
  /** The state of a key after some entries alone; undefined without any. */
  stateOf(key: string, entries: readonly Placed[]): State | undefined;
  /** The live entries of some keys that have a place. */
  liveOf(wants: (key: string) => boolean): Map<string, Map<string, Placed>>;
}

export interface ViewKeysOptions<State> {
  lanes: Lanes;
  order: Order;
  guarded: Guarded<State>;
  coverage: Coverage;
  reach: Reach;
  until: Timestamp;
}

/** Creates the keys of a view. */
export function createViewKeys<State>(options: ViewKeysOptions<State>): ViewKeys<State> {
  const { lanes, order, guarded, coverage, reach, until } = options;
  const { log } = lanes;
  const folder = createKeyFolder<State>((key, state, { entry }) => guarded.step(key, state, entry));
  const folds = new Map<string, KeyFold<State>>();
  const waiting = new Set<string>();
  const stale = new Map<string, "pages" | "history">();
  const suspects = new Map<string, Set<string>>();
  const touched = new Set<string>();

  function isLive({ id }: Entry): boolean {
    return log.get(id) !== undefined;
  }

  function fold(placed: Placed): void {
    const { entry } = placed;
    const key = placed.effective > until ? undefined : guarded.key(entry);
    if (key === undefined || (reach === "live" && !isLive(entry))) return;
    const present = folds.get(key);
    const made = present ?? begin(key);
    if (!made) return;
    touched.add(key);
    if (reach === "live") {
      folder.addToWindow(made, placed);
      return;
    }
    if (reach === "open" && !present) suspect(made, entry);
    add(made, placed);
  }

  function add(fold: KeyFold<State>, placed: Placed): void {
    if (folder.add(fold, placed, isLive(placed.entry))) return;
    fold.isLoading = true;
    if (!stale.has(fold.key)) stale.set(fold.key, "pages");
  }

  function begin(key: string): KeyFold<State> | undefined {
    const start = guarded.init(key);
    return start && put({ key, ...start });
  }

  function put(start: KeyStart<State>): KeyFold<State> {
    const made = createKeyFold(start);
    folds.set(start.key, made);
    return made;
  }

  /** A key may have left memory where its first entry rests on something that was let go of. */
  function suspect(fold: KeyFold<State>, { parents }: Entry): void {
    if (guarded.mayReturn) {
      suspects.set(fold.key, new Set());
      fold.isLoading = true;
      return;
    }
    for (const parent of parents) {
      const address = parseEntryId(parent);
      if (!address || log.get(parent)) continue;
      if (address.index >= coverage.length(address.writer, address.page)) continue;
      const others = suspects.get(fold.key) ?? new Set();
      suspects.set(fold.key, others.add(parent));
      fold.isLoading = true;
    }
  }

  function liveOf(wants: (key: string) => boolean): Map<string, Map<string, Placed>> {
    return liveEntries(lanes, order, { keyOf: guarded.key, wants });
  }

  return {
    folds,
    coverage,
    waiting,
    stale,
    suspects,
    fold,
    settle: folder.settle,
    liveOf,
    deal(entry, effective) {
      const { writer, page, index } = entry;
      const isNew = index >= coverage.length(writer, page);
      if (isNew) coverage.cover(writer, page, index + 1);
      if (effective === undefined) {
        if (isNew) waiting.add(entry.id);
        return;
      }
      // A snapshot may have left it waiting, and be ahead of what else this device has stored.
      const hasWaited = waiting.size > 0 && waiting.delete(entry.id);
      if (isNew || hasWaited) fold({ entry, effective });
    },
    touch: (key) => void touched.add(key),
    takeTouched() {
      const keys = [...touched];
      touched.clear();
      return keys;
    },
    rebuild(key, entries) {
      const before = folds.get(key);
      folds.delete(key);
      const made = begin(key);
      if (!made) return undefined;
      for (const page of before?.pages ?? []) made.pages.add(page);
      for (const placed of entries) if (placed.effective <= until) add(made, placed);
      touched.add(key);
      return made;
    },
    restore: (start) => void put(start),
    revive(starts) {
      // Each new key of a view is looked for, and what is live is long.
      if (starts.size === 0) return;
      const live = liveOf((key) => starts.has(key));
      for (const [key, start] of starts) {
        const inBase = new Set(start.pages);
        const made = put(start);
        for (const placed of inOrder(live.get(key))) {
          if (!inBase.has(pageKey(placed.entry))) add(made, placed);
        }
        touched.add(key);
      }
    },
    release(writer, { name, entries }) {
      const keys = new Set(entries.flatMap((entry) => guarded.key(entry) ?? []));
      const released: KeyFold<State>[] = [];
      for (const key of keys) {
        const fold = folds.get(key);
        if (!fold) continue;
        folder.release(fold, writer, name);
        if (reach === "live" && fold.placed.length === 0) folds.delete(key);
        released.push(fold);
      }
      return released;
    },
    stateOf(key, entries) {
      const folded = entries.filter(({ effective }) => effective <= until);
      const start = folded.length > 0 ? guarded.init(key) : undefined;
      return start && folded.reduce((state, { entry }) => guarded.step(key, state, entry), start.state);
    },
  };
}

/** The entries in the order of the room, each once. */
export function inOrder(...sets: (Iterable<readonly [string, Placed]> | undefined)[]): Placed[] {
  return [...new Map(sets.flatMap((entries) => [...(entries ?? [])])).values()].sort(comparePlaces);
}
