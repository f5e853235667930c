import {
  formatPageName,
  type LanePosition,
  maxAhead,
  type PageName,
  parsePageName,
} from "../../protocol/index.ts";
import { floorOf, forget, isDone, isReached, type LanePage, pageAt, raise } from "./position.ts";
import { bounded, isBounded, laneStart, positionOf, samePosition, union } from "./position-union.ts";
import { absorb, contains, include, type Ranges } from "./ranges.ts";

/** How far one consumer is in one lane; what it takes of the pages at hand. Mutable: cheap for each entry. */
export interface LaneCursor {
  /** As registers publish it: the same object while nothing has changed. */
  record(): LanePosition;
  /** Takes over what another has passed, as far as a position may go; tells whether that was news. */
  learn(position: LanePosition): boolean;
  isDone(page: PageName, index: number, pages: readonly LanePage[]): boolean;
  /**
   * The entries to be dealt with, in the lane's order: those at hand that are not done, of at most `maxAhead` entries
   * from the first one that is not done. It stops where a page before is not here whole. A caller may mark entries done
   * while it iterates.
   */
  open(pages: readonly LanePage[]): Iterable<{ page: LanePage; index: number }>;
  /** Entries `from` up to and without `to` of a page are done, whatever became of them. */
  pass(pages: readonly LanePage[], page: PageName, from: number, to: number): void;
  /** Deliveries begun of an entry that is not done. */
  tries(page: PageName, index: number): number;
  /** Another has begun. */
  begin(page: PageName, index: number): void;
  /** On to the page of a number, past what retention took. */
  jump(below: number): void;
}

/** What a position says of one page. */
interface PageState {
  readonly page: PageName;
  /** Undefined until all that the page rests on is done. */
  floor: number | undefined;
  readonly done: Ranges;
  /** By index; undefined while there are none, as nearly always. */
  tries: Map<number, number> | undefined;
}

