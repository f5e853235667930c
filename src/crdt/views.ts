import { createEmitter, type Timestamp, type Undo } from "../base/index.ts";
import { comparePages } from "../protocol/index.ts";
import type { Entry } from "./entry.ts";
import type { EntryLog } from "./entry-log.ts";

/** A pure fold of the entries of one key, in the room's order, into state. */
export interface ViewDefinition<State> {
  /** The key that an entry belongs to; undefined where the view ignores it. A function of the entry alone. */
  key(entry: Entry): string | undefined;
  /** The state of a key before its first entry. */
  init(key: string): State;
  /** The state after an entry; must not change the one given. */
  step(state: State, entry: Entry): State;
  /** Tells whether no later entry can change the state, so that its pages may be dropped. Default: never. */
  isClosed?(state: State): boolean;
}

/** A view at work on a log. */
export interface View<State> {
  get(key: string): State | undefined;
  keys(): Iterable<string>;
  /** The ids of the entries folded for a key, in their order. */
  entries(key: string): readonly Entry[];
  /** Called with each key whose state an arrival changed, once for each arrival. */
  subscribe(listener: (keys: readonly string[]) => void): Undo;
  close(): void;
}

/** Declares a view. Its state after the same set of entries is the same on every replica, whatever their order of arrival. */
export function defineView<State>(definition: ViewDefinition<State>): ViewDefinition<State> {
  return definition;
}

interface Placed {
  entry: Entry;
  /** The later of the entry's own clock and one past its parents'. */
  effective: Timestamp;
}

interface Fold<State> {
  placed: Placed[];
  state: State;
}

/**
 * Opens a view. An entry that arrives at the end of its key is one step; an earlier one refolds that key only.
 * An entry whose parents are not here waits for them.
 */
export function openView<State>(log: EntryLog, definition: ViewDefinition<State>): View<State> {
  const folds = new Map<string, Fold<State>>();
  const effective = new Map<string, Timestamp>();
  const waiting = new Map<string, Entry[]>();
  const changes = createEmitter<readonly string[]>();

  function place(arrived: readonly Entry[], changed: Set<string>, late: Set<string>): void {
    const queue = [...arrived];
    for (let entry = queue.shift(); entry; entry = queue.shift()) {
      const missing = entry.parents.find((parent) => !effective.has(parent));
      if (missing !== undefined) {
        const others = waiting.get(missing);
        if (others) others.push(entry);
        else waiting.set(missing, [entry]);
        continue;
      }
      const clock = Math.max(entry.clock, ...entry.parents.map((parent) => (effective.get(parent) ?? 0) + 1));
      effective.set(entry.id, clock);
      fold({ entry, effective: clock }, changed, late);
      queue.push(...(waiting.get(entry.id) ?? []));
      waiting.delete(entry.id);
    }
  }

  function fold(placed: Placed, changed: Set<string>, late: Set<string>): void {
    const key = definition.key(placed.entry);
    if (key === undefined) return;
    const present = folds.get(key) ?? { placed: [], state: definition.init(key) };
    folds.set(key, present);
    changed.add(key);
    const last = present.placed.at(-1);
    if (last && comparePlaced(last, placed) > 0) {
      present.placed.splice(positionOf(present.placed, placed), 0, placed);
      late.add(key);
      return;
    }
    present.placed.push(placed);
    if (!late.has(key)) present.state = definition.step(present.state, placed.entry);
  }

  function refold(key: string): void {
    const present = folds.get(key);
    if (!present) return;
    present.state = present.placed.reduce(
      (state, { entry }) => definition.step(state, entry),
      definition.init(key),
    );
  }

  function take(arrived: readonly Entry[]): void {
    const changed = new Set<string>();
    const late = new Set<string>();
    place(arrived, changed, late);
    for (const key of late) refold(key);
    if (changed.size > 0) changes.emit([...changed]);
  }

  for (const writer of log.writers()) for (const page of log.pages(writer)) take(page.entries);
  const stop = log.added.on(take);

  return {
    get: (key) => folds.get(key)?.state,
    keys: () => folds.keys(),
    entries: (key) => folds.get(key)?.placed.map(({ entry }) => entry) ?? [],
    subscribe: (listener) => changes.on(listener),
    close: stop,
  };
}

/** The order of a view: effective clock, writer, page, index. */
function comparePlaced(a: Placed, b: Placed): number {
  if (a.effective !== b.effective) return a.effective - b.effective;
  if (a.entry.writer !== b.entry.writer) return a.entry.writer < b.entry.writer ? -1 : 1;
  return comparePages(a.entry.page, b.entry.page) || a.entry.index - b.entry.index;
}

function positionOf(placed: readonly Placed[], wanted: Placed): number {
  let low = 0;
  let high = placed.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comparePlaced(placed[middle] as Placed, wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
