import { formatPageName, type Json, type JsonObject, type PageName } from "../../protocol/index.ts";

/** Which entries a view has dealt with: folded, or left waiting for a parent. */
export interface Coverage {
  /** How many entries of a page, from its first. */
  length(writer: string, page: PageName): number;
  cover(writer: string, page: PageName, length: number): void;
  /** Notes that the sealed page of a number is dealt with whole. */
  close(writer: string, number: number): void;
  /** Notes that every page below a number is, however many a register says there are. */
  closeBelow(writer: string, number: number): void;
  isClosed(writer: string, number: number): boolean;
  /** The lowest number whose sealed page is not known to be dealt with. */
  firstOpen(writer: string): number;
  /** Writers of whose lanes more was dealt with; whoever writes it down clears them. */
  readonly changed: Set<string>;
  toJson(writer: string): Json;
  /** Takes what `toJson` gave of lanes; false where it cannot be read. */
  restore(stored: Iterable<readonly [writer: string, lane: Json]>): boolean;
}

interface LaneCoverage {
  lengths: Map<string, number>;
  /** Numbers at or above `below` that are closed. */
  closed: Set<number>;
  /** Every lower number is closed. */
  below: number;
}

/** Creates a coverage of nothing. */
export function createCoverage(): Coverage {
  let lanes = new Map<string, LaneCoverage>();
  const changed = new Set<string>();

  /** The coverage of a lane, to be changed. */
  function laneOf(writer: string): LaneCoverage {
    changed.add(writer);
    const present = lanes.get(writer);
    if (present) return present;
    const made: LaneCoverage = { lengths: new Map(), closed: new Set(), below: 0 };
    lanes.set(writer, made);
    return made;
  }

  function raise(lane: LaneCoverage, below: number): void {
    lane.below = below;
    while (lane.closed.delete(lane.below)) lane.below++;
  }

  return {
    changed,
    length: (writer, page) => lanes.get(writer)?.lengths.get(formatPageName(page)) ?? 0,
    cover(writer, page, length) {
      laneOf(writer).lengths.set(formatPageName(page), length);
    },
    close(writer, number) {
      const lane = laneOf(writer);
      if (number === lane.below) raise(lane, number + 1);
      else if (number > lane.below) lane.closed.add(number);
    },
    closeBelow(writer, number) {
      const lane = laneOf(writer);
      for (const closed of lane.closed) if (closed < number) lane.closed.delete(closed);
      if (number > lane.below) raise(lane, number);
    },
    isClosed(writer, number) {
      const lane = lanes.get(writer);
      return lane !== undefined && (number < lane.below || lane.closed.has(number));
    },
    firstOpen: (writer) => lanes.get(writer)?.below ?? 0,
    toJson(writer) {
      const { lengths, closed, below } = lanes.get(writer) ?? laneOf(writer);
      return { lengths: Object.fromEntries(lengths), closed: [...closed], below };
    },
    restore(stored) {
      const read = [...stored].map(readLane);
      if (read.includes(undefined)) return false;
      lanes = new Map(read as [string, LaneCoverage][]);
      return true;
    },
  };
}

function readLane([writer, lane]: readonly [string, Json]): [string, LaneCoverage] | undefined {
  if (!isObject(lane) || !isObject(lane.lengths) || !Array.isArray(lane.closed)) return undefined;
  const { lengths, closed, below } = lane;
  if (![below, ...closed, ...Object.values(lengths)].every(isCount)) return undefined;
  return [
    writer,
    {
      lengths: new Map(Object.entries(lengths) as [string, number][]),
      closed: new Set(closed as number[]),
      below: below as number,
    },
  ];
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
