import type { Clock } from "../../base/index.ts";
import type { Alarms } from "./alarms.ts";
import { createCompactor } from "./ledger/compaction.ts";
import type { Ledger } from "./ledger/ledger.ts";
import { createRetention } from "./ledger/retention.ts";
import type { RoomStorage } from "./ports.ts";

/** What a room does for its storage between turns: it compacts documents, and drops those past retention. */
export interface Upkeep {
  /** Sets the alarms for both. Cheap enough for every turn. */
  watch(): void;
  /** Sets the alarm for retention alone, upon waking: what is to be compacted is looked for at the next turn. */
  watchRetention(): void;
  compact(): void;
  expire(): void;
  /** Somebody else wrote documents. */
  reload(): void;
}

export interface UpkeepOptions {
  storage: RoomStorage;
  ledger: Ledger<unknown>;
  clock: Clock;
  alarms: Pick<Alarms, "set">;
  retentionDays: number;
  /** What is staged has later sequences, and a snapshot is of rows; what is dropped is told at once. */
  endTurn(): void;
}

/** Creates the upkeep of a room that begins, or that wakes. */
export function createUpkeep({
  storage,
  ledger,
  clock,
  alarms,
  retentionDays,
  endTurn,
}: UpkeepOptions): Upkeep {
  const compactor = createCompactor({ storage, ledger, clock });
  const retention = createRetention({ storage, ledger, clock, days: retentionDays });

  function watchCompaction(): void {
    alarms.set("compaction", compactor.nextDueAt());
  }

  function watchRetention(): void {
    alarms.set("retention", retention.nextDueAt());
  }

  return {
    watch() {
      watchCompaction();
      watchRetention();
    },
    watchRetention,
    compact() {
      endTurn();
      compactor.run();
      watchCompaction();
    },
    expire() {
      endTurn();
      retention.run();
      endTurn();
      watchRetention();
    },
    reload() {
      retention.reload();
      watchRetention();
    },
  };
}
