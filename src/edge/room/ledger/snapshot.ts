import * as Y from "yjs";
import { equalBytes } from "../../../base/index.ts";
import {
  type DocumentName,
  decodeClocks,
  maxUpdateBytes,
  scanUpdate,
  sliceUpdate,
} from "../../../protocol/index.ts";
import { createClientCache } from "./client-cache.ts";
import { gateOptionsOf } from "./judging.ts";
import { createPlaceLedger } from "./place-ledger.ts";
import { walkCost } from "./walk-cost.ts";

/** Places that a check keeps at hand, of one Yjs client each. */
const maxPlaces = 1_000;
/** Items that Yjs may pass while it looks for the places of all others, about 2 s: two who put 4,000 each at one place apart. */
const maxWalked = 20_000_000;

/** A document in as few updates as the gate takes it in, or why it could not be made into them. */
export type Snapshot = { updates: Uint8Array[] } | { failure: string };

/** What a snapshot is made from. */
export interface SnapshotSource {
  name: DocumentName;
  /** Every accepted update, in order. */
  updates: Iterable<Uint8Array>;
  /** The next clocks that they lead to. */
  clocks: ReadonlyMap<number, number>;
  /** Of one update of the snapshot, at most; a single value may be longer. */
  bytes?: number;
}

/**
 * Makes the snapshot of a document, and checks that it says what the updates say: it leads to the same clocks and
 * deletions, and every update of it passes the gate in turn. Deleted contents are gone, as in every replica.
 * Takes about twelve times the document's bytes in memory.
 */
export function makeSnapshot({ name, updates, clocks, bytes = maxUpdateBytes }: SnapshotSource): Snapshot {
  try {
    const whole = integrate(updates);
    if ("failure" in whole) return whole;
    if (!equalClocks(whole.clocks, clocks)) return { failure: "The updates do not lead to the clocks." };
    const slices = sliceUpdate(whole.update, { bytes });
    const refused = refusalOf(name, slices, clocks);
    if (refused) return { failure: refused };
    const again = integrate(slices);
    if ("failure" in again) return again;
    if (!equalBytes(whole.snapshot, again.snapshot)) return { failure: "The snapshot holds something else." };
    return { updates: slices };
  } catch (cause) {
    // The message may quote contents.
    return { failure: `Yjs failed with ${cause instanceof Error ? cause.name : typeof cause}.` };
  }
}

/** How many bytes the document takes without its history; past all bounds where Yjs fails with it. */
export function compactBytes(updates: Iterable<Uint8Array>): number {
  try {
    const whole = integrate(updates);
    return "failure" in whole ? Number.POSITIVE_INFINITY : whole.update.length;
  } catch {
    // Who asks goes on as if nothing could be gained; a compaction tells why it failed.
    return Number.POSITIVE_INFINITY;
  }
}

interface Integrated {
  update: Uint8Array;
  clocks: Map<number, number>;
  /** Clocks and deletions. */
  snapshot: Uint8Array;
}

/** Keeps no document: two of them at once may not fit the memory of an object. */
function integrate(updates: Iterable<Uint8Array>): Integrated | { failure: string } {
  const document = new Y.Doc();
  // In one transaction, structs are merged and collected once.
  let walked = 0;
  document.transact(() => {
    for (const update of updates) {
      walked += walkCost(document, update, maxWalked - walked);
      if (walked > maxWalked) break;
      Y.applyUpdate(document, update);
    }
  });
  if (walked > maxWalked) return { failure: "Its items take too long to place." };
  const { pendingStructs, pendingDs } = document.store;
  if (pendingStructs || pendingDs) return { failure: "Something is pending." };
  return {
    update: Y.encodeStateAsUpdate(document),
    clocks: decodeClocks(Y.encodeStateVector(document)),
    snapshot: Y.encodeSnapshot(Y.snapshot(document)),
  };
}

/** Why the gate refuses one of the updates where nothing else is known; undefined where all pass and lead to the clocks. */
function refusalOf(
  name: DocumentName,
  updates: readonly Uint8Array[],
  clocks: ReadonlyMap<number, number>,
): string | undefined {
  const known = new Map<number, number>();
  const clockOf = (client: number) => known.get(client) ?? 0;
  const places = createPlaceLedger(
    { storage: { placeAt: () => undefined }, recent: createClientCache(maxPlaces) },
    0,
  );
  const gate = gateOptionsOf(name, { clockOf, placeOf: places.placeOf });
  for (const update of updates) {
    // Joined, what several updates were let in with may be more than one may bring.
    const verdict = scanUpdate(update, { ...gate, limits: { containers: Number.POSITIVE_INFINITY } });
    if (!verdict.ok) return `The gate refuses it with ${verdict.code}.`;
    places.stage(verdict, clockOf);
    for (const { client, to } of verdict.ranges) known.set(client, Math.max(to, clockOf(client)));
  }
  return equalClocks(known, clocks) ? undefined : "The snapshot does not lead to the clocks.";
}

function equalClocks(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean {
  return a.size === b.size && [...a].every(([client, clock]) => b.get(client) === clock);
}
