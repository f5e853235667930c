import { formatPageName } from "../../../protocol/index.ts";
import type { RoomStorage, StoredDroppedPage } from "../ports.ts";

/** What a dropped page leaves behind in SQLite, in bytes; it counts, or drops without end would be free. */
export const droppedPageBytes = 20;

/**
 * The pages that writers have dropped, as stored and as the turn adds. Such a page may still be held somewhere: begun
 * again with other content under the same clocks, it would be two pages for good.
 */
export interface DroppedPages {
  has(dropped: StoredDroppedPage): boolean;
  add(dropped: StoredDroppedPage): void;
  /** A register goes; returns how many pages go with it. */
  forget(register: number): number;
  /** The staged ones, for the commit. */
  changes(): StoredDroppedPage[];
  /** What was staged is committed, or void. */
  settle(): void;
}

/** Creates the dropped pages of a room. */
export function createDroppedPages(storage: Pick<RoomStorage, "wasDropped" | "droppedCount">): DroppedPages {
  const staged = new Map<string, StoredDroppedPage>();

  return {
    has: (dropped) => staged.has(keyOf(dropped)) || storage.wasDropped(dropped),
    add: (dropped) => void staged.set(keyOf(dropped), dropped),
    forget(register) {
      let forgotten = storage.droppedCount(register);
      for (const [key, dropped] of staged) {
        if (dropped.register === register && staged.delete(key)) forgotten++;
      }
      return forgotten;
    },
    changes: () => [...staged.values()],
    settle: () => staged.clear(),
  };
}

function keyOf({ register, page }: StoredDroppedPage): string {
  return `${register}/${formatPageName(page)}`;
}
