import type { Persistence } from "../../crdt/index.ts";

/**
 * What a backend can simulate. Cases that need what it can't are left out, so give all that there is.
 */
export interface PersistenceFaults {
  /** Opens another over the same databases, as another tab or process does. Default: the same persistence again. */
  another?(persistence: Persistence): Promise<Persistence>;
  /** Makes every write fail for lack of space, until the result is called. */
  fillDisk?(persistence: Persistence): () => void;
  /** Makes the next transaction that writes abort; nothing of it may be applied. */
  abortWrite?(persistence: Persistence): void;
  /** Ends the process without a goodbye; gives the persistence that the next one opens. */
  crash?(persistence: Persistence): Promise<Persistence>;
  /** Appends an update to a shared document's database, as another program with the same layout would. */
  appendUpdate?(persistence: Persistence, name: string, update: Uint8Array): Promise<void>;
  /** The bytes of updates that a shared document's database has. */
  storedBytes?(persistence: Persistence, name: string): Promise<number>;
}

/** What a case is given. */
export interface PersistenceWorld {
  /** One that no other case uses. */
  readonly persistence: Persistence;
  /** The faults, each bound to that persistence; a case uses those that it names as needed. */
  readonly faults: BoundFaults;
  /** Opens another tab's. */
  another(): Promise<Persistence>;
}

/** The faults of one persistence. */
export interface BoundFaults {
  fillDisk(): () => void;
  abortWrite(): void;
  crash(): Promise<Persistence>;
  appendUpdate(name: string, update: Uint8Array): Promise<void>;
  storedBytes(name: string): Promise<number>;
}

/** Collects cases. */
export type AddCase = (
  id: string,
  title: string,
  run: (world: PersistenceWorld) => Promise<void>,
  needs?: readonly (keyof PersistenceFaults)[],
) => void;
