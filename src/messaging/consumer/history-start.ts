import { timestampToMs } from "../../base/index.ts";
import type { Documents, Entry } from "../../crdt/index.ts";
import { formatPageName, type LanePosition } from "../../protocol/index.ts";

/**
 * Where a consumer that nobody has opened before begins in the lanes that are there: with everything within retention,
 * with what is live of it, or with what comes from now on.
 */
export type ConsumerStart = "start" | "live" | "now";

/** The position to begin a lane at, `since` a time in milliseconds for `now`; undefined where that is its first entry. */
export function startOf(
  lane: string,
  { start, since }: { start: ConsumerStart; since: number },
  { log, history }: Pick<Documents, "log" | "history">,
): LanePosition | undefined {
  // What retention has taken is jumped over once the lane is read.
  if (start === "start") return undefined;
  const { low = 0 } = history.marks(lane) ?? {};
  const pages = log.pages(lane);
  if (start === "now") {
    // A lane may come late, with the past: then its clocks tell.
    const isNew = ({ clock }: Entry): boolean => timestampToMs(clock) >= since;
    const page = pages.find(({ name, entries }) => name.number >= low && entries.some(isNew)) ?? pages.at(-1);
    if (page && page.name.number >= low) {
      const index = page.entries.findIndex(isNew);
      const mark = index === -1 ? page.entries.length : index;
      return { below: page.name.number, pages: { [formatPageName(page.name)]: mark } };
    }
  }
  return low > 0 ? { below: low, pages: {} } : undefined;
}
