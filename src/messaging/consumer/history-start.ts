import { isFlockError, timestampToMs } from "../../base/index.ts";
import type { Documents, Entry, LoggedPage } from "../../crdt/index.ts";
import { formatPageName, type LanePosition } from "../../protocol/index.ts";

/**
 * Where a consumer that nobody has opened before begins in the lanes that are there: with everything within retention
 * (`start`), with what is live of it, with what comes from now on, with what was said at or past a `time` in
 * milliseconds since the epoch, or with the first entry of each lane that is `wanted`. It takes it that a lane's clocks
 * ascend, and that what comes after a wanted entry is wanted too.
 */
export type ConsumerStart =
  | "start"
  | "live"
  | "now"
  | { readonly time: number }
  | { readonly wanted: (entry: Entry) => boolean };

export interface LaneStartOptions {
  start: ConsumerStart;
  /** When the consumer was opened, in milliseconds since the epoch. */
  since: number;
}

type Known = Pick<Documents, "log" | "history">;

/**
 * The position to begin a lane at, as far as what is live tells it: undefined where that is its first entry, and `sealed`
 * where history has to be looked into.
 */
export function startOf(
  lane: string,
  { start, since }: LaneStartOptions,
  { log, history }: Known,
): LanePosition | "sealed" | undefined {
  // What retention has taken is jumped over once the lane is read.
  if (start === "start") return undefined;
  const { low = 0, first = 0 } = history.marks(lane) ?? {};
  const live = log.pages(lane).filter(({ name }) => name.number >= low);
  if (start !== "live") {
    // A lane may come late, with the past: then its clocks tell, for `now` too.
    const isWanted = wantedBy(start, since);
    const page = live.find(({ entries }) => entries.some(isWanted));
    const mayBeSealed = start !== "now" && low > first;
    if (mayBeSealed && (live.length === 0 || live[0]?.entries.some(isWanted))) {
      const earliest = live[0]?.entries[0];
      if (!earliest || isWanted(earliest)) return "sealed";
    }
    const last = page ?? live.at(-1);
    if (last) return beginIn(last.name.number, live, isWanted);
  }
  return low > 0 ? { below: low, pages: {} } : undefined;
}

/**
 * The position to begin a lane at where that may be in its sealed part: reads a logarithm of its pages.
 *
 * @throws what reading history throws
 */
export async function seekStart(
  lane: string,
  { start, since, signal }: LaneStartOptions & { signal: AbortSignal },
  { history }: Known,
): Promise<LanePosition | undefined> {
  const isWanted = wantedBy(start, since);
  const { low = 0, first = 0 } = history.marks(lane) ?? {};
  let [from, upTo] = [first, low];
  let found: LoggedPage | undefined;

  /** The first page from a number on: a lane may skip some. */
  async function pageFrom(number: number): Promise<LoggedPage | undefined> {
    for (let next = number; next < upTo; next++) {
      try {
        return await history.page(lane, next, { signal });
      } catch (failure) {
        const isTaken = next < (history.marks(lane)?.first ?? 0);
        if (isTaken || !isFlockError(failure, "crdt/history-lost")) throw failure;
      }
    }
    return undefined;
  }

  while (from < upTo) {
    const middle = (from + upTo) >> 1;
    const page = await pageFrom(middle);
    const last = page?.entries.at(-1);
    if (page && last && !isWanted(last)) from = page.name.number + 1;
    else {
      upTo = middle;
      found = page ?? found;
    }
  }
  if (found) return beginIn(found.name.number, [found], isWanted);
  return low > 0 ? { below: low, pages: {} } : undefined;
}

function wantedBy(start: ConsumerStart, since: number): (entry: Entry) => boolean {
  if (typeof start === "object" && "wanted" in start) return start.wanted;
  const from = typeof start === "object" ? start.time : since;
  return ({ clock }) => timestampToMs(clock) >= from;
}

/** The position before the first wanted entry of each page of a number. */
function beginIn(
  number: number,
  pages: readonly LoggedPage[],
  isWanted: (entry: Entry) => boolean,
): LanePosition {
  const marks: Record<string, number> = {};
  for (const { name, entries } of pages) {
    if (name.number !== number) continue;
    const index = entries.findIndex(isWanted);
    marks[formatPageName(name)] = index === -1 ? entries.length : index;
  }
  return { below: number, pages: marks };
}
