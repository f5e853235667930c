import {
  type Acceptance,
  type DocumentName,
  type GateOptions,
  updatePartBytes,
} from "../../../protocol/index.ts";
import type { RoomStorage, StoredClock, StoredPlace, StoredRow, StoredSize } from "../ports.ts";
import type { ClientCache } from "./client-cache.ts";
import { gateOptionsOf } from "./judging.ts";
import { createPlaceLedger, type PlaceCache } from "./place-ledger.ts";
import { intoRows, type UpdateRow } from "./updates-of-rows.ts";

/** An accepted update, and who sent it. */
export interface LedgerUpdate<Author> {
  author: Author;
  update: Uint8Array;
}

/** A row that a commit wrote, with the updates in it. */
export type LedgerRow<Author> = StoredRow & UpdateRow<LedgerUpdate<Author>>;

/** Of one row that a turn writes, in bytes, or one update: what a reader is sent at once. */
const rowBytes = 256 * 1024;
/** An update is a view of the frame that it came in, which must not stay for a small part of it. */
const maxFrameShare = 4;
/** A frame of so many bytes may stay for any update. */
const smallFrameBytes = 1024;

/** What the relay knows of one document, looked up as the gate asks, and what the turn adds to it. */
export interface DocumentLedger<Author> {
  readonly id: number;
  readonly name: DocumentName;
  /** How the gate is to judge the next update. */
  readonly gate: GateOptions;
  /** The clocks after everything staged. */
  clockOf(client: number): number;
  /** The principal that a Yjs client belongs to; undefined where it is new, empty where it is nobody's yet. */
  ownerOf(client: number): string | undefined;
  /** Stages an update that the gate accepted; clients that are nobody's then belong to `owner`. Returns the bytes that it takes. */
  stage(update: Uint8Array, acceptance: Acceptance, from: { author: Author; owner: string }): number;
  /** The next clocks of all its Yjs clients, staged updates included. */
  clocks(): Map<number, number>;
  /** What is stored. */
  readonly stored: Readonly<StoredSize>;
  /** The bytes of its oldest row or, after a compaction, of the snapshot. */
  readonly snapshotBytes: number;
  /** The staged updates. */
  readonly staged: { readonly updates: readonly LedgerUpdate<Author>[]; readonly bytes: number };
  /** The staged clocks and places, for the commit. */
  changes(): { clocks: StoredClock[]; places: StoredPlace[] };
  /** The UTC day of its last write, in days since 1970. */
  day: number;
  /** Takes the staged updates as rows of at most 256 KiB, or of one update. */
  takeRows(nextSequence: () => number): LedgerRow<Author>[];
  /** What was staged is committed. */
  settle(): void;
  /** Its committed rows were replaced by a snapshot. */
  compacted(snapshot: StoredSize): void;
}

/** Where documents look up what they do not have; the caches are those of the whole room. */
export interface DocumentSources {
  storage: RoomStorage;
  /** Clocks as they are stored; null is that of a client that is not. */
  clocks: ClientCache<StoredClock | null>;
  recent: PlaceCache;
}

/** Creates the ledger of one document. */
export function createDocumentLedger<Author>(
  { storage, clocks: cache, recent }: DocumentSources,
  { id, name, day }: { id: number; name: DocumentName; day: number },
): DocumentLedger<Author> {
  /** Clients whose clock the turn moves. */
  const moved = new Map<number, StoredClock>();
  const places = createPlaceLedger({ storage, recent }, id);
  const gate = gateOptionsOf(name, { clockOf, placeOf: places.placeOf });
  let updates: LedgerUpdate<Author>[] = [];
  let bytes = 0;
  let size: StoredSize | undefined;
  let snapshotBytes: number | undefined;

  function knownOf(client: number): StoredClock | undefined {
    const known = moved.get(client) ?? cache.get(id, client);
    if (known !== undefined) return known ?? undefined;
    const stored = storage.clock(id, client);
    cache.put(id, client, stored ?? null);
    return stored;
  }

  function clockOf(client: number): number {
    return knownOf(client)?.clock ?? 0;
  }

  return {
    id,
    name,
    day,
    gate,
    clockOf,
    ownerOf: (client) => knownOf(client)?.owner,
    stage(update, acceptance, { author, owner }) {
      places.stage(acceptance, clockOf);
      for (const { client, to } of acceptance.ranges) {
        const known = knownOf(client);
        if (to <= (known?.clock ?? 0)) continue;
        moved.set(client, { document: id, client, clock: to, owner: known?.owner || owner });
      }
      updates.push({ author, update: kept(update) });
      const taken = updatePartBytes(id, update.length);
      bytes += taken;
      return taken;
    },
    clocks() {
      const clocks = new Map<number, number>();
      for (const { client, clock } of storage.clocks(id)) clocks.set(client, clock);
      for (const { client, clock } of moved.values()) clocks.set(client, clock);
      return clocks;
    },
    get stored() {
      size ??= storage.size(id);
      return size;
    },
    get snapshotBytes() {
      snapshotBytes ??= bytesAtFirstSequence(storage.rowsOf(id));
      return snapshotBytes;
    },
    get staged() {
      return { updates, bytes };
    },
    changes: () => ({ clocks: [...moved.values()], places: places.changes() }),
    takeRows(nextSequence) {
      const rows = intoRows(id, updates, rowBytes).map(({ parts, updates: own, ends }) => {
        if (size) {
          size.rows++;
          size.bytes += parts.length;
        }
        return { sequence: nextSequence(), piece: 0, document: id, parts, updates: own, ends };
      });
      updates = [];
      bytes = 0;
      return rows;
    },
    settle() {
      for (const clock of moved.values()) cache.put(id, clock.client, clock);
      moved.clear();
      places.settle();
    },
    compacted(snapshot) {
      size = { ...snapshot };
      snapshotBytes = snapshot.bytes;
    },
  };
}

/** An update as it may stay until the turn ends. */
function kept(update: Uint8Array): Uint8Array {
  const { byteLength } = update.buffer;
  return byteLength <= Math.max(smallFrameBytes, maxFrameShare * update.length) ? update : update.slice();
}

function bytesAtFirstSequence(rows: Iterable<StoredRow>): number {
  let bytes = 0;
  let first: number | undefined;
  for (const { sequence, parts } of rows) {
    first ??= sequence;
    if (sequence !== first) break;
    bytes += parts.length;
  }
  return bytes;
}
