import * as Y from "yjs";
import {
  type Acceptance,
  type GateContext,
  type GateOptions,
  type GatePlace,
  type GateVerdict,
  type PlaceRun,
  rootPlace,
} from "../../../src/protocol/gate/index.ts";

/** What a gate function looks like, so that tests can hand in broken ones. */
export type Scan = (update: Uint8Array, options: GateOptions) => GateVerdict;

/** A document that nobody has written. */
export const emptyContext: GateContext = { clockOf: () => 0, placeOf: () => rootPlace };

/** The context that a client reads off its own document. */
export function contextOfDoc(doc: Y.Doc): GateContext {
  return {
    clockOf: (client) => Y.getState(doc.store, client),
    placeOf: (client, clock) => placeOfItem(Y.getItem(doc.store, Y.createID(client, clock))) ?? rootPlace,
  };
}

/** Where an item lies; undefined where it is collected. */
export function placeOfItem(struct: Y.Item | Y.GC): GatePlace | undefined {
  if (!(struct instanceof Y.Item)) return undefined;
  let depth = 0;
  let container = struct.parent as Y.AbstractType<unknown>;
  for (let item = container._item; item; item = container._item) {
    depth++;
    container = item.parent as Y.AbstractType<unknown>;
  }
  return { depth, keyed: depth > 0 && struct.parentSub !== null };
}

/** The context that a relay keeps as rows, and nothing else: from verdicts alone. */
export function createLedger(): GateContext & {
  clocks: Map<number, number>;
  record(verdict: Acceptance): void;
} {
  const clocks = new Map<number, number>();
  const runs: PlaceRun[] = [];
  return {
    clocks,
    clockOf: (client) => clocks.get(client) ?? 0,
    placeOf: (client, clock) =>
      runs.find((run) => run.client === client && run.from <= clock && clock < run.to) ?? rootPlace,
    record({ ranges, places }) {
      for (const { client, to } of ranges) clocks.set(client, Math.max(clocks.get(client) ?? 0, to));
      runs.push(...places);
    },
  };
}
