import type { Clock, FlockError, Undo } from "../../base/index.ts";
import { parseEntryId } from "../../protocol/index.ts";
import { isUnreadable } from "../history/failures.ts";
import type { Entry } from "../lanes/entry.ts";
import { catchUp, findGaps, type Gaps } from "./catching-up.ts";
import type { Guarded } from "./guarded.ts";
import { allWriters, type Lanes } from "./lanes.ts";
import type { Order } from "./order.ts";
import { createRetry } from "./retry.ts";
import { readBack, skipUnreadable } from "./sealed-reading.ts";
import type { SnapshotKey } from "./snapshots.ts";
import { inOrder, type ViewKeys } from "./view-keys.ts";

/** Reads for a view what it needs of history, one thing after the other. */
export interface ViewReader {
  /** Whether anything has to be read. */
  hasWork(): boolean;
  /** Whether it is at work, or waits for what is out of reach. */
  isBusy(): boolean;
  /** Goes to work, unless it is busy. */
  start(): void;
  /** Tries at once what was out of reach. */
  startAgain(): void;
  /** Starts where a lane has sealed pages that the view lacks. */
  look(writer: string): void;
  close(): void;
}

export interface ViewReaderOptions<State> {
  lanes: Lanes;
  order: Order;
  clock: Clock;
  keys: ViewKeys<State>;
  guarded: Guarded<State>;
  /** Whether the view is of sealed pages at all. */
  isReading: boolean;
  /** A key that left memory, as a snapshot has it. */
  archived(key: string): Promise<SnapshotKey | "none" | undefined>;
  /** Whether the state before a change is asked for. */
  isHeard(): boolean;
  /** Something was folded, and others may go on. */
  onPause(): void;
  /** Nothing is left that can be read. */
  onDone(): void;
  onProblem(error: FlockError): void;
}

/** Keys are read back for at most one part in so many of the time, however many entries come late. */
const restFactor = 4;
/** However long the reading seemed to take, where the clock was put forward meanwhile. */
const maxRestMs = 60_000;

