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
  /** A key that was let go of and that no snapshot in the database has yet. */
  archiving(key: string): SnapshotKey | undefined;
  /** Writes what is left. */
  close(): Promise<void>;
}

export interface KeeperOptions {
  snapshots: Snapshots;
  clock: Clock;
  coverage: Coverage;
  waiting: ReadonlySet<string>;
  /** The fold of a key, with its state up to date. */
  fold(key: string): KeyFold<unknown> | undefined;
  /** Whether states are behind what is covered, because entries are being read back. */
  isBehind(): boolean;
  onProblem(error: FlockError): void;
}

/** Changes within this time are written together. */
const writeAfterMs = 1_000;

/** Creates the keeper of a view. */
export function createKeeper(options: KeeperOptions): Keeper {
  const { snapshots, clock, coverage, waiting, fold, isBehind, onProblem } = options;
  const dirty = new Set<string>();
  const leaving = new Map<string, SnapshotKey>();
  let isBroken = !snapshots.isWriter;
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
    const keys = [...dirty];
    const live = keys.flatMap((key) => encode(key) ?? []);
    if (isBroken) return;
    const archived = [...leaving.values()];
    dirty.clear();
    try {
      await snapshots.write({ coverage: coverage.toJson(), waiting: [...waiting], live, archived });
      for (const each of archived) if (leaving.get(each.key) === each) leaving.delete(each.key);
    } catch (failure) {
      for (const key of keys) dirty.add(key);
      onProblem(
        isFlockError(failure)
          ? failure
          : new FlockError("crdt/storage-failed", "A view's snapshot was not written.", { cause: failure }),
      );
    }
  }

  function start(): void {
    cancel = undefined;
    writing = writing.then(write);
  }

  function schedule(): void {
    if (!isBroken) cancel ??= clock.after(writeAfterMs, start);
  }

  return {
    changed(key) {
      leaving.delete(key);
      dirty.add(key);
      schedule();
    },
    archive(key) {
      const encoded = isBroken ? undefined : encode(key);
      dirty.delete(key);
      if (encoded) leaving.set(key, encoded);
      schedule();
    },
    archiving: (key) => leaving.get(key),
    async close() {
      cancel?.();
      start();
      await writing;
      snapshots.close();
    },
  };
}
