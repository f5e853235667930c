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
  toJson(): Json;
  /** Takes what `toJson` gave; false where it cannot be read. */
  restore(stored: Json): boolean;
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

  function laneOf(writer: string): LaneCoverage {
    const present = lanes.get(writer);
    if (present) return present;
    const made: LaneCoverage = { lengths: new Map(), closed: new Set(), below: 0 };
    lanes.set(writer, made);
    return made;
  }

  return {
    length: (writer, page) => lanes.get(writer)?.lengths.get(formatPageName(page)) ?? 0,
    cover(writer, page, length) {
      laneOf(writer).lengths.set(formatPageName(page), length);
    },
    close(writer, number) {
      const lane = laneOf(writer);
      if (number < lane.below) return;
      lane.closed.add(number);
      while (lane.closed.delete(lane.below)) lane.below++;
    },
    closeBelow(writer, number) {
      const lane = laneOf(writer);
      lane.below = Math.max(lane.below, number);
      for (const each of lane.closed) if (each < lane.below) lane.closed.delete(each);
      while (lane.closed.delete(lane.below)) lane.below++;
    },
    isClosed(writer, number) {
      const lane = lanes.get(writer);
      return lane !== undefined && (number < lane.below || lane.closed.has(number));
    },
    firstOpen: (writer) => lanes.get(writer)?.below ?? 0,
    toJson: () =>
      Object.fromEntries(
        [...lanes].map(([writer, { lengths, closed, below }]) => [
          writer,
          { lengths: Object.fromEntries(lengths), closed: [...closed], below },
        ]),
      ),
    restore(stored) {
      const read = isObject(stored) ? Object.entries(stored).map(readLane) : [undefined];
      if (read.includes(undefined)) return false;
      lanes = new Map(read as [string, LaneCoverage][]);
      return true;
    },
  };
}

function readLane([writer, lane]: [string, Json]): [string, LaneCoverage] | undefined {
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
