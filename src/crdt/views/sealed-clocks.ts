import type { Timestamp } from "../../base/index.ts";
import { comparePages, type EntryAddress, parseEntryId } from "../../protocol/index.ts";
import { isUnreadable } from "../history/failures.ts";
import type { History, ReadOptions } from "../history/history.ts";
import type { Entry } from "../lanes/entry.ts";
import { effectiveClock, type KnownParent } from "./effective.ts";
import { pageKey } from "./place.ts";

/** Finds the clocks that sealed entries fold by, whose parents may be sealed as well. */
export interface SealedClocks {
  /**
   * Ends once the clock of an entry was found, it is known to be absent, or it has to wait itself.
   *
   * @throws what reading history throws
   */
  read(id: string, options: ReadOptions): Promise<void>;
  /** Whether the sealed page of this number is known to be another one: this one's document may still come. */
  isOther(address: EntryAddress): boolean;
}

export interface SealedClocksOptions {
  history: History;
  known(id: string, childClock: Timestamp): KnownParent;
  found(id: string, clock: Timestamp | "absent"): void;
  /** An entry has to wait for this parent. */
  keep(entry: Entry, parent: string): void;
}

/** Creates the finder. */
export function createSealedClocks({ history, known, found, keep }: SealedClocksOptions): SealedClocks {
  /** Pages whose number the chain gives to another page. */
  const others = new Set<string>();

  async function entryOf(id: string, options: ReadOptions): Promise<Entry | "absent" | "other"> {
    const address = parseEntryId(id);
    if (!address) return "absent";
    try {
      const page = await history.page(address.writer, address.page.number, options);
      if (comparePages(page.name, address.page) === 0) return page.entries[address.index] ?? "absent";
      others.add(pageKey(address));
      return "other";
    } catch (failure) {
      if (isUnreadable(failure)) return "absent";
      throw failure;
    }
  }

  /** Settles an entry, or names the sealed parent that has to be read first. */
  function settle(entry: Entry, open: ReadonlySet<string>): string | undefined {
    const clock = effectiveClock(entry, known);
    if (typeof clock === "number") {
      found(entry.id, clock);
      return undefined;
    }
    // One that is open already rests on this one: in a circle nobody folds.
    if (clock.isSealed && !open.has(clock.parent)) return clock.parent;
    keep(entry, clock.parent);
    return undefined;
  }

  return {
    isOther: (address) => others.has(pageKey(address)),
    // A stack of our own: a chain of parents may be longer than the machine's.
    async read(id, options) {
      const stack: { id: string; entry?: Entry }[] = [{ id }];
      const open = new Set([id]);
      for (let top = stack.at(-1); top; top = stack.at(-1)) {
        const read = top.entry ?? (await entryOf(top.id, options));
        if (typeof read !== "string") {
          const first = settle(read, open);
          if (first !== undefined) {
            top.entry = read;
            open.add(first);
            stack.push({ id: first });
            continue;
          }
        } else if (read === "absent") found(top.id, "absent");
        open.delete(top.id);
        stack.pop();
      }
    },
  };
}
