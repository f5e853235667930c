import {
  type Clock,
  createEmitter,
  type Emitter,
  type FlockError,
  type Timestamp,
} from "../../base/index.ts";
import { parseEntryId } from "../../protocol/index.ts";
import type { ReadOptions } from "../history/history.ts";
import { createRecent } from "../history/recent.ts";
import type { Entry, LoggedPage } from "../lanes/entry.ts";
import { effectiveClock, type KnownParent } from "./effective.ts";
import { fullLength, type Lanes } from "./lanes.ts";
import { type Placed, pageKey } from "./place.ts";
import { createRetry } from "./retry.ts";
import { createSealedClocks } from "./sealed-clocks.ts";

/** What an arrival, or a parent that was found, changed. */
export interface Arrival {
  /** Entries that are new in the log, of one page, in their order. */
  readonly arrived: readonly Entry[];
  /** Those that may fold now, the ones that waited for them included. */
  readonly placed: readonly Placed[];
}

/** The order in which the entries of a room fold, shared by all its views. */
export interface Order {
  readonly changed: Emitter<Arrival>;
  /** The clock that a live entry folds by; undefined while it waits for a parent, or where it is not live. */
  effectiveOf(id: string): Timestamp | undefined;
  /**
   * The clock that a sealed entry folds by; undefined where it has to wait, and then `changed` tells.
   *
   * @throws what reading history throws
   */
  effectiveOfSealed(
    entry: Entry,
    options?: ReadOptions,
  ): Timestamp | undefined | Promise<Timestamp | undefined>;
  /** Whether an entry waits for a parent. */
  isWaiting(id: string): boolean;
  /** Entries that wait for a parent, and whether it is being read from history. */
  waiting(): Iterable<{ readonly entry: Entry; readonly isLoading: boolean }>;
  close(): void;
}

export interface OrderOptions {
  lanes: Lanes;
  clock: Clock;
  /** Told when what was out of reach may be had again. */
  reachable: Emitter<void>;
  onProblem(error: FlockError): void;
}

interface Waiting {
  entry: Entry;
  /** The first parent that keeps it. */
  parent: string;
}

/** Of a page that was let go of: how many entries have a place, and the latest of their clocks. */
interface Ceiling {
  length: number;
  clock: Timestamp;
}

/** Clocks of sealed entries that stay known; what is asked of them is asked soon after they were read. */
const keptClocks = 4_096;

/**
 * Creates the order of a room.
 *
 * Each entry folds by the later of its own clock and one past its parents'. A parent that is not live is read from
 * history where its lane is sealed past it, and counts as absent where nobody can read it, its page is known to be
 * shorter, or its writer has departed; else the entry waits. A writer's clock is past the parents that it names, so that their absence changes
 * no place but that of an entry which was backdated.
 */
