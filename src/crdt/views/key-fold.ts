import type { PageName } from "../../protocol/index.ts";
import { comparePages } from "../../protocol/index.ts";
import { comparePlaces, type Place, type Placed, pageKey, positionOf } from "./place.ts";

/** The fold of one key: what was let go of is in the base; what is live folds on top of it. */
export interface KeyFold<State> {
  readonly key: string;
  /** The state after the last entry; stale while `staleFrom` says so. */
  state: State;
  /** The live entries, in the order of the room. */
  placed: Placed[];
  /** The state after everything that is not live any more, and after the first `inBase` of the live ones. */
  base: State;
  inBase: number;
  /** The place of the last entry in the base. */
  baseEnd: Place | undefined;
  /** States after so many of the live entries, in rising order. */
  checkpoints: { count: number; state: State }[];
  /** From which live entry on the state has to be folded again. */
  staleFrom: number | undefined;
  /** The pages that its entries lie in, sealed or live. */
  readonly pages: Set<string>;
  /** Whether it was taken from a snapshot: the live entries in its base are then not in `placed`. */
  readonly isRestored: boolean;
  /** Its entries are being read back; until then the state is that of what is here. */
  isLoading: boolean;
  /** Undefined until it is asked for again. */
  isClosed: boolean | undefined;
  /** The state that listeners know. */
  told: State | undefined;
}

/** A late entry folds its key again from at most this many entries before it. */
const checkpointEvery = 64;

/** What a key begins with: nothing, or what a snapshot has of it. */
export interface KeyStart<State> {
  key: string;
  state: State;
  baseEnd?: Place;
  pages?: Iterable<string>;
}

export function createKeyFold<State>({ key, state, baseEnd, pages = [] }: KeyStart<State>): KeyFold<State> {
  return {
    key,
    state,
    placed: [],
    base: state,
    inBase: 0,
    baseEnd,
    checkpoints: [],
    staleFrom: undefined,
    pages: new Set(pages),
    isRestored: baseEnd !== undefined,
    isLoading: false,
    isClosed: undefined,
    told: baseEnd && state,
  };
}

/** Folds entries into keys; none of its methods calls anything but `step`. */
export interface KeyFolder<State> {
  /**
   * Takes up an entry that is not in the fold yet; a live one can be let go of later. False where it belongs before
   * what was let go of: the key's entries have to be read back.
   */
  add(fold: KeyFold<State>, placed: Placed, isLive: boolean): boolean;
  /** Takes up a live entry, in a view that reads nothing back: one that comes too late is stepped over the base. */
  addToWindow(fold: KeyFold<State>, placed: Placed): void;
  /** Brings the state up to date. */
  settle(fold: KeyFold<State>): State;
  /** The entries of a page are live no more. */
  release(fold: KeyFold<State>, writer: string, page: PageName): void;
}

/** Creates a folder over a step that never throws. */
export function createKeyFolder<State>(
  step: (key: string, state: State, placed: Placed) => State,
): KeyFolder<State> {
  function stepThrough(fold: KeyFold<State>, start: { count: number; state: State }, end: number): State {
    let { state } = start;
    for (let at = start.count; at < end; at++) {
      state = step(fold.key, state, fold.placed[at] as Placed);
      noteCheckpoint(fold, at + 1, state);
    }
    return state;
  }

  function noteCheckpoint(fold: KeyFold<State>, count: number, state: State): void {
    if (count - (fold.checkpoints.at(-1)?.count ?? fold.inBase) >= checkpointEvery) {
      fold.checkpoints.push({ count, state });
    }
  }

  function startBefore(fold: KeyFold<State>, count: number): { count: number; state: State } {
    return (
      fold.checkpoints.findLast((each) => each.count <= count) ?? { count: fold.inBase, state: fold.base }
    );
  }

  function settle(fold: KeyFold<State>): State {
    if (fold.staleFrom !== undefined) {
      fold.state = stepThrough(fold, startBefore(fold, fold.staleFrom), fold.placed.length);
      fold.staleFrom = undefined;
    }
    return fold.state;
  }

  /** The state after so many of the live entries. */
  function stateAfter(fold: KeyFold<State>, count: number): State {
    if (count === fold.placed.length) return settle(fold);
    return stepThrough(fold, startBefore(fold, count), count);
  }

  function moveBase(fold: KeyFold<State>, count: number): void {
    fold.base = stateAfter(fold, count);
    fold.baseEnd = fold.placed[count - 1];
    fold.inBase = count;
    fold.checkpoints = fold.checkpoints.filter((each) => each.count > count);
    if (fold.staleFrom !== undefined) fold.staleFrom = Math.max(fold.staleFrom, count);
  }

  /** Removes live entries that are in the base. */
  function drop(fold: KeyFold<State>, isDropped: (placed: Placed) => boolean): void {
    const before = fold.placed.length;
    fold.placed = fold.placed.filter((placed) => !isDropped(placed));
    const dropped = before - fold.placed.length;
    fold.inBase -= dropped;
    fold.checkpoints = fold.checkpoints.map(({ count, state }) => ({ count: count - dropped, state }));
    if (fold.staleFrom !== undefined) fold.staleFrom -= dropped;
  }

  function insert(fold: KeyFold<State>, placed: Placed): void {
    const at = positionOf(fold.placed, placed, fold.inBase);
    const there = fold.placed[at];
    if (there && comparePlaces(there, placed) === 0) return;
    if (at === fold.placed.length) {
      fold.placed.push(placed);
      if (fold.staleFrom === undefined) {
        fold.state = step(fold.key, fold.state, placed);
        noteCheckpoint(fold, fold.placed.length, fold.state);
      }
      return;
    }
    fold.placed.splice(at, 0, placed);
    fold.staleFrom = Math.min(fold.staleFrom ?? at, at);
    fold.checkpoints = fold.checkpoints.filter((each) => each.count <= at);
  }

  /** What is not live goes into the base, and with it the live entries before it. */
  function addToBase(fold: KeyFold<State>, placed: Placed): void {
    const at = positionOf(fold.placed, placed, fold.inBase);
    const there = fold.placed[at];
    if (there && comparePlaces(there, placed) === 0) return;
    if (at > fold.inBase) moveBase(fold, at);
    fold.base = step(fold.key, fold.base, placed);
    fold.baseEnd = placed;
    fold.checkpoints = [];
    if (at < fold.placed.length) fold.staleFrom = at;
    else fold.state = fold.base;
  }

  return {
    settle,
    add(fold, placed, isLive) {
      fold.pages.add(pageKey(placed.entry));
      if (fold.baseEnd && comparePlaces(placed, fold.baseEnd) <= 0) return false;
      if (isLive) insert(fold, placed);
      else addToBase(fold, placed);
      return true;
    },
    addToWindow(fold, placed) {
      fold.pages.add(pageKey(placed.entry));
      if (!fold.baseEnd || comparePlaces(placed, fold.baseEnd) > 0) {
        insert(fold, placed);
        return;
      }
      fold.placed.splice(positionOf(fold.placed, placed), 0, placed);
      fold.inBase++;
      fold.base = step(fold.key, fold.base, placed);
      fold.checkpoints = [];
      fold.staleFrom = fold.inBase;
    },
    release(fold, writer, page) {
      const isOfPage = ({ entry }: Placed): boolean =>
        entry.writer === writer && comparePages(entry.page, page) === 0;
      const last = fold.placed.findLastIndex(isOfPage);
      if (last >= fold.inBase) moveBase(fold, last + 1);
      if (last >= 0) drop(fold, isOfPage);
    },
  };
}
