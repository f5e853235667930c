import type { Timestamp } from "../../base/index.ts";
import type { Entry } from "../lanes/entry.ts";

/**
 * What is known of a parent: its clock, or any that is earlier than the child's; that there is none; that it may still
 * come; or that history has to be asked.
 */
export type KnownParent = Timestamp | "absent" | "waits" | "sealed";

/** The parent that keeps an entry from its place. */
export interface Keeper {
  readonly parent: string;
  readonly isSealed: boolean;
}

/** The clock that an entry folds by, the later of its own and one past its parents', or the first parent in the way. */
export function effectiveClock(
  entry: Entry,
  known: (parent: string, childClock: Timestamp) => KnownParent,
): Timestamp | Keeper {
  let effective = entry.clock;
  for (const parent of entry.parents) {
    const parentIs = known(parent, entry.clock);
    if (parentIs === "waits" || parentIs === "sealed") return { parent, isSealed: parentIs === "sealed" };
    if (parentIs !== "absent") effective = Math.max(effective, parentIs + 1);
  }
  return effective;
}
