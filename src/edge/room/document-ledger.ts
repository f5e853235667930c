import { concatBytes } from "../../base/index.ts";
import {
  type Acceptance,
  type DepthRun,
  type DocumentName,
  encodeDocumentMessage,
  encodeFrame,
  type GateOptions,
  maxUpdateBytes,
} from "../../protocol/index.ts";
import type { RoomStorage, StoredClock, StoredDepth, StoredRow } from "./ports.ts";

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
  /** Stages an update that the gate accepted. */
  stage(update: Uint8Array, acceptance: Acceptance, author: Author): void;
  /** The next clocks of all its Yjs clients, staged updates included. */
  clocks(): Map<number, number>;
  /** The staged clocks and depths, for the commit. */
  changes(): { clocks: StoredClock[]; depths: StoredDepth[] };
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
  const known = new Map<number, number>();
  const advanced = new Set<number>();
  const depths = new Map<number, DepthRun[]>();
  let updates: LedgerUpdate<Author>[] = [];

  function clockOf(client: number): number {
    let clock = known.get(client);
    if (clock === undefined) {
      clock = storage.clock(id, client);
      known.set(client, clock);
    }
    return clock;
  }

  function runAt(client: number, clock: number): DepthRun | undefined {
    return depths.get(client)?.findLast(({ from }) => from <= clock) ?? storage.depthAt(id, client, clock);
  }

  function depthOf(client: number, clock: number): number {
    const run = runAt(client, clock);
    return run && clock < run.to ? run.depth : 0;
  }

  function stageDepth({ client, from, to, depth }: DepthRun): void {
    const runs = depths.get(client) ?? [];
    const before = runAt(client, from);
    // A run that goes on where another ends is one row, or typing into a nested text would add one a key.
    const joins = before?.to === from && before.depth === depth;
    const run = { client, from: joins ? before.from : from, to, depth };
    if (runs.at(-1)?.from === run.from) runs.pop();
    runs.push(run);
    depths.set(client, runs);
  }

  return {
    id,
    name,
    gate() {
      const context = { clockOf, depthOf };
      switch (name.kind) {
        case "shared":
          return { profile: "shared", context };
        case "register":
          return { profile: "register", context };
        case "lane":
          return { profile: "append", context, client: name.page.client };
      }
    },
    stage(update, acceptance, author) {
      for (const { client, to } of acceptance.ranges) {
        if (to <= clockOf(client)) continue;
        known.set(client, to);
        advanced.add(client);
      }
      for (const run of acceptance.depths) stageDepth(run);
      const payload = encodeDocumentMessage({ type: "update", update });
      updates.push({ author, part: encodeFrame([{ channel: id, payload }]) });
    },
    clocks() {
      const clocks = storage.clocks(id);
      for (const client of advanced) clocks.set(client, clockOf(client));
      return clocks;
    },
    changes: () => ({
      clocks: [...advanced].map((client) => ({ document: id, client, clock: clockOf(client) })),
      depths: [...depths.values()].flat().map((run) => ({ document: id, ...run })),
    }),
    takeRows(nextSequence) {
      const rows: LedgerRow<Author>[] = [];
      let run: LedgerUpdate<Author>[] = [];
      let bytes = 0;
      const close = () => {
        const parts = concatBytes(run.map(({ part }) => part));
        if (run.length > 0) rows.push({ sequence: nextSequence(), document: id, parts, updates: run });
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
      depths.clear();
    },
  };
}
