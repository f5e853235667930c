import * as Y from "yjs";
import type { Clock } from "../../src/base/index.ts";
import type { Grant } from "../../src/edge/room/grant.ts";
import { createCompactor } from "../../src/edge/room/ledger/compaction.ts";
import {
  createLedger,
  type Ledger,
  type LedgerOptions,
  type LedgerRefusal,
} from "../../src/edge/room/ledger/ledger.ts";
import { updatesOf } from "../../src/edge/room/ledger/updates-of-rows.ts";
import type { RoomStorage } from "../../src/edge/room/ports.ts";
import { createInMemoryStorage } from "../../src/edge/storage/in-memory-storage.ts";
import { pageRoot, parseDocumentName, parseScopes, registerRoot } from "../../src/protocol/index.ts";

/** A ledger over a storage, and who writes to it. */
export interface LedgerWorld {
  readonly storage: RoomStorage;
  readonly clock: StillClock;
  readonly ledger: Ledger<string>;
  readonly compactor: ReturnType<typeof createCompactor>;
  /** Offers an update, as a stock client does where it is whole. */
  offer(name: string, update: Uint8Array, by?: Grant, whole?: boolean): LedgerRefusal | undefined;
  /** Offers updates as turns of their own; throws where one is refused. */
  write(name: string, updates: readonly Uint8Array[], by?: Grant): void;
  /** Runs the compactor at every moment that it names, until nothing is due. */
  settle(): number;
  /** The replica of a reader that was told everything after a sequence; on top of what it has. */
  read(name: string, after?: number, replica?: Y.Doc): Y.Doc;
}

/** Time that stands still until a test moves it; it has no timers. */
export interface StillClock extends Clock {
  advance(ms: number): void;
}

function createStillClock(): StillClock {
  let now = 1_000_000;
  return {
    now: () => now,
    after: () => () => {},
    advance(ms) {
      now += ms;
    },
  };
}

/** A grant as tokens give it: of one principal, with these scopes. */
export function grantOf(principal: string, scopes = "read write:own write:shared presence"): Grant {
  return { principal, scopes: parseScopes(scopes), tokenId: `${principal}-1`, issuedAt: 0 };
}

export const alice = grantOf("alice");
export const bob = grantOf("bob");
export const admin = grantOf("root", "read write:own write:shared admin");

export function createLedgerWorld({
  storage = createInMemoryStorage(),
  clock = createStillClock(),
  ...options
}: Omit<LedgerOptions, "clock"> & { storage?: RoomStorage; clock?: StillClock } = {}): LedgerWorld {
  const ledger = createLedger<string>(storage, { clock, ...options });
  const compactor = createCompactor({ storage, ledger, clock });

  function offer(name: string, update: Uint8Array, by = alice, whole = false): LedgerRefusal | undefined {
    const document = ledger.documentNamed(parseDocumentName(name));
    const from = { author: by.principal, grant: by };
    return whole ? ledger.offerWhole(document, update, from) : ledger.offer(document, update, from);
  }

  return {
    storage,
    clock,
    ledger,
    compactor,
    offer,
    write(name, updates, by) {
      for (const update of updates) {
        const refused = offer(name, update, by);
        if (refused) throw new Error(`Refused with ${refused.code}: ${refused.message}`);
        ledger.commit();
      }
    },
    settle() {
      let runs = 0;
      for (let at = compactor.nextDueAt(); at !== undefined; at = compactor.nextDueAt()) {
        clock.advance(Math.max(0, at - clock.now()));
        compactor.run();
        runs++;
      }
      return runs;
    },
    read(name, after = 0, replica = new Y.Doc()) {
      const id = storage.documentNamed(name)?.id;
      for (const row of storage.rowsAfter(after)) {
        if (row.document !== id) continue;
        for (const update of updatesOf(row.parts)) Y.applyUpdate(replica, update);
      }
      return replica;
    },
  };
}

/** Whether two replicas hold the same: clocks, deletions and contents. */
export function areEqual(a: Y.Doc, b: Y.Doc): boolean {
  return Y.equalSnapshots(Y.snapshot(a), Y.snapshot(b)) && contentsOf(a) === contentsOf(b);
}

/** What a replica of a document shows, keys in order, and its clocks. */
export function contentsOf(doc: Y.Doc): string {
  const lists = [doc.getArray("a"), doc.getArray(pageRoot)];
  const maps = [doc.getMap("m"), doc.getMap(registerRoot)];
  // Keys of a map come in the order in which a replica met them.
  const sorted = (_: string, value: unknown) =>
    typeof value === "bigint"
      ? `${value}n`
      : value instanceof Object && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort())
        : value;
  const clocks = [...Y.decodeStateVector(Y.encodeStateVector(doc))].sort(([one], [other]) => one - other);
  return JSON.stringify(
    [clocks, doc.getText("t").toDelta(), ...[...lists, ...maps].map((type) => type.toJSON())],
    sorted,
  );
}
