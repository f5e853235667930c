import { type LanePosition, maxAhead, parsePageName } from "../../protocol/index.ts";
import { absorb, contains, include, type Ranges } from "./ranges.ts";

/** The position before a lane's first entry. */
export const laneStart: LanePosition = { below: 0, pages: {} };

/** The page of `page/index`. */
export function pageOf(place: string): string {
  return place.slice(0, place.indexOf("/"));
}

/** The index of `page/index`. */
export function indexOf(place: string): number {
  return Number(place.slice(place.indexOf("/") + 1));
}

/** The entries of a record that a test keeps. */
export function filtered<T>(
  record: Readonly<Record<string, T>>,
  isKept: (key: string, value: T) => boolean,
): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([key, value]) => isKept(key, value)));
}

interface PositionParts {
  below: number;
  pages: Record<string, number>;
  done: Record<string, number[]>;
  tries: Record<string, number>;
}

/** Without what says nothing. */
export function positionOf({ below, pages, done, tries }: PositionParts): LanePosition {
  const above = filtered(done, (_, bounds) => bounds.length > 0);
  return {
    below,
    pages,
    ...(Object.keys(above).length > 0 && { done: above }),
    ...(Object.keys(tries).length > 0 && { tries }),
  };
}

/** The position that is past whatever either is past. */
export function union(a: LanePosition, b: LanePosition): LanePosition {
  const pages = greatest(a.pages, b.pages);
  const done: Record<string, Ranges> = {};
  for (const record of [a.done ?? {}, b.done ?? {}]) {
    for (const [name, bounds] of Object.entries(record)) {
      done[name] ??= [];
      for (let at = 0; at < bounds.length; at += 2) {
        include(done[name], bounds[at] as number, bounds[at + 1] as number);
      }
    }
  }
  for (const [name, floor] of Object.entries(pages)) {
    if (done[name]) pages[name] = absorb(done[name], floor);
  }
  const tries = filtered(greatest(a.tries, b.tries), (place) => {
    const [name, index] = [pageOf(place), indexOf(place)];
    return index >= (pages[name] ?? 0) && !contains(done[name] ?? [], index);
  });
  return positionOf({ below: Math.max(a.below, b.below), pages, done, tries });
}

/**
 * What of another's position may be joined: a member of a group may say anything, and what is further ahead than a
 * consumer goes would grow in every register that takes it over.
 */
export function bounded(position: LanePosition): LanePosition {
  const done: Record<string, Ranges> = {};
  for (const [name, bounds] of Object.entries(filtered(position.done ?? {}, isPage))) {
    const end = (position.pages[name] ?? 0) + maxAhead;
    const within: Ranges = [];
    for (let at = 0; at < bounds.length; at += 2) {
      include(within, bounds[at] as number, Math.min(bounds[at + 1] as number, end));
    }
    done[name] = within;
  }
  const pages = filtered(position.pages, isPage);
  const tries = filtered(position.tries ?? {}, (place) => isPage(pageOf(place)));
  return positionOf({ below: position.below, pages, done, tries });
}

/** Whether a position says no more than one that keeps within `maxAhead`, of each kind. */
export function isBounded({ pages, done = {}, tries = {} }: LanePosition): boolean {
  const bounds = Object.values(done).reduce((sum, each) => sum + each.length, 0);
  return Math.max(Object.keys(pages).length, Object.keys(tries).length, bounds) <= 2 * maxAhead;
}

function isPage(name: string): boolean {
  return parsePageName(name) !== undefined;
}

function greatest(
  a: Readonly<Record<string, number>> = {},
  b: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const joined = { ...a };
  for (const [key, value] of Object.entries(b)) joined[key] = Math.max(value, joined[key] ?? 0);
  return joined;
}

/** Tells whether two positions are the same. */
export function samePosition(a: LanePosition, b: LanePosition): boolean {
  return (
    a === b ||
    (a.below === b.below &&
      sameValues(a.pages, b.pages, (one, other) => one === other) &&
      sameValues(a.done, b.done, sameNumbers) &&
      sameValues(a.tries, b.tries, (one, other) => one === other))
  );
}

function sameValues<T>(
  a: Readonly<Record<string, T>> = {},
  b: Readonly<Record<string, T>> = {},
  isSame: (one: T, other: T) => boolean,
): boolean {
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => {
      const [one, other] = [a[key], b[key]];
      return one !== undefined && other !== undefined && isSame(one, other);
    })
  );
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
