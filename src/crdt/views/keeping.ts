import { type Clock, FlockError, isFlockError, type Undo } from "../../base/index.ts";
import { isJson } from "../../protocol/index.ts";
import type { Coverage } from "./coverage.ts";
import type { KeyFold } from "./key-fold.ts";
import { type SnapshotKey, type Snapshots, snapshotOf } from "./snapshots.ts";

/** Writes a view's snapshot: what changed, some time after it did, and the rest at the close. */
export interface Keeper {
  changed(key: string): void;
  /** The key is about to leave memory. */
  archive(key: string): void;
  /**
   * A key that was let go of: on its way into the database, or there. `none` where there never was one; undefined where
   * the snapshot can't say, because what is there is older than what this view knew.
   *
   * @throws `crdt/storage-failed`
   */
  archived(key: string): Promise<SnapshotKey | "none" | undefined>;
  /** Writes what is left. */
  close(): Promise<void>;
}

export interface KeeperOptions {
  snapshots: Snapshots;
  clock: Clock;
  coverage: Coverage;
  waiting: ReadonlySet<string>;
  /** Whether there was a snapshot before. */
  wasFound: boolean;
  /** The fold of a key, with its state up to date. */
  fold(key: string): KeyFold<unknown> | undefined;
  /** Whether states are behind what is covered, because entries are being read back. */
  isBehind(): boolean;
  onProblem(error: FlockError): void;
}

/** Changes within this time are written together. */
const writeAfterMs = 1_000;
/** A snapshot grows with what waits and with the pages of its keys: writing takes at most one part in so many of the time. */
const pauseFactor = 50;

/** Creates the keeper of a view. */
export function createKeeper(options: KeeperOptions): Keeper {
  const { snapshots, clock, coverage, waiting, fold, isBehind, onProblem } = options;
  /** Keys of which the database has not the latest: where another tab writes this view, all that changed here. */
  const dirty = new Set<string>();
  const leaving = new Map<string, SnapshotKey>();
  let isBroken = !snapshots.isWriter;
  let hasArchived = options.wasFound || !snapshots.isWriter;
  let tookMs = 0;
  let cancel: Undo | undefined;
  let writing = Promise.resolve();

  function encode(key: string): SnapshotKey | undefined {
    const present = fold(key);
    if (!present) return undefined;
    if (isJson(present.state)) return snapshotOf(present, present.state);
    isBroken = true;
    onProblem(
      new FlockError(
        "crdt/view-failed",
        `The state of ${JSON.stringify(key)} is no plain JSON: the view's snapshot is not written any more.`,
        { details: { what: "snapshot", key } },
      ),
    );
    return undefined;
  }

  async function write(): Promise<void> {
    if (isBroken || isBehind()) return;
    const began = clock.now();
    const keys = [...dirty];
    const live = keys.flatMap((key) => encode(key) ?? []);
    if (isBroken) return;
    const archived = [...leaving.values()];
    const writers = [...coverage.changed];
    const covered = writers.map((writer) => [writer, coverage.toJson(writer)] as const);
    dirty.clear();
    coverage.changed.clear();
    try {
      await snapshots.write({ coverage: covered, waiting: [...waiting], live, archived });
      for (const each of archived) if (leaving.get(each.key) === each) leaving.delete(each.key);
    } catch (failure) {
      for (const key of keys) dirty.add(key);
      for (const writer of writers) coverage.changed.add(writer);
      onProblem(snapshotFailed(failure));
    }
    tookMs = clock.now() - began;
  }

  function start(): void {
    cancel = undefined;
    writing = writing.then(write);
  }

  function schedule(): void {
    if (!isBroken) cancel ??= clock.after(Math.max(writeAfterMs, pauseFactor * tookMs), start);
  }

  return {
    changed(key) {
      leaving.delete(key);
      dirty.add(key);
      schedule();
    },
    archive(key) {
      const encoded = isBroken ? undefined : encode(key);
      if (!encoded) {
        // Whoever asks for it is not told that there never was one.
        dirty.add(key);
        return;
      }
      hasArchived = true;
      dirty.delete(key);
      leaving.set(key, encoded);
      schedule();
    },
    async archived(key) {
      const left = leaving.get(key);
      if (left || (dirty.has(key) && hasArchived)) return left;
      return (hasArchived ? await snapshots.archived(key) : undefined) ?? "none";
    },
    async close() {
      cancel?.();
      start();
      await writing;
      snapshots.close();
    },
  };
}

/** The error of a snapshot that could not be read or written. */
export function snapshotFailed(failure: unknown): FlockError {
  if (isFlockError(failure)) return failure;
  return new FlockError("crdt/storage-failed", "The snapshot of a view failed.", { cause: failure });
}