/** Creates the cursor of a lane from what a register says of it; by default before its first entry. */
export function createLaneCursor(from: LanePosition = laneStart): LaneCursor {
  let below = 0;
  let states = new Map<string, PageState>();
  /** The page in hand: entries come page by page. */
  let recent: PageState | undefined;
  /** The position in the register's words; undefined once it has changed. */
  let said: LanePosition | undefined;
  /** Whether there may be more to raise than a page's end shows. */
  let isStale = true;

  function load(position: LanePosition): void {
    below = position.below;
    states = new Map();
    recent = undefined;
    said = position;
    for (const [name, floor] of Object.entries(position.pages)) {
      const state = stateOf(name);
      if (state) state.floor = floor;
    }
    for (const [name, bounds] of Object.entries(position.done ?? {})) stateOf(name)?.done.push(...bounds);
    for (const [place, count] of Object.entries(position.tries ?? {})) {
      const [name = "", index] = place.split("/");
      const state = stateOf(name);
      if (!state) continue;
      state.tries ??= new Map();
      state.tries.set(Number(index), count);
    }
  }

  function stateOf(name: string): PageState | undefined {
    const page = parsePageName(name);
    return page && (find(page) ?? make(page));
  }

  function find(page: PageName): PageState | undefined {
    if (recent && recent.page.number === page.number && recent.page.client === page.client) return recent;
    const found = states.get(formatPageName(page));
    if (found) recent = found;
    return found;
  }

  function make(page: PageName): PageState {
    const made: PageState = { page, floor: undefined, done: [], tries: undefined };
    states.set(formatPageName(page), made);
    recent = made;
    return made;
  }

  function record(): LanePosition {
    if (said) return said;
    const parts = {
      below,
      pages: {} as Record<string, number>,
      done: {} as Record<string, number[]>,
      tries: {} as Record<string, number>,
    };
    for (const [name, { floor, done, tries }] of states) {
      if (floor !== undefined) parts.pages[name] = floor;
      if (done.length > 0) parts.done[name] = [...done];
      for (const [index, count] of tries ?? []) parts.tries[`${name}/${index}`] = count;
    }
    said = positionOf(parts);
    return said;
  }

  function isPassed(page: PageName, index: number, pages: readonly LanePage[]): boolean {
    if (page.number < below) return isDone(record(), page, index, pages);
    const state = find(page);
    return state !== undefined && (index < (state.floor ?? 0) || contains(state.done, index));
  }

  function floorIn(page: PageName, pages: readonly LanePage[]): number {
    return page.number < below ? floorOf(record(), page, pages) : (find(page)?.floor ?? 0);
  }

  /** Whether the pages that may be forgotten next are read, and a later one may say that they are complete. */
  function isAtEnd(pages: readonly LanePage[]): boolean {
    const last = pages.at(-1);
    if (!last || last.name.number <= below) return false;
    for (const { name, entries } of pages) {
      if (name.number > below) return true;
      if (name.number === below && (find(name)?.floor ?? 0) < entries.length) return false;
    }
    return true;
  }

  function settle(after: LanePosition): void {
    isStale = false;
    if (!samePosition(record(), after)) load(after);
  }

  /** Whether all that a page rests on is at hand, be it done or not. */
  function isPreceded(page: LanePage, pages: readonly LanePage[]): boolean {
    const { previous } = page;
    if (previous === undefined || previous.length <= floorIn(previous.page, pages)) return true;
    const before = pageAt(previous.page, pages);
    return before !== undefined && before.entries.length >= previous.length;
  }

  load(from);

  return {
    record,
    learn(position) {
      const before = record();
      const joined = union(before, bounded(position));
      if (samePosition(before, joined) || !isBounded(joined)) return false;
      load(joined);
      isStale = true;
      return true;
    },
    isDone: isPassed,
    *open(pages) {
      if (isStale) settle(forget(raise(record(), pages), pages));
      /** Entries from the first one that is left on. */
      let ahead = 0;
      for (const page of pages) {
        const { name, entries } = page;
        let index = Math.min(floorIn(name, pages), entries.length);
        // What is below has no bytes in a position.
        if (ahead > 0 && name.number >= below) ahead += index;
        if (index === entries.length) continue;
        if (!isPreceded(page, pages)) return;
        for (; index < entries.length; index++) {
          if (ahead > 0 && ++ahead > maxAhead) return;
          if (isPassed(name, index, pages)) continue;
          yield { page, index };
          if (ahead === 0 && !isPassed(name, index, pages)) ahead = 1;
        }
      }
    },
    pass(pages, page, from, to) {
      if (from >= to) return;
      const floor = page.number < below ? floorOf(record(), page, pages) : 0;
      if (to <= floor) return;
      const state = find(page) ?? make(page);
      if (state.floor === undefined) {
        const here = pageAt(page, pages);
        if (here && isReached(record(), here, pages)) state.floor = 0;
      }
      if (floor > 0) state.floor = Math.max(state.floor ?? 0, floor);
      if (state.floor !== undefined && from <= state.floor) {
        state.floor = absorb(state.done, Math.max(state.floor, to));
      } else include(state.done, from, to);
      if (state.tries) {
        for (const index of state.tries.keys()) if (index >= from && index < to) state.tries.delete(index);
      }
      said = undefined;
      if (isStale || isAtEnd(pages)) settle(forget(raise(record(), pages), pages));
    },
    tries: (page, index) => find(page)?.tries?.get(index) ?? 0,
    begin(page, index) {
      const state = find(page) ?? make(page);
      state.tries ??= new Map();
      state.tries.set(index, (state.tries.get(index) ?? 0) + 1);
      said = undefined;
    },
    jump(number) {
      if (number <= below) return;
      for (const [name, { page }] of states) if (page.number < number) states.delete(name);
      below = number;
      recent = undefined;
      said = undefined;
      isStale = true;
    },
  };
}
