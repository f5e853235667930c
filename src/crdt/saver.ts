import type { FlockError } from "../base/index.ts";
import type { KeyValueStore, StoredChange } from "./persistence/port.ts";
import type { Cursor } from "./transports/relay-link.ts";

/**
 * Stores what was received, and the cursor only once everything that it covers is stored: what this replica wrote, too,
 * as the relay never tells again what lies before a cursor.
 */
export interface Saver {
  /** There is something to store; with a cursor, everything up to it has been received. */
  note(cursor?: Cursor): void;
  /** Resolves when nothing is left to store, or storing has failed. */
  flush(): Promise<void>;
}

export interface SaverOptions {
  records: KeyValueStore;
  takeUnsaved(): StoredChange;
  /** Resolves when the shared documents' own databases hold what arrived. */
  confirmShared(): Promise<void>;
  /** Resolves with whether the writers' databases hold all that may have gone to the relay. */
  confirmOwn(): Promise<boolean>;
  onFailed(error: unknown): void;
}

/** The key of the cursor in the room's database. */
export const cursorKey = "cursor";

/** The cursor as it was stored; that of a replica that never joined where none was. */
export async function readCursor(records: KeyValueStore): Promise<Cursor> {
  const value: unknown = await records.get(cursorKey);
  if (typeof value === "object" && value !== null && "epoch" in value && "sequence" in value) {
    const { epoch, sequence } = value;
    if (typeof epoch === "string" && typeof sequence === "number") return { epoch, sequence };
  }
  return { epoch: "", sequence: 0 };
}

/** Creates a saver: one store at a time, and what comes meanwhile goes together into the next. */
export function createSaver(options: SaverOptions): Saver {
  const { records, takeUnsaved, confirmShared, confirmOwn, onFailed } = options;
  let noted = false;
  let cursor: Cursor | undefined;
  /** What a failed store left behind; goes first in the next. */
  let left: StoredChange = {};
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    await Promise.resolve();
    while (noted) {
      noted = false;
      const reached = cursor;
      cursor = undefined;
      const taken = takeUnsaved();
      const change: StoredChange = {
        put: [...(left.put ?? []).filter(([key]) => !taken.remove?.includes(key)), ...(taken.put ?? [])],
        remove: [...(left.remove ?? []), ...(taken.remove ?? [])],
      };
      try {
        if (reached) await confirmShared();
        const isCovered = reached && (await confirmOwn());
        await records.write(
          isCovered ? { ...change, put: [...(change.put ?? []), [cursorKey, { ...reached }]] } : change,
        );
        left = {};
        if (!isCovered) cursor ??= reached;
      } catch (failure) {
        left = change;
        cursor ??= reached;
        onFailed(failure as FlockError);
        return;
      }
    }
  }

  function start(): void {
    running ??= run().finally(() => {
      running = undefined;
    });
  }

  return {
    note(reached) {
      noted = true;
      if (reached) cursor = reached;
      start();
    },
    async flush() {
      if (left.put?.length || left.remove?.length || cursor) noted = true;
      if (noted) start();
      await running;
    },
  };
}
