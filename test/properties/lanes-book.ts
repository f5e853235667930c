import type { Entry } from "../../src/crdt/lanes/entry.ts";
import type { LaneGap } from "../../src/index.ts";
import { comparePages } from "../../src/protocol/index.ts";

/** What a flock said, kept outside the simulated world: every entry that any replica showed, and what was promised of it. */
export interface LaneBook {
  /** An entry is in the log of some replica; the same id has the same contents everywhere. */
  note(entry: Entry): void;
  /** Something said in a browser was settled. */
  promise(id: string, stage: "local" | "relayed", browser: string): void;
  /** A browser is gone with its disk: only what the relay has must last. */
  lost(browser: string): void;
  /** A handler of this agent has worked on a message. */
  handled(agent: string, id: string): void;
  isHandled(agent: string, id: string): boolean;
  /** A life of an agent's consumer was told of a gap. */
  skipped(agent: string, life: string, gap: LaneGap): void;
  /** Whether the agent was told that the page of an entry is lost to it. */
  isSkipped(agent: string, entry: Entry): boolean;
  /** What was done that nobody may do. */
  accuse(complaint: string): void;
  get(id: string): Entry | undefined;
  entries(): Iterable<Entry>;
  /** What must be there, by id: by which stage. */
  promised(): ReadonlyMap<string, "local" | "relayed">;
  /** The entries of these ids in the order of the room, by a plain comparison of each with each. */
  inOrder(ids: Iterable<string>): Entry[];
  /** What no entry may do. */
  readonly violations: readonly string[];
}

/** Creates an empty book. */
export function createLaneBook(): LaneBook {
  const entries = new Map<string, Entry>();
  const local = new Map<string, string>();
  const relayed = new Set<string>();
  const handled = new Set<string>();
  const gaps = new Map<string, LaneGap[]>();
  /** By agent, life and lane: the last page that is said to be lost. */
  const lastLost = new Map<string, number>();
  const violations: string[] = [];

  return {
    note(entry) {
      const before = entries.get(entry.id);
      if (!before) entries.set(entry.id, entry);
      else if (before !== entry && !isSame(before, entry)) violations.push(`${entry.id} has two contents`);
    },
    promise(id, stage, browser) {
      if (stage === "local") local.set(id, browser);
      else relayed.add(id);
    },
    lost(browser) {
      for (const [id, where] of local) if (where === browser) local.delete(id);
    },
    handled: (agent, id) => void handled.add(`${agent} ${id}`),
    isHandled: (agent, id) => handled.has(`${agent} ${id}`),
    skipped(agent, life, gap) {
      gaps.set(agent, [...(gaps.get(agent) ?? []), gap]);
      const key = `${agent} ${life} ${gap.lane}`;
      if ((lastLost.get(key) ?? -1) >= gap.from) violations.push(`${agent} was told of one gap twice`);
      lastLost.set(key, gap.to);
    },
    isSkipped: (agent, { writer, page: { number } }) =>
      (gaps.get(agent) ?? []).some(({ lane, from, to }) => lane === writer && from <= number && number <= to),
    accuse: (complaint) => void violations.push(complaint),
    get: (id) => entries.get(id),
    entries: () => entries.values(),
    promised: () =>
      new Map<string, "local" | "relayed">([
        ...[...local.keys()].map((id) => [id, "local"] as const),
        ...[...relayed].map((id) => [id, "relayed"] as const),
      ]),
    inOrder: (ids) =>
      [...ids]
        .flatMap((id) => entries.get(id) ?? [])
        .sort(
          (a, b) =>
            a.clock - b.clock ||
            (a.writer < b.writer ? -1 : Number(a.writer > b.writer)) ||
            comparePages(a.page, b.page) ||
            a.index - b.index,
        ),
    violations,
  };
}

function isSame(a: Entry, b: Entry): boolean {
  return a.clock === b.clock && a.kind === b.kind && JSON.stringify(a.body) === JSON.stringify(b.body);
}
