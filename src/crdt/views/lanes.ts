import type { Emitter, Timestamp } from "../../base/index.ts";
import { comparePages, type PageName } from "../../protocol/index.ts";
import type { History } from "../history/history.ts";
import type { EntryLog } from "../lanes/entry-log.ts";

/** The lanes of a room as views read them: the live part and the sealed one. */
export interface Lanes {
  readonly log: EntryLog;
  readonly history: History;
  /** Writers whose register is here. */
  writers(): Iterable<string>;
  /** Whether nothing of a writer is here, and what an entry of this clock rests on there is not to be waited for any more. */
  isUnknown(writer: string, since: Timestamp): boolean;
  /** Told with a writer whose marks may have moved. */
  readonly marked: Emitter<string>;
}

/** How many entries a page of a lane has in full, where the page after it, or the register, says so. */
export function fullLength({ log, history }: Lanes, writer: string, page: PageName): number | undefined {
  const next = log
    .pages(writer)
    .find(({ previous }) => previous !== undefined && comparePages(previous.page, page) === 0);
  if (next?.previous) return next.previous.length;
  const head = history.marks(writer)?.head;
  return head?.page === `${page.number}-${page.client}` ? head.length : undefined;
}

/** Everybody whose lane may have a sealed part. */
export function allWriters(lanes: Lanes): Set<string> {
  return new Set([...lanes.writers(), ...lanes.log.writers()]);
}
