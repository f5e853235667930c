import type * as Y from "yjs";
import type { Closable, FlockError, Undo } from "../../base/index.ts";
import type { Json } from "../../protocol/index.ts";

/** What a database holds: bytes of updates, or small JSON records. */
export type StoredValue = Uint8Array | Json;

/** One change of a database, all of it or nothing. */
export interface StoredChange {
  put?: readonly (readonly [key: string, value: StoredValue])[];
  remove?: readonly string[];
}

/** One database of keys and values. */
export interface KeyValueStore extends Closable {
  get(key: string): Promise<StoredValue | undefined>;
  /** Every pair whose key begins with `prefix`, in the order of the keys. */
  entries(prefix: string): Promise<[string, StoredValue][]>;
  /**
   * Applies a change in one transaction, in the order of the calls; durable once it resolves.
   *
   * @throws `crdt/storage-failed` when nothing of it was applied.
   */
  write(change: StoredChange): Promise<void>;
}

/** The persistence of one shared document. */
export interface SharedStore extends Closable {
  /** Resolves when what the device had is in the document; rejects with `crdt/storage-failed`. */
  readonly loaded: Promise<void>;
  /**
   * Resolves once everything that the document held when this was called is committed. What a failure left out is
   * written with the next confirmation.
   *
   * @throws `crdt/storage-failed`
   */
  confirm(): Promise<void>;
}

/** What whoever opens a database is told without asking. */
export interface DatabaseOptions {
  /**
   * Told of each failure that no call is there to hear: a shared document's write in the background, and a database
   * that was closed or deleted under its holder, as when a user clears the site's data (reason `closed`).
   */
  onFailed?: (error: FlockError) => void;
  /** Told when a write in the background is committed. */
  onWritten?: () => void;
}

/**
 * Where a replica keeps things: IndexedDB in browsers, SQLite in Node, memory elsewhere, a simulated disk under test.
 * Each `crdt/storage-failed` that it throws says in `details.reason` why, as a `StorageFailure`.
 */
export interface Persistence {
  /** Whether what is written survives a reload. */
  readonly durable: boolean;
  /** Whether locks can be had; without them `tryLock` gives none, and each opening of a room writes as new writers. */
  readonly locks: boolean;
  /**
   * Opens a database, made where there is none; never waits without end.
   *
   * @throws `crdt/storage-failed`
   */
  open(name: string, options?: DatabaseOptions): Promise<KeyValueStore>;
  /** Loads a shared document from its database and keeps it there from now on. */
  attach(name: string, document: Y.Doc, options?: DatabaseOptions): SharedStore;
  /** Takes an exclusive lock if nobody holds it; the result releases it. Dies with the tab. */
  tryLock(name: string): Promise<Undo | undefined>;
  /**
   * Deletes every database whose name begins with `prefix`: those that the backend can list, and then, in this order,
   * those of `names`, for backends that can't list. Where it ends half-way, another call finishes.
   *
   * @throws `crdt/storage-failed` of the reason `blocked` while somebody has one of them open, before anything is
   * deleted.
   */
  forget(prefix: string, names?: readonly string[]): Promise<void>;
}