export function createOrder({ lanes, clock, reachable, onProblem }: OrderOptions): Order {
  const { log, history } = lanes;
  const changed = createEmitter<Arrival>();
  /** Clocks of live entries whose parents moved them; of any other it is its own. */
  const moved = new Map<string, Timestamp>();
  const unplaced = new Map<string, Waiting>();
  /** Entries by the parent that keeps them. */
  const kept = new Map<string, Entry[]>();
  const ceilings = new Map<string, Ceiling>();
  const sealedClocks = createRecent<Timestamp | "absent">(keptClocks);
  /** How far each lane was sealed when its waiting entries were last looked at. */
  const seen = new Map<string, string>();
  const wanted = new Set<string>();
  /** Those of them that are out of reach, until they are tried again. */
  const failed = new Set<string>();
  const controller = new AbortController();
  const { signal } = controller;
  let isReading = false;
  /** What failed is to be tried once more, also by an iteration that has passed it. */
  let isDueAgain = false;

  const retry = createRetry({ clock, onProblem, task: readAgain });
  const sealed = createSealedClocks({
    history,
    known: knownParent,
    found: (id, effective) => sealedClocks.set(id, effective),
    keep,
  });

  function knownParent(id: string, childClock: Timestamp): KnownParent {
    if (unplaced.has(id)) return "waits";
    const live = effectiveOf(id);
    if (live !== undefined) return live;
    const recent = sealedClocks.get(id);
    if (recent !== undefined) return recent;
    const address = parseEntryId(id);
    if (!address) return "absent";
    const { writer, page, index } = address;
    const ceiling = ceilings.get(pageKey(address));
    if (ceiling && index < ceiling.length && ceiling.clock < childClock) return ceiling.clock;
    const marks = history.marks(writer);
    if (marks && page.number < marks.first) return "absent";
    if (marks && page.number < marks.low) return sealed.isOther(address) ? "waits" : "sealed";
    if (index >= (fullLength(lanes, writer, page) ?? Number.POSITIVE_INFINITY)) return "absent";
    return lanes.isUnknown(writer, childClock) ? "absent" : "waits";
  }

  function effectiveOf(id: string): Timestamp | undefined {
    return unplaced.has(id) ? undefined : (moved.get(id) ?? log.get(id)?.clock);
  }

  function keep(entry: Entry, parent: string): void {
    unplaced.set(entry.id, { entry, parent });
    const others = kept.get(parent);
    if (others) others.push(entry);
    else kept.set(parent, [entry]);
  }

  /** The clock of an entry all of whose parents are known; else it is kept by the first that is not. */
  function place(entry: Entry): Timestamp | undefined {
    const effective = effectiveClock(entry, knownParent);
    if (typeof effective !== "number") {
      keep(entry, effective.parent);
      if (effective.isSealed) want(effective.parent);
      return undefined;
    }
    unplaced.delete(entry.id);
    if (!log.get(entry.id)) noteSealed(entry, effective);
    else if (effective !== entry.clock) moved.set(entry.id, effective);
    return effective;
  }

  /** Places entries, and those that waited for them; each that has parents has to be among the unplaced. */
  function placeAll(entries: readonly Entry[]): Placed[] {
    const placed: Placed[] = [];
    let freed: Entry[] = [];
    for (let round = entries; round.length > 0; round = freed) {
      freed = [];
      for (const entry of round) {
        const effective = entry.parents.length === 0 ? entry.clock : place(entry);
        if (effective === undefined) continue;
        placed.push({ entry, effective });
        if (kept.size > 0) freed.push(...letGo(entry.id));
      }
    }
    return placed;
  }

  function letGo(parent: string): readonly Entry[] {
    const entries = kept.get(parent);
    if (!entries) return [];
    kept.delete(parent);
    return entries;
  }

  /** Of those that have parents: without any an entry stands by its own clock, whatever comes. */
  function noteUnplaced(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.parents.length > 0) unplaced.set(entry.id, { entry, parent: entry.id });
    }
  }

  /** Looks again at what waits for entries whose id begins so. */
  function lookAgain(prefix: string): void {
    const parents = [...kept.keys()].filter((parent) => parent.startsWith(prefix));
    const placed = placeAll(parents.flatMap(letGo));
    if (placed.length > 0) changed.emit({ arrived: [], placed });
  }

  function take(arrived: readonly Entry[]): void {
    noteUnplaced(arrived);
    changed.emit({ arrived, placed: placeAll(arrived) });
    const [first] = arrived;
    if (first?.index !== 0) return;
    const { writer } = first;
    const previous = log.pages(writer).find(({ entries }) => entries[0] === first)?.previous;
    // The page before this one has ended: what waits for entries past its end waits in vain.
    if (previous) lookAgain(`${pageKey({ writer, page: previous.page })}/`);
  }

  function released({ writer, page }: { writer: string; page: LoggedPage }): void {
    let ceiling: Ceiling | undefined = { length: page.entries.length, clock: 0 };
    for (const entry of page.entries) {
      if (unplaced.has(entry.id)) ceiling = undefined;
      else if (ceiling) ceiling.clock = Math.max(ceiling.clock, moved.get(entry.id) ?? entry.clock);
      moved.delete(entry.id);
    }
    if (ceiling) ceilings.set(pageKey({ writer, page: page.name }), ceiling);
  }

  function marksMoved(writer: string): void {
    const { low, first } = history.marks(writer) ?? {};
    const now = `${low}/${first}`;
    if (seen.get(writer) === now) return;
    seen.set(writer, now);
    if (unplaced.size > 0) lookAgain(`${writer}/`);
  }

  function want(parent: string): void {
    wanted.add(parent);
    void readWanted();
  }

  async function readWanted(): Promise<void> {
    if (isReading) return;
    isReading = true;
    do {
      isDueAgain = false;
      // What is wanted meanwhile is met by the same iteration.
      for (const parent of wanted) {
        if (failed.has(parent)) continue;
        try {
          await sealed.read(parent, { signal });
          wanted.delete(parent);
          const placed = placeAll(letGo(parent));
          if (placed.length > 0) changed.emit({ arrived: [], placed });
        } catch (failure) {
          if (signal.aborted) return;
          failed.add(parent);
          retry.failed(failure);
        }
      }
    } while (isDueAgain);
    isReading = false;
    if (failed.size === 0) retry.succeeded();
  }

  function readAgain(): void {
    failed.clear();
    isDueAgain = true;
    void readWanted();
  }

  /** A page that was read from its first entry on needs no reading again for those that rest on it. */
  function noteSealed(entry: Entry, effective: Timestamp): void {
    sealedClocks.set(entry.id, effective);
    const key = pageKey(entry);
    const ceiling = ceilings.get(key) ?? { length: 0, clock: 0 };
    if (entry.index !== ceiling.length) return;
    ceilings.set(key, { length: ceiling.length + 1, clock: Math.max(ceiling.clock, effective) });
  }

  async function readSealed(
    entry: Entry,
    parent: string,
    options: ReadOptions,
  ): Promise<Timestamp | undefined> {
    await sealed.read(parent, options);
    return effectiveOfSealed(entry, options);
  }

  function effectiveOfSealed(
    entry: Entry,
    options: ReadOptions = {},
  ): Timestamp | undefined | Promise<Timestamp | undefined> {
    if (unplaced.has(entry.id)) return undefined;
    const known = effectiveOf(entry.id) ?? sealedClocks.get(entry.id);
    if (typeof known === "number") return known;
    const effective = effectiveClock(entry, knownParent);
    if (typeof effective === "number") {
      noteSealed(entry, effective);
      return effective;
    }
    if (effective.isSealed) return readSealed(entry, effective.parent, options);
    keep(entry, effective.parent);
    return undefined;
  }

  // All of them before the first is placed: a parent may be in a lane further on.
  const present = [...log.writers()].flatMap((writer) => log.pages(writer).flatMap(({ entries }) => entries));
  noteUnplaced(present);
  placeAll(present);
  const stops = [
    log.added.on(take),
    log.released.on(released),
    lanes.marked.on(marksMoved),
    reachable.on(() => {
      readAgain();
      lookAgain("");
    }),
  ];

  return {
    changed,
    effectiveOf,
    effectiveOfSealed,
    isWaiting: (id) => unplaced.has(id),
    *waiting() {
      for (const { entry, parent } of unplaced.values()) yield { entry, isLoading: wanted.has(parent) };
    },
    close() {
      controller.abort();
      retry.close();
      for (const stop of stops) stop();
    },
  };
}
