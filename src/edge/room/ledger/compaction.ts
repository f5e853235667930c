import type { Clock } from "../../../base/index.ts";
import type { RoomStorage, StoredSize } from "../ports.ts";
import type { Ledger } from "./ledger.ts";

/** What a row costs a join and the storage beyond its bytes, in bytes. */
const rowCost = 256;
/**
 * A document is due once what was written since its snapshot costs as much as that, and this at least: 200 small rows.
 * So a document takes at most about twice its size, and is written at most about twice over.
 */
const leastDebt = 200 * rowCost;
/** How long a document that is due may go on gathering rows. */
const delayMs = 2_000;
/** Documents that are due already when the room wakes, at most. */
const maxWaking = 1_000;
/** After a failure a document is tried again once it has grown by this factor. */
const growthToRetry = 2;
/** Audit entries that are kept ... */
const maxAuditEntries = 10_000;
/** ... and those beyond, before they are removed. */
const auditSlack = 1_000;

/** Keeps rows and audit trail short, a little at a time. Writes in its own transactions, never in a turn's. */
export interface Compactor {
  /** When `run` is to be called, in milliseconds since 1970; undefined while nothing is due. Cheap enough for every turn. */
  nextDueAt(): number | undefined;
  /** Compacts at most one document that is due, and trims the audit trail. Throws where the storage does. */
  run(): void;
}

export interface CompactorOptions {
  storage: RoomStorage;
  ledger: Pick<Ledger<unknown>, "takeGrown" | "growthOf" | "compact" | "audited">;
  clock: Pick<Clock, "now">;
}

/** Creates the compactor of a room that begins, or that wakes. */
export function createCompactor({ storage, ledger, clock }: CompactorOptions): Compactor {
  /** When each document is due: all wait equally long, so the first is the earliest. */
  const due = new Map<number, number>();
  const failed = new Map<number, Readonly<StoredSize>>();
  /** Looked up once, at the first question. */
  let auditTrail: { kept: number; seen: number } | undefined;

  function isDue(id: number): boolean {
    const growth = ledger.growthOf(id);
    if (!growth) {
      failed.delete(id);
      return false;
    }
    const { rows, bytes } = growth.stored;
    const before = failed.get(id);
    if (before && rows < before.rows * growthToRetry && bytes < before.bytes * growthToRetry) return false;
    // Without the snapshot first: it may have to be read.
    const most = bytes + rows * rowCost;
    return most >= leastDebt && most - growth.snapshotBytes >= Math.max(leastDebt, growth.snapshotBytes);
  }

  function gather(): void {
    if (!auditTrail) {
      const [oldest] = storage.auditAfter(0, 1);
      const kept = oldest ? storage.lastAudit() - oldest.id + 1 : 0;
      auditTrail = { kept, seen: ledger.audited };
      for (const id of storage.longDocuments(leastDebt / rowCost, maxWaking)) note(id, clock.now());
    }
    auditTrail.kept += ledger.audited - auditTrail.seen;
    auditTrail.seen = ledger.audited;
    for (const id of ledger.takeGrown()) note(id, clock.now() + delayMs);
  }

  function note(id: number, at: number): void {
    if (!due.has(id) && isDue(id)) due.set(id, at);
  }

  function isAuditLong(): boolean {
    return (auditTrail?.kept ?? 0) >= maxAuditEntries + auditSlack;
  }

  function trimAudit(): void {
    storage.commit({ trimAudit: storage.lastAudit() - maxAuditEntries });
    if (auditTrail) auditTrail.kept = maxAuditEntries;
  }

  return {
    nextDueAt() {
      gather();
      if (isAuditLong()) return clock.now();
      return due.values().next().value;
    },
    run() {
      gather();
      if (isAuditLong()) trimAudit();
      const next = due.entries().next().value;
      if (!next || next[1] > clock.now()) return;
      const [id] = next;
      due.delete(id);
      if (!isDue(id)) return;
      const compaction = ledger.compact(id);
      if (compaction?.outcome === "failed") failed.set(id, compaction.size);
      else failed.delete(id);
    },
  };
}
