import type { Entry } from "../lanes/entry.ts";

/** A pure fold of the entries of one key, in the room's order, into state. */
export interface ViewDefinition<State> {
  /**
   * The key that an entry belongs to; undefined where the view ignores it. A function of the entry alone. In a view with
   * `isClosed`, an entry about a key that exists names an entry of that key among its parents: so a key that is no longer
   * in memory is found again.
   */
  key(entry: Entry): string | undefined;
  /** The state of a key before its first entry. */
  init(key: string): State;
  /**
   * The state after an entry; must not change the one given. Where it throws, on every replica alike, the key keeps the
   * state that it had and the room is told `crdt/view-failed`.
   */
  step(state: State, entry: Entry): State;
  /**
   * Tells whether no later entry can change the state, so that its pages may be sealed and let go of. Entries of keys
   * that are not closed stay live on this device. Default: no key ever is, and nothing is kept live for this view.
   */
  isClosed?(state: State): boolean;
  /**
   * Whether entries of a key that has left memory need not name one of that key. Each key that begins is then looked for
   * in the snapshot, and where that can't say, as in a second tab, in all of history; `fetch` of a key tells what is known
   * without waiting for `ready`. For a view with `isClosed` and `snapshot`. Default: they do name one.
   */
  mayReturn?: boolean;
  /** Whether two states are the same, for `onChange`. Default: they are as JSON. */
  equals?(before: State, after: State): boolean;
  /**
   * Keeps the states in the room's database, so that opening folds only what is newer. States must then be plain JSON.
   * `version` is raised with each change of `key`, `init` or `step`: states of another version are dropped.
   */
  snapshot?: { readonly name: string; readonly version: number };
}

/** Declares a view. Its state after the same set of entries is the same on every replica, whatever their order of arrival. */
export function defineView<State>(definition: ViewDefinition<State>): ViewDefinition<State> {
  return definition;
}
