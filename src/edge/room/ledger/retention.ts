import type { Clock } from "../../../base/index.ts";
import { conditionOf } from "../condition.ts";
import type { RoomStorage } from "../ports.ts";
import { dayMs, dayOf } from "./days.ts";
import type { Ledger } from "./ledger.ts";

/** Documents that one run drops: of 512 KiB at most, so that a turn stays short. */
const maxDocuments = 32;

/** Drops the pages and register of writers who wrote nothing for long. Shared documents stay. */
export interface Retention {
  /** When `run` is to be called, in milliseconds since 1970; undefined while nobody can be due. Cheap enough for every turn. */
  nextDueAt(): number | undefined;
  /** Stages the end of some documents that are past retention, if there are any. */
  run(): void;
  /** Forgets what it knows, after somebody else wrote documents. */
  reload(): void;
}

export interface RetentionOptions {
  storage: RoomStorage;
  ledger: Pick<Ledger<unknown>, "lastDocument" | "expire">;
  clock: Pick<Clock, "now">;
  /** For how many whole days a writer may write nothing; with 0 everything stays. */
  days: number;
}

/**
 * Creates the retention of a room that begins, or that wakes. It looks at the writers only once whoever wrote longest
 * ago may be due, which is once a day at most, and at the time of day at which the first of them came: the rooms of a
 * relay do not all wake at midnight.
 */
export function createRetention({ storage, ledger, clock, days }: RetentionOptions): Retention {
  /** The number of the newest document when there was no writer to wait for. */
  let lookedAt: number | undefined;

  function waitFor(moment: number | undefined): void {
    storage.commit({ settings: { retention: moment === undefined ? undefined : String(moment) } });
  }

  /** Begins to wait, where there are writers by now: a document of theirs may be the newest. */
  function begin(): number | undefined {
    if (lookedAt === ledger.lastDocument) return undefined;
    lookedAt = ledger.lastDocument;
    const [first] = storage.idlestWriters(1);
    if (!first) return undefined;
    const from = momentOf(first.day, clock.now());
    waitFor(from);
    return from;
  }

  return {
    nextDueAt() {
      if (days === 0) return undefined;
      const stored = storage.setting("retention");
      const from = stored === undefined ? begin() : Number(stored);
      return from === undefined ? undefined : from + (days + 1) * dayMs;
    },
    run() {
      const from = Number(storage.setting("retention"));
      const now = clock.now();
      if (days === 0 || !(from + (days + 1) * dayMs <= now)) return;
      // What a halted room holds stays as it is; a day later is soon enough.
      if (conditionOf(storage) !== "open") {
        waitFor(now - days * dayMs);
        return;
      }
      let left = maxDocuments;
      for (const { writer, day } of storage.idlestWriters(maxDocuments)) {
        if (day + days >= dayOf(now)) {
          if (left === maxDocuments) waitFor(momentOf(day, from));
          return;
        }
        const documents = storage.documentsOf(writer, left);
        ledger.expire(writer, documents);
        left -= documents.length;
        if (left === 0) return;
      }
      if (left === maxDocuments) waitFor(undefined);
    },
    reload() {
      lookedAt = undefined;
    },
  };
}

/** A moment of a day, at the time of day of another. */
function momentOf(day: number, like: number): number {
  return day * dayMs + (like % dayMs);
}
