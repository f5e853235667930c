import { FlockError } from "../base/index.ts";
import type { ConsumerStart } from "../messaging/index.ts";
import { comparePlaces, type HistoryCursor, placeOf } from "./history-order.ts";

/**
 * Where a consumer that nobody has opened before begins in the lanes that are there: with all that retention has kept
 * (`start`), with what is live of it (`live`: about the newest 1,024 entries of each lane), with what comes from now on
 * (`now`), with what was said at a `time` or later, in milliseconds since the epoch (one that is yet to come is as `now`), or
 * behind the record of `room.history` that gave a `cursor`, the oldest first.
 */
export type MessageStart =
  | "start"
  | "live"
  | "now"
  | { readonly time: number }
  | { readonly cursor: HistoryCursor };

/** @throws `messaging/invalid-options`, `room/invalid-options` */
export function consumerStart(from: MessageStart): ConsumerStart {
  if (from === "start" || from === "live" || from === "now") return from;
  if (typeof from === "object" && from !== null) {
    if ("cursor" in from) {
      const place = placeOf(from.cursor);
      return { wanted: (entry) => comparePlaces(entry, place) > 0 };
    }
    if (Number.isFinite(from.time)) return from;
  }
  throw new FlockError(
    "messaging/invalid-options",
    `A consumer can't begin at ${JSON.stringify(from)}: say start, live or now, or give a time in milliseconds since the epoch, or a cursor.`,
  );
}
