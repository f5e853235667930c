import { concatBytes } from "../../base/index.ts";
import {
  type Acceptance,
  type DocumentName,
  encodeDocumentMessage,
  encodeFrame,
  type GateOptions,
  type GatePlace,
  maxUpdateBytes,
  type PlaceRun,
  rootPlace,
} from "../../protocol/index.ts";
import type { RoomStorage, StoredClock, StoredPlace, StoredRow } from "./ports.ts";

/** A row leaves room in its frame for a name and a cursor; the largest update with its headers fits one. */
const maxRowBytes = maxUpdateBytes + 64;

/** An accepted update: who sent it, and the part of a frame that carries it. */
export interface LedgerUpdate<Author> {
  author: Author;
  part: Uint8Array;
}

/** A row that a commit wrote, with the updates in it. */
export interface LedgerRow<Author> extends StoredRow {
  updates: readonly LedgerUpdate<Author>[];
}

/** What the relay knows of one document, looked up as the gate asks, and what the turn adds to it. */
export interface DocumentLedger<Author> {
  readonly id: number;
  readonly name: DocumentName;
  /** How the gate is to judge the next update. */
  gate(): GateOptions;
  /** The principal that a Yjs client belongs to; undefined where it is new. */
  ownerOf(client: number): string | undefined;
  /** Stages an update that the gate accepted; clients that are new belong to `principal`. */
  stage(update: Uint8Array, acceptance: Acceptance, from: { author: Author; principal: string }): void;
  /** The next clocks of all its Yjs clients, staged updates included. */
  clocks(): Map<number, number>;
  /** The staged clocks and places, for the commit. */
  changes(): { clocks: StoredClock[]; places: StoredPlace[] };
  /** Takes the staged updates as rows of at most 1 MiB. */
  takeRows(nextSequence: () => number): LedgerRow<Author>[];
  /** What was staged is committed. */
  settle(): void;
}

/** Creates the ledger of one document. */
export function createDocumentLedger<Author>(
  storage: RoomStorage,
  id: number,
  name: DocumentName,
): DocumentLedger<Author> {
  const known = new Map<number, StoredClock | undefined>();
  const advanced = new Set<number>();
  const places = new Map<number, PlaceRun[]>();
  let updates: LedgerUpdate<Author>[] = [];

  function knownOf(client: number): StoredClock | undefined {
    if (!known.has(client)) known.set(client, storage.clock(id, client));
    return known.get(client);
  }

  function clockOf(client: number): number {
    return knownOf(client)?.clock ?? 0;
  }

  function runAt(client: number, clock: number): PlaceRun | undefined {
    return places.get(client)?.findLast(({ from }) => from <= clock) ?? storage.placeAt(id, client, clock);
  }

  function placeOf(client: number, clock: number): GatePlace {
    const run = runAt(client, clock);
    return run && clock < run.to ? run : rootPlace;
  }

  function stagePlace({ client, from, to, depth, keyed }: PlaceRun): void {
    const runs = places.get(client) ?? [];
    const before = runAt(client, from);
    // A run that goes on where another ends is one row, or typing into a nested text would add one a key.
    const joins = before?.to === from && before.depth === depth && before.keyed === keyed;
    const run = { client, from: joins ? before.from : from, to, depth, keyed };
    if (runs.at(-1)?.from === run.from) runs.pop();
    runs.push(run);
    places.set(client, runs);
  }

  return {
    id,
    name,
    gate() {
      const context = { clockOf, placeOf };
      switch (name.kind) {
        case "shared":
          return { profile: "shared", context };
        case "register":
          return { profile: "register", context };
        case "lane":
          return { profile: "append", context, client: name.page.client };
      }
    },
    ownerOf: (client) => knownOf(client)?.owner,
    stage(update, acceptance, { author, principal }) {
      for (const { client, to } of acceptance.ranges) {
        if (to <= clockOf(client)) continue;
        known.set(client, { document: id, client, clock: to, owner: knownOf(client)?.owner ?? principal });
        advanced.add(client);
      }
      for (const run of acceptance.places) stagePlace(run);
      const payload = encodeDocumentMessage({ type: "update", update });
      updates.push({ author, part: encodeFrame([{ channel: id, payload }]) });
    },
    clocks() {
      const clocks = new Map<number, number>();
      for (const { client, clock } of storage.clocks(id)) clocks.set(client, clock);
      for (const client of advanced) clocks.set(client, clockOf(client));
      return clocks;
    },
    changes: () => ({
      clocks: [...advanced].flatMap((client) => knownOf(client) ?? []),
      places: [...places.values()].flat().map((run) => ({ document: id, ...run })),
    }),
    takeRows(nextSequence) {
      const rows: LedgerRow<Author>[] = [];
      let run: LedgerUpdate<Author>[] = [];
      let bytes = 0;
      const close = () => {
        const parts = concatBytes(run.map(({ part }) => part));
        if (run.length > 0)
          rows.push({ sequence: nextSequence(), piece: 0, document: id, parts, updates: run });
        run = [];
        bytes = 0;
      };
      for (const update of updates) {
        if (bytes + update.part.length > maxRowBytes) close();
        run.push(update);
        bytes += update.part.length;
      }
      close();
      updates = [];
      return rows;
    },
    settle() {
      advanced.clear();
      places.clear();
    },
  };
}
