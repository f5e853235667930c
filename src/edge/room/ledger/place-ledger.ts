import { type Acceptance, type GatePlace, type PlaceRun, rootPlace } from "../../../protocol/index.ts";
import type { RoomStorage, StoredPlace } from "../ports.ts";
import type { ClientCache } from "./client-cache.ts";

/** Where the items of one document lie: as stored, and as this turn adds. */
export interface PlaceLedger {
  placeOf(client: number, clock: number): GatePlace;
  /** Stages the new items of an accepted update; `knownOf` gives the clocks before it. */
  stage(acceptance: Acceptance, knownOf: (client: number) => number): void;
  /** The staged runs, for the commit. */
  changes(): StoredPlace[];
  /** What was staged is committed. */
  settle(): void;
}

/** The newest run of each client that was asked for or staged, root places as well: what is typed goes on there. */
export type PlaceCache = ClientCache<PlaceRun>;

/** Creates the ledger of places of one document. */
export function createPlaceLedger(
  { storage, recent }: { storage: Pick<RoomStorage, "placeAt">; recent: PlaceCache },
  document: number,
): PlaceLedger {
  const staged = new Map<number, PlaceRun[]>();

  function runAt(client: number, clock: number): PlaceRun | undefined {
    return lastBefore(staged.get(client) ?? [], clock) ?? storage.placeAt(document, client, clock);
  }

  function remember(run: PlaceRun): PlaceRun {
    recent.put(document, run.client, run);
    return run;
  }

  function stageRun({ client, from, to, depth, keyed }: PlaceRun): void {
    const runs = staged.get(client) ?? [];
    const before = runAt(client, from);
    // A run that goes on where another ends is one row, or typing into a nested text would add one a key.
    const joins = before?.to === from && before.depth === depth && before.keyed === keyed;
    const run = { client, from: joins ? before.from : from, to, depth, keyed };
    if (runs.at(-1)?.from === run.from) runs.pop();
    runs.push(run);
    staged.set(client, runs);
    remember({ ...run });
  }

  /** What follows a client's last run lies in a root type. */
  function stageRoot(client: number, from: number, to: number): void {
    const last = recent.get(document, client);
    const goesOn = last?.to === from && last.depth === rootPlace.depth && last.keyed === rootPlace.keyed;
    if (goesOn) last.to = to;
    else remember({ client, from, to, ...rootPlace });
  }

  return {
    placeOf(client, clock) {
      const last = recent.get(document, client);
      if (last && last.from <= clock && clock < last.to) return last;
      const run = runAt(client, clock);
      if (run && clock < run.to) return remember({ ...run });
      return remember({ client, from: run?.to ?? 0, to: clock + 1, ...rootPlace });
    },
    stage({ ranges, places }, knownOf) {
      for (const run of places) stageRun(run);
      for (const { client, to } of ranges) {
        const from = Math.max(knownOf(client), staged.get(client)?.at(-1)?.to ?? 0);
        if (from < to) stageRoot(client, from, to);
      }
    },
    changes: () => [...staged.values()].flat().map((run) => ({ document, ...run })),
    settle: () => staged.clear(),
  };
}

/** The last run that begins at a clock or before it; runs ascend. */
function lastBefore(runs: readonly PlaceRun[], clock: number): PlaceRun | undefined {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs[middle]?.from ?? clock) <= clock) low = middle + 1;
    else high = middle;
  }
  return runs[low - 1];
}
