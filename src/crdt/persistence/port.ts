import type * as Y from "yjs";
import type { Closable, Undo } from "../../base/index.ts";
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
   * Applies a change in one transaction; durable once it resolves.
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
   * Resolves once a read finds everything that the document held when this was called.
   *
   * @throws `crdt/storage-failed`
   */
  confirm(): Promise<void>;
}

/** Where a replica keeps things: IndexedDB in browsers, memory elsewhere, a simulated disk under test. */
export interface Persistence {
  /** Whether what is written survives a reload. */
  readonly durable: boolean;
  /** Opens a database, made where there is none. @throws `crdt/storage-failed` */
  open(name: string): Promise<KeyValueStore>;
  /** Loads a shared document from its database and keeps it there from now on. */
  attach(name: string, document: Y.Doc): SharedStore;
  /** Takes an exclusive lock if nobody holds it; the result releases it. Dies with the tab. */
  tryLock(name: string): Promise<Undo | undefined>;
  /** Deletes every database whose name begins with `prefix`. They must be closed, by other tabs too. */
  forget(prefix: string): Promise<void>;
}
