import { comparePages, formatPageName, parseEntryId } from "../../src/protocol/index.ts";

/** What a run promised and what its handlers did, kept outside the simulated world. */
export interface FlockLedger {
  /** Something was promised to last: `message ID` or `kept VALUE`, written in this browser. */
  promise(what: string, stage: "local" | "relayed", browser: string): void;
  /** A browser is gone with its disk: only what the relay has must last. */
  lost(browser: string): void;
  /** Everything that must be there, and by which stage. */
  promised(): ReadonlyMap<string, "local" | "relayed">;
  /** A handler begins; `life` names the process. */
  began(life: string, consumer: string, id: string): void;
  completed(consumer: string, id: string): void;
  isCompleted(consumer: string, id: string): boolean;
  /** Another browser has seen the acknowledgement. */
  acknowledged(consumer: string, id: string): void;
  /** What handlers did against the rules, as far as the messages that are still there tell. */
  violations(ids: ReadonlySet<string>): string[];
}

export interface FlockLedgerOptions {
  /** What a database refused, or lost, may come back beside what was written after it: only pages are in order then. */
  mayFork: boolean;
}

export function createFlockLedger({ mayFork }: FlockLedgerOptions): FlockLedger {
  const local = new Map<string, string>();
  const relayed = new Set<string>();
  const completions = new Map<string, string[]>();
  const acknowledgements = new Set<string>();
  const lastBegun = new Map<string, string>();
  const violations: { id: string; complaint: string }[] = [];

  /** What is in order among each other: the messages of a lane, or of a page. */
  function orderOf(id: string): string {
    const address = parseEntryId(id);
    if (!address) return id;
    return mayFork ? `${address.writer}/${formatPageName(address.page)}` : address.writer;
  }

  return {
    promise(what, stage, browser) {
      if (stage === "local") local.set(what, browser);
      else relayed.add(what);
    },
    lost(browser) {
      for (const [what, where] of local) if (where === browser) local.delete(what);
    },
    promised: () =>
      new Map([
        ...[...local.keys()].map((what) => [what, "local"] as const),
        ...[...relayed].map((what) => [what, "relayed"] as const),
      ]),
    began(life, consumer, id) {
      if (acknowledgements.has(`${consumer} ${id}`)) {
        const complaint = `${consumer} in ${life} handles ${id} again, although others saw it acknowledged`;
        violations.push({ id, complaint });
      }
      const key = `${life} ${consumer} ${orderOf(id)}`;
      const last = lastBegun.get(key);
      if (last !== undefined && compareIds(last, id) > 0) {
        violations.push({ id, complaint: `${consumer} in ${life} handles ${id} after ${last}` });
      }
      lastBegun.set(key, id);
    },
    completed(consumer, id) {
      const key = `${consumer} ${orderOf(id)}`;
      const ids = completions.get(key) ?? [];
      completions.set(key, ids);
      if (!ids.includes(id)) ids.push(id);
    },
    isCompleted: (consumer, id) => completions.get(`${consumer} ${orderOf(id)}`)?.includes(id) ?? false,
    acknowledged: (consumer, id) => void acknowledgements.add(`${consumer} ${id}`),
    violations(ids) {
      const found = violations.filter(({ id }) => ids.has(id)).map(({ complaint }) => complaint);
      for (const [key, completed] of completions) {
        // A message that its own sender handled before a crash took it is nowhere, and in no order.
        const lasting = completed.filter((id) => ids.has(id));
        lasting.slice(1).forEach((id, before) => {
          const last = lasting[before] as string;
          if (compareIds(last, id) > 0)
            found.push(`${key}: ${id} is completed for the first time after ${last}`);
        });
      }
      return found;
    },
  };
}

function compareIds(a: string, b: string): number {
  const [left, right] = [parseEntryId(a), parseEntryId(b)];
  if (!left || !right) return 0;
  return comparePages(left.page, right.page) || left.index - right.index;
}
