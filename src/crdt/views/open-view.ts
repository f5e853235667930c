import { abortable, createEmitter, FlockError, parseId, type Undo } from "../../base/index.ts";
import type { Entry, LoggedPage } from "../lanes/entry.ts";
import { closeIfWhole } from "./catching-up.ts";
import { createCoverage } from "./coverage.ts";
import { createDeferred } from "./deferred.ts";
import type { ViewDefinition } from "./definition.ts";
import { guardDefinition } from "./guarded.ts";
import { createHooks } from "./hooks.ts";
import { createKeeper, type Keeper, snapshotFailed } from "./keeping.ts";
import type { KeyFold } from "./key-fold.ts";
import type { Arrival } from "./order.ts";
import { comparePlaces, type Placed } from "./place.ts";
import { isLivePage, readBack } from "./sealed-reading.ts";
import { openSnapshots, type SnapshotKey, type SnapshotStorage, type Snapshots } from "./snapshots.ts";
import type { BoundedViewOptions, View, ViewPorts } from "./view.ts";
import { createViewKeys, inOrder, type Reach } from "./view-keys.ts";
import { createViewReader } from "./view-reader.ts";

/**
 * Opens a view. An entry that arrives at the end of its key is one step; an earlier one refolds that key only, when its
 * state is next asked for.
 *
 * @throws `base/invalid-id` where the name of the definition's snapshot is none
 */
