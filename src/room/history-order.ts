import { FlockError } from "../base/index.ts";
import type { Entry } from "../crdt/index.ts";
import { comparePages, parseEntryId } from "../protocol/index.ts";

/** A place in the history of a room, of which another call goes on, here or on any other replica: plain JSON. */
export interface HistoryCursor {
  /** The hybrid clock of the record. */
  readonly clock: number;
  /** The record's id. */
  readonly id: string;
}

/** Where an entry stands. */
export type HistoryPlace = Pick<Entry, "clock" | "writer" | "page" | "index">;

/** The order of a room's history: clock, writer, page, index. */
export function comparePlaces(a: HistoryPlace, b: HistoryPlace): number {
  if (a.clock !== b.clock) return a.clock - b.clock;
  if (a.writer !== b.writer) return a.writer < b.writer ? -1 : 1;
  return comparePages(a.page, b.page) || a.index - b.index;
}

/** @throws `room/invalid-options` where it is no cursor. */
export function placeOf({ clock, id }: HistoryCursor): HistoryPlace {
  const address = typeof id === "string" ? parseEntryId(id) : undefined;
  if (address && Number.isSafeInteger(clock) && clock >= 0) return { clock, ...address };
  throw new FlockError(
    "room/invalid-options",
    "The cursor is none of a room's history: hand back the `cursor` of a record as it was.",
  );
}
