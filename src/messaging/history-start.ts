import type { Documents } from "../crdt/index.ts";
import { formatPageName, type LanePosition } from "../protocol/index.ts";

/**
 * Where a consumer that nobody has opened before begins in the lanes that are there: with everything within retention,
 * with what is live of it, or with what comes from now on.
 */
export type ConsumerStart = "start" | "live" | "now";

/** The position to begin a lane at; undefined where that is its first entry. */
export function startOf(
  lane: string,
  start: ConsumerStart,
  { log, history }: Pick<Documents, "log" | "history">,
): LanePosition | undefined {
  const { low = 0, first = 0 } = history.marks(lane) ?? {};
  const pages = log.pages(lane);
  const last = pages.at(-1)?.name.number ?? -1;
  if (start === "now" && last >= low) {
    const newest = pages.filter(({ name }) => name.number === last);
    const marks = newest.map(({ name, entries }) => [formatPageName(name), entries.length]);
    return { below: last, pages: Object.fromEntries(marks) };
  }
  const below = start === "start" ? first : low;
  return below > 0 ? { below, pages: {} } : undefined;
}
