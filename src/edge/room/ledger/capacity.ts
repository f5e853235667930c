import { type DocumentName, maxPageBytes } from "../../../protocol/index.ts";
import type { RoomLimits } from "../limits.ts";
import type { RoomStorage } from "../ports.ts";
import { type LedgerRefusal, refusal } from "./admission.ts";
import type { DocumentLedger } from "./document-ledger.ts";
import { droppedPageBytes } from "./dropped-pages.ts";
import { compactBytes } from "./snapshot.ts";
import { updatesOf } from "./updates-of-rows.ts";

/** The rows of a register, in bytes: a record may fill half of it, since the next is there before the last one goes. */
const maxRegisterBytes = 1024 * 1024;
/** The rows of a page, in bytes: references, clocks and ids around the batches take less than the entries. */
const maxPageRowBytes = 2 * maxPageBytes;
/** A full document is looked through for history again once it has grown by this share of its capacity. */
const growthShare = 1 / 8;

/** How much room and documents may still take. */
export interface Capacity {
  /** Why a document may not take so many bytes more; undefined where it may. May compact the document. */
  shortage(document: DocumentLedger<unknown>, bytes: number): LedgerRefusal | undefined;
  /** What the room holds, staged or not, takes so many bytes more or, below 0, less. */
  grew(bytes: number): void;
  /** Forgets what it knows of a document that was compacted. */
  forget(document: number): void;
  /** A document goes, with what is staged of it. */
  release(document: DocumentLedger<unknown>): void;
}

export interface CapacityOptions {
  storage: RoomStorage;
  limits: Pick<RoomLimits, "documentBytes" | "roomBytes">;
  /** Compacts the committed rows of a document. */
  compact(document: number): void;
}

/** Creates the capacity of a room. */
export function createCapacity({ storage, limits, compact }: CapacityOptions): Capacity {
  /** Asked of the storage once, before anything is staged or dropped. */
  let used: number | undefined;
  /** Of documents that reached their capacity: their bytes when they were looked through, and what was history of it. */
  const examined = new Map<number, { bytes: number; history: number }>();

  function takenBy({ stored, staged }: DocumentLedger<unknown>): number {
    return stored.bytes + staged.bytes;
  }

  function isOver(document: DocumentLedger<unknown>, bytes: number): boolean {
    const history = examined.get(document.id)?.history ?? 0;
    const isFull = takenBy(document) + bytes - history > capacityOf(document.name, limits);
    return isFull || (used ?? 0) + bytes > limits.roomBytes;
  }

  /** A long history is no reason to refuse: what counts is the document without it. */
  function relieve(document: DocumentLedger<unknown>): void {
    const share = capacityOf(document.name, limits) * growthShare;
    if (takenBy(document) - (examined.get(document.id)?.bytes ?? 0) < share) return;
    compact(document.id);
    const bytes = takenBy(document);
    const { staged } = document;
    const history = staged.bytes < share ? 0 : bytes - compactBytes(everyUpdate(document));
    examined.set(document.id, { bytes, history: Math.max(0, history) });
  }

  function* everyUpdate({ id, staged }: DocumentLedger<unknown>): Iterable<Uint8Array> {
    for (const { parts } of storage.rowsOf(id)) yield* updatesOf(parts);
    for (const { update } of staged.updates) yield update;
  }

  return {
    shortage(document, bytes) {
      used ??= usedBytes(storage);
      if (!isOver(document, bytes)) return undefined;
      if (document.name.kind !== "lane") relieve(document);
      if (!isOver(document, bytes)) return undefined;
      const { name } = document.name;
      return used + bytes > limits.roomBytes
        ? refusal("edge/room-full", `The room would grow past ${limits.roomBytes} bytes.`)
        : refusal(
            "edge/document-full",
            `${name} would grow past ${capacityOf(document.name, limits)} bytes.`,
          );
    },
    grew(bytes) {
      if (used !== undefined) used += bytes;
    },
    forget: (document) => void examined.delete(document),
    release(document) {
      used = (used ?? usedBytes(storage)) - takenBy(document);
      examined.delete(document.id);
    },
  };
}

/** What a room takes of its limit. */
function usedBytes(storage: RoomStorage): number {
  return storage.size().bytes + droppedPageBytes * storage.droppedCount();
}

/** The most that a document may take, in bytes of its rows without history. */
function capacityOf(name: DocumentName, { documentBytes }: Pick<RoomLimits, "documentBytes">): number {
  switch (name.kind) {
    case "shared":
      return documentBytes;
    case "register":
      return maxRegisterBytes;
    case "lane":
      return maxPageRowBytes;
  }
}