/** Creates the reader of a view. */
export function createViewReader<State>(options: ViewReaderOptions<State>): ViewReader {
  const { lanes, order, clock, keys, guarded, onPause, onDone } = options;
  const { waiting, stale, suspects, coverage } = keys;
  const controller = new AbortController();
  const { signal } = controller;
  /** Lanes that could not be read, until they are tried again; the empty name stands for everything else. */
  const failed = new Map<string, unknown>();
  let isWorking = false;
  let isReady = false;
  /** Set while keys may not be read back again. */
  let cancelRest: Undo | undefined;
  const retry = createRetry({ clock, onProblem: options.onProblem, task: tryAgain });

  function gaps(writers: Iterable<string> = allWriters(lanes)): Gaps {
    if (!options.isReading) return new Map();
    return findGaps(
      lanes,
      coverage,
      [...writers].filter((writer) => !failed.has(writer)),
    );
  }

  /** What is out of reach may come; what nobody can read keeps nobody waiting. */
  function isOutOfReach(): boolean {
    return [...failed.values()].some((failure) => !isUnreadable(failure));
  }

  function hasWork(): boolean {
    if (stale.size > 0 || suspects.size > 0 || gaps().size > 0) return true;
    return [...waiting].some((id) => !order.isWaiting(id));
  }

  function start(): void {
    if (!signal.aborted && !isWorking && !failed.has("")) void work();
  }

  function tryAgain(): void {
    // What failed may have come by another way since: nothing is left to be read, and nobody has said so yet.
    const hadFailed = failed.size > 0;
    failed.clear();
    if (hadFailed || hasWork()) start();
  }

  async function work(): Promise<void> {
    isWorking = true;
    try {
      await foldWaiting();
      while (!signal.aborted) {
        const open = gaps();
        if (open.size > 0) await fill(open);
        else if (suspects.size > 0) await clear();
        else if (stale.size > 0 && !isResting()) await readStale();
        else break;
      }
    } catch (failure) {
      failed.set("", failure);
    } finally {
      isWorking = false;
    }
    if (signal.aborted) return;
    for (const failure of failed.values()) retry.failed(failure);
    if (failed.size === 0) retry.succeeded();
    if (isOutOfReach()) return;
    isReady = true;
    onDone();
  }

  /** Whoever opens the view waits for all of it. */
  function isResting(): boolean {
    return isReady && cancelRest !== undefined;
  }

  function rest(ms: number): void {
    cancelRest?.();
    cancelRest = undefined;
    if (ms <= 0 || signal.aborted) return;
    cancelRest = clock.after(Math.min(ms, maxRestMs), () => {
      cancelRest = undefined;
      if (hasWork()) start();
    });
  }

  function fill(open: Gaps): Promise<void> {
    return catchUp({
      lanes,
      order,
      coverage,
      gaps: open,
      signal,
      onEntry: keys.deal,
      onPause,
      onFailed: (writer, failure) => void failed.set(writer, failure),
    });
  }

  /** Sealed entries that a snapshot left waiting: nobody will tell of them. */
  async function foldWaiting(): Promise<void> {
    for (const id of [...waiting]) {
      if (lanes.log.get(id) || order.isWaiting(id)) continue;
      const entry = await entryOf(id);
      const effective = entry && (await order.effectiveOfSealed(entry, { signal }));
      if (entry ? effective === undefined : !isSealed(id)) continue;
      if (waiting.delete(id) && entry && effective !== undefined) keys.fold({ entry, effective });
    }
    onPause();
  }

  /** Whether an entry will not come as a live one. */
  function isSealed(id: string): boolean {
    const address = parseEntryId(id);
    return !address || address.page.number < (lanes.history.marks(address.writer)?.low ?? 0);
  }

  function entryOf(id: string): Promise<Entry | undefined> {
    return skipUnreadable(() => lanes.history.entry(id, { signal }));
  }

  /** Finds out whether keys that are suspected have left memory before. */
  async function clear(): Promise<void> {
    const revived = new Map<string, Parameters<typeof keys.restore>[0]>();
    try {
      for (const [key, parents] of [...suspects]) {
        const asked = [...parents];
        const kept = await options.archived(key);
        const archived = kept === "none" ? undefined : kept;
        const isOld = guarded.mayReturn ? kept === undefined : !archived && (await isAnyOf(key, asked));
        // More parents may have come meanwhile: they are looked at in the next round.
        if (parents.size === asked.length) suspects.delete(key);
        const fold = keys.folds.get(key);
        if (!fold) continue;
        if (archived) revived.set(key, { ...archived, state: archived.state as State });
        else if (isOld) stale.set(key, "history");
        else if (!stale.has(key) && !suspects.has(key)) {
          fold.isLoading = false;
          keys.touch(key);
        }
      }
    } finally {
      keys.revive(revived);
    }
    onPause();
  }

  /** Whether one of some entries is of a key. */
  async function isAnyOf(key: string, ids: readonly string[]): Promise<boolean> {
    for (const id of ids) {
      const entry = await entryOf(id);
      if (entry && guarded.key(entry) === key) return true;
    }
    return false;
  }

  async function readStale(): Promise<void> {
    const began = clock.now();
    const asked = new Map(stale);
    const isOfAll = [...asked.values()].includes("history");
    const pages = new Set([...asked.keys()].flatMap((key) => [...(keys.folds.get(key)?.pages ?? [])]));
    const wants = (key: string): boolean => asked.has(key);
    const read = await readBack(lanes, order, {
      keyOf: guarded.key,
      wants,
      signal,
      ...(isOfAll ? {} : { pages }),
    });
    rest(restFactor * (clock.now() - began));
    // One that found its place meanwhile is read again with the rest.
    if (!read.waiting.every(order.isWaiting)) return;
    for (const id of read.waiting) waiting.add(id);
    const live = keys.liveOf(wants);
    for (const [key, from] of asked) {
      if (stale.get(key) !== from) continue;
      stale.delete(key);
      const told = from === "pages" ? keys.folds.get(key)?.told : pastOf(key, read.placed.get(key));
      const fold = keys.rebuild(key, inOrder(read.placed.get(key), read.live.get(key), live.get(key)));
      if (fold) fold.told = told;
    }
    onPause();
  }

  /** The state that a key had before what came now. */
  function pastOf(key: string, past: Parameters<typeof inOrder>[0]): State | undefined {
    return options.isHeard() ? keys.stateOf(key, inOrder(past)) : undefined;
  }

  return {
    hasWork,
    isBusy: () => isWorking || isOutOfReach(),
    start,
    startAgain() {
      retry.succeeded();
      tryAgain();
    },
    look(writer) {
      if (gaps([writer]).size > 0) start();
    },
    close() {
      controller.abort();
      retry.close();
      cancelRest?.();
    },
  };
}
