import { createEmitter, type FlockError } from "../../src/base/index.ts";
import { createChains } from "../../src/crdt/history/chains.ts";
import { createHistory } from "../../src/crdt/history/history.ts";
import type { View, ViewDefinition, ViewOptions } from "../../src/crdt/index.ts";
import { type Entry, entriesOf } from "../../src/crdt/lanes/entry.ts";
import { createEntryLog, type EntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { createWrittenPage, type WrittenPage } from "../../src/crdt/lanes/written-page.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import type { StoredChange } from "../../src/crdt/persistence/port.ts";
import type { Lanes } from "../../src/crdt/views/lanes.ts";
import { createViews } from "../../src/crdt/views/views.ts";
import {
  decodeBatch,
  encodeBatch,
  encodeEntry,
  encodeSeal,
  entryId,
  formatPageName,
  type Json,
  type LaneMarks,
  type PageName,
} from "../../src/protocol/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";
import { createScriptedPages, type ScriptedPages } from "./history-lane.ts";

/** An entry as a test says it; each is a batch of its own. */
export interface Said {
  clock: number;
  body?: Json;
  kind?: string;
  parents?: readonly string[];
}

export interface WorldPage {
  name: PageName;
  batches: Uint8Array[];
  hash: string;
}

/** The lane of a writer, written to its end and sealed. */
export interface WorldLane {
  writer: string;
  pages: WorldPage[];
  entries: Entry[];
}

/** The name of a page that a world's lane has under a number. */
export const pageOf = (number: number): PageName => ({ number, client: 100 + number });

export const idOf = (writer: string, number: number, index: number): string =>
  entryId({ writer, page: pageOf(number), index });

/**
 * Writes a lane as a writer of ours does: pages of entries, each page naming the seals before it. Pages below `sealedFrom`
 * are from before there were seals.
 */
export async function writeLane(
  pages: ScriptedPages,
  writer: string,
  said: readonly (readonly Said[])[],
  { sealedFrom = 0 }: { sealedFrom?: number } = {},
): Promise<WorldLane> {
  const written: WorldPage[] = [];
  const entries: Entry[] = [];
  for (const [number, page] of said.entries()) {
    const name = pageOf(number);
    const before = written[number - 1];
    const earlier = [];
    for (let distance = 2; distance <= number - sealedFrom; distance *= 2) {
      const { name: page, hash } = written[number - distance] as WorldPage;
      earlier.push({ page, hash });
    }
    const previous = before && {
      page: before.name,
      length: before.batches.length,
      ...(number > sealedFrom && { seal: { hash: before.hash, earlier } }),
    };
    const batches = page.map(({ clock, body = null, kind = "note", parents = [] }, first) =>
      encodeBatch({ first, clock, previous: first === 0 ? previous : undefined, references: [] }, [
        encodeEntry({ kind, parents, body }),
      ]),
    );
    entries.push(...entriesOf(writer, name, batches.map(decodeBatch)));
    written.push({ name, batches, hash: await pages.put(encodeSeal(batches)) });
  }
  return { writer, pages: written, entries };
}

/** A replica that hears of lanes, marks and seals as a test says, over the real log, history and views. */
export function createReplica(
  pages: ScriptedPages,
  {
    records = createInMemoryPersistence(),
    clock = createManualClock(),
    log = createEntryLog(),
    bend = (change) => change,
  }: {
    /** Falsifies what views store. */
    bend?: (change: StoredChange) => StoredChange;
    log?: EntryLog;
    records?: ReturnType<typeof createInMemoryPersistence>;
    clock?: ReturnType<typeof createManualClock>;
  } = {},
) {
  const marks = new Map<string, LaneMarks>();
  const marked = createEmitter<string>();
  const reachable = createEmitter<void>();
  const problems: FlockError[] = [];
  const unknown = new Set<string>();
  const documents = new Map<string, WrittenPage>();
  const history = createHistory({ log, chains: createChains(log, pages), marksOf: (id) => marks.get(id) });
  const lanes: Lanes = {
    log,
    history,
    marked,
    writers: () => marks.keys(),
    isUnknown: (writer) => unknown.has(writer),
  };
  const store = records.open("records");
  const views = createViews({
    lanes,
    clock,
    storage: {
      records: {
        get: async (key) => (await store).get(key),
        entries: async (prefix) => (await store).entries(prefix),
        write: async (change) => (await store).write(bend(change)),
      },
      tryLock: (name) => records.tryLock(name),
    },
    reachable,
    onProblem: (error) => problems.push(error),
  });

  return {
    log,
    lanes,
    views,
    clock,
    problems,
    reachable,
    /** Writers of whom nothing will come. */
    unknown,
    open: views.open,
    /** A page arrives, or more of it, up to so many entries. */
    deliver({ writer, pages: all }: WorldLane, number: number, upTo = Number.POSITIVE_INFINITY): void {
      const { name, batches } = all[number] as WorldPage;
      const key = `${writer}/${number}`;
      const page = documents.get(key) ?? createWrittenPage(name);
      documents.set(key, page);
      for (const batch of batches.slice(page.ends.length, upTo)) page.append(decodeBatch(batch), batch);
      log.take(writer, page);
    },
    /** The writer raises its marks, and says of them what it likes. */
    mark({ writer, pages: all }: WorldLane, low: number, lies: Partial<LaneMarks> = {}): void {
      const head = all[low - 1] as WorldPage;
      marks.set(writer, {
        low,
        first: 0,
        head: { page: formatPageName(head.name), length: head.batches.length, hash: head.hash },
        ...lies,
      });
      marked.emit(writer);
    },
    /** What was sealed is let go of, unless somebody holds it. */
    release({ writer, pages: all }: WorldLane, number: number): boolean {
      const { name } = all[number] as WorldPage;
      if (log.isHeld(writer, name)) return false;
      documents.delete(`${writer}/${number}`);
      log.release(writer, name);
      return true;
    },
  };
}

export type Replica = ReturnType<typeof createReplica>;

/** A view of a log without a past. */
export function openViewOf<State>(
  log: EntryLog,
  definition: ViewDefinition<State>,
  options?: ViewOptions,
): View<State> {
  return createReplica(createScriptedPages(), { log }).open(definition, options);
}

/** A page store that tells when nobody reads from it any more. */
export function createQuietPages(): ScriptedPages & { quiet(): Promise<void> } {
  const pages = createScriptedPages();
  const { get } = pages;
  let reading = 0;
  return Object.assign(pages, {
    async get(...asked: Parameters<typeof get>) {
      reading++;
      return get(...asked).finally(() => {
        reading--;
      });
    },
    async quiet() {
      for (let turns = 0; turns < 4; turns++) {
        await new Promise((resume) => setImmediate(resume));
        if (reading > 0) turns = 0;
      }
    },
  });
}