export function openView<State>(
  ports: ViewPorts,
  definition: ViewDefinition<State>,
  { history = !definition.isClosed, until = Number.POSITIVE_INFINITY }: BoundedViewOptions = {},
): View<State> {
  const { lanes, order, clock, onProblem } = ports;
  const { log } = lanes;
  const hasClosing = definition.isClosed !== undefined;
  const reach: Reach = history ? "all" : hasClosing ? "open" : "live";
  const isBounded = until !== Number.POSITIVE_INFINITY;
  const snapshot = reach === "live" || isBounded ? undefined : definition.snapshot;
  if (snapshot) parseId(snapshot.name, "snapshot");
  const touched = createEmitter<readonly string[]>();
  const ready = createDeferred();
  const started = createDeferred();
  const guarded = guardDefinition(definition, onProblem);
  const keys = createViewKeys({
    lanes,
    order,
    guarded,
    coverage: createCoverage(),
    reach,
    until,
  });
  const { folds, coverage, waiting, stale, suspects, settle } = keys;
  const hooks = createHooks({ folds, guarded, settle });
  const reader = createViewReader({
    lanes,
    order,
    clock,
    keys,
    guarded,
    isReading: reach !== "live",
    archived,
    isHeard: () => isReady && hooks.isHeard(),
    onPause: finish,
    onDone: done,
    onProblem,
  });
  const stops: Undo[] = [];
  /** Called when a key that is being looked for may have been found. */
  const lookers = new Set<() => void>();
  let keeper: Keeper | undefined;
  let isStarted = false;
  let isReady = false;
  let closing: Promise<void> | undefined;

  /** Without a snapshot no key has left memory that may return. */
  async function archived(key: string): Promise<SnapshotKey | "none" | undefined> {
    if (!keeper) return guarded.mayReturn ? "none" : undefined;
    return keeper.archived(key);
  }

  // Arrivals --------------------------------------------------------------------------------------

  function arrive({ arrived, placed }: Arrival): void {
    if (arrived.length === placed.length && arrived.every((entry, at) => placed[at]?.entry === entry)) {
      for (const { entry, effective } of placed) keys.deal(entry, effective);
    } else {
      sortOut(arrived, placed);
    }
    finish();
  }

  /** Some of what arrived waits for parents, or what had waited is placed. */
  function sortOut(arrived: readonly Entry[], placed: readonly Placed[]): void {
    const clocks = new Map(placed.map(({ entry, effective }) => [entry.id, effective]));
    for (const entry of arrived) {
      keys.deal(entry, clocks.get(entry.id));
      clocks.delete(entry.id);
    }
    for (const each of placed) {
      if (clocks.has(each.entry.id) && waiting.delete(each.entry.id)) keys.fold(each);
    }
  }

  /** Ends an arrival: what it did is told, and what has to be read is. */
  function finish(): void {
    if (closing) return;
    const changed = keys.takeTouched();
    endLooks();
    for (const key of changed) {
      const fold = folds.get(key);
      if (!fold) continue;
      fold.isClosed = undefined;
      // One that is loading is told of again, with the state that it then has.
      if (!fold.isLoading) keeper?.changed(key);
    }
    if (isReady) changed.forEach(hooks.tell);
    if (changed.length > 0) touched.emit(changed);
    for (const key of changed) archiveIfDone(folds.get(key));
    if (isReady && (stale.size > 0 || suspects.size > 0)) reader.start();
  }

  function endLooks(): void {
    for (const look of lookers) look();
    lookers.clear();
  }

  /** Asked of a key only when its pages are to go, so that late entries in a row refold it once. */
  function isClosed(fold: KeyFold<State>): boolean {
    fold.isClosed ??= guarded.isClosed(fold.key, settle(fold));
    return fold.isClosed;
  }

  /**
   * A closed key that nothing live is left of leaves memory, where the view is of the open ones; not while pages are
   * being read, which may have more of it.
   */
  function archiveIfDone(fold: KeyFold<State> | undefined): void {
    if (reach !== "open" || !isReady || reader.isBusy() || (guarded.mayReturn && !keeper)) return;
    if (!fold || fold.isLoading || fold.placed.length > 0) return;
    for (const page of fold.pages) if (isLivePage(lanes, page)) return;
    if (!isClosed(fold)) return;
    keeper?.archive(fold.key);
    folds.delete(fold.key);
  }

  function released({ writer, page }: { writer: string; page: LoggedPage }): void {
    keys.release(writer, page).forEach(archiveIfDone);
    if (reach !== "live") closeIfWhole(lanes, coverage, writer, page.name);
  }

  function isHeld(entry: Entry): boolean {
    const key = guarded.key(entry);
    if (key === undefined) return false;
    const fold = folds.get(key);
    return fold ? fold.isLoading || !isClosed(fold) : !isStarted || waiting.has(entry.id);
  }

  // Opening and closing ---------------------------------------------------------------------------

  async function restore(storage: SnapshotStorage, name: { name: string; version: number }): Promise<void> {
    let snapshots: Snapshots | undefined;
    try {
      snapshots = await openSnapshots(storage, name);
      const found = await snapshots.read();
      if (found && coverage.restore(found.coverage)) {
        for (const id of found.waiting) waiting.add(id);
        for (const each of found.keys) keys.restore({ ...each, state: each.state as State });
      }
      keeper = createKeeper({
        snapshots,
        clock,
        coverage,
        waiting,
        wasFound: found !== undefined,
        fold(key) {
          const fold = folds.get(key);
          if (fold) settle(fold);
          return fold;
        },
        isBehind: () => !isStarted || stale.size > 0 || suspects.size > 0,
        onProblem,
      });
    } catch (failure) {
      onProblem(snapshotFailed(failure));
    }
    if (closing || !keeper) snapshots?.close();
    if (!closing) start();
  }

  function start(): void {
    started.resolve();
    const placed: Placed[] = [];
    for (const writer of log.writers()) {
      for (const page of log.pages(writer)) placed.push(...takeLive(writer, page));
    }
    isStarted = true;
    placed.sort(comparePlaces).forEach(keys.fold);
    finish();
    stops.push(
      order.changed.on(arrive),
      log.released.on(released),
      lanes.marked.on(reader.look),
      ports.reachable.on(reader.startAgain),
    );
    if (reader.hasWork()) reader.start();
    else done();
  }

  /** Counts a live page as dealt with, and returns what is to be folded of it. */
  function takeLive(writer: string, { name, entries }: LoggedPage): Placed[] {
    const counted = coverage.length(writer, name);
    coverage.cover(writer, name, Math.max(counted, entries.length));
    return entries.flatMap((entry) => {
      const effective = order.effectiveOf(entry.id);
      const isLeft = entry.index >= counted || waiting.has(entry.id);
      if (effective === undefined && isLeft) waiting.add(entry.id);
      if (effective === undefined || !isLeft) return [];
      waiting.delete(entry.id);
      return [{ entry, effective }];
    });
  }

  /** All that the view is of has folded. */
  function done(): void {
    if (!isReady) {
      hooks.begin();
      isReady = true;
      ready.resolve();
    }
    if (reach === "open") for (const fold of [...folds.values()]) archiveIfDone(fold);
  }

  async function end(): Promise<void> {
    reader.close();
    for (const stop of stops) stop();
    started.resolve();
    endLooks();
    if (!isReady) ready.reject(new FlockError("crdt/closed", "The view closed before it was ready."));
    await keeper?.close();
  }

  // One key ---------------------------------------------------------------------------------------

  async function readAll(key: string, signal: AbortSignal | undefined): Promise<State | undefined> {
    const wants = (each: string): boolean => each === key;
    const past = await readBack(lanes, order, { keyOf: guarded.key, wants, signal });
    return keys.stateOf(key, inOrder(past.placed.get(key), past.live.get(key), keys.liveOf(wants).get(key)));
  }

  /** A key that is being looked for tells once it is found, or is known to be new. */
  async function fetchReturning(key: string, signal: AbortSignal | undefined): Promise<State | undefined> {
    await abortable(started.promise, signal);
    for (let fold = folds.get(key); fold; fold = folds.get(key)) {
      if (closing) throw closed();
      if (!fold.isLoading) return settle(fold);
      await abortable(new Promise<void>((resolve) => lookers.add(resolve)), signal);
    }
    const kept = await archived(key);
    if (kept === undefined) return readAll(key, signal);
    return kept === "none" ? undefined : (kept.state as State);
  }

  if (reach !== "live" && hasClosing && !isBounded) stops.push(log.hold(isHeld));
  if (snapshot && ports.storage) void restore(ports.storage, snapshot);
  else start();

  return {
    get(key) {
      const fold = folds.get(key);
      return fold && settle(fold);
    },
    keys: () => folds.keys(),
    entries(key) {
      const fold = folds.get(key);
      if (!fold) return [];
      const placed = fold.isRestored ? inOrder(keys.liveOf((each) => each === key).get(key)) : fold.placed;
      return placed.map(({ entry }) => entry);
    },
    status(key) {
      const fold = folds.get(key);
      const kept = [...order.waiting()].filter(({ entry }) => guarded.key(entry) === key);
      if (!fold && kept.length === 0) return undefined;
      const isLoading = !isReady || fold?.isLoading || reader.isBusy();
      if (isLoading || kept.some((each) => each.isLoading)) return "loading";
      return kept.length > 0 ? "waiting" : "ready";
    },
    ready: ready.promise,
    async fetch(key, { signal } = {}) {
      if (closing) throw closed();
      const fold = folds.get(key);
      if (fold && isReady && !fold.isLoading && !reader.isBusy()) return settle(fold);
      if (guarded.mayReturn) return fetchReturning(key, signal);
      const kept = fold ? undefined : await archived(key);
      if (kept && kept !== "none") return kept.state as State;
      return readAll(key, signal);
    },
    subscribe: (listener) => touched.on(listener),
    onChange: (listener) => hooks.on(listener),
    close() {
      closing ??= end();
      return closing;
    },
  };
}

function closed(): FlockError {
  return new FlockError("crdt/closed", "The view is closed.");
}
