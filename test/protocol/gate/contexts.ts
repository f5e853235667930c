import * as Y from "yjs";
import type {
  Acceptance,
  DepthRun,
  GateContext,
  GateOptions,
  GateVerdict,
} from "../../../src/protocol/gate/index.ts";

/** What a gate function looks like, so that tests can hand in broken ones. */
export type Scan = (update: Uint8Array, options: GateOptions) => GateVerdict;

/** A document that nobody has written. */
export const emptyContext: GateContext = { clockOf: () => 0, depthOf: () => 0 };

/** The context that a client reads off its own document. */
export function contextOfDoc(doc: Y.Doc): GateContext {
  return {
    clockOf: (client) => Y.getState(doc.store, client),
    depthOf: (client, clock) => depthOfItem(Y.getItem(doc.store, Y.createID(client, clock))) ?? 0,
    keyedOf: (client, clock) => {
      const struct = Y.getItem(doc.store, Y.createID(client, clock));
      return struct instanceof Y.Item && struct.parentSub !== null;
    },
  };
}

/** How deep an item's container is nested; undefined where the item is collected. */
export function depthOfItem(struct: Y.Item | Y.GC): number | undefined {
  if (!(struct instanceof Y.Item)) return undefined;
  let depth = 0;
  let container = struct.parent as Y.AbstractType<unknown>;
  for (let item = container._item; item; item = container._item) {
    depth++;
    container = item.parent as Y.AbstractType<unknown>;
  }
  return depth;
}

/** The context that a relay keeps as rows, and nothing else: from verdicts alone. */
export function createLedger(): GateContext & {
  clocks: Map<number, number>;
  record(verdict: Acceptance): void;
} {
  const clocks = new Map<number, number>();
  const runs: DepthRun[] = [];
  return {
    clocks,
    clockOf: (client) => clocks.get(client) ?? 0,
    depthOf: (client, clock) =>
      runs.find((run) => run.client === client && run.from <= clock && clock < run.to)?.depth ?? 0,
    record({ ranges, depths }) {
      for (const { client, to } of ranges) clocks.set(client, Math.max(clocks.get(client) ?? 0, to));
      runs.push(...depths);
    },
  };
}
