import { createInMemoryPersistence, type Persistence } from "flockstate";
import {
  createHttpStore,
  createInMemoryStore,
  type LocalReferenceStore,
  openIndexedDbStore,
  openLayeredStore,
} from "flockstate/refstore";
import {
  type ContractCase,
  localReferenceStoreContract,
  persistenceContract,
  referenceStoreContract,
} from "flockstate/testing";
import { openIndexedDbPersistence } from "../../src/crdt/index.ts";
import { indexedDbFaults } from "../../test/crdt/persistence/indexeddb-faults.ts";

/** What became of a case of a contract. */
export interface ContractResult {
  readonly id: string;
  readonly title: string;
  /** Why it failed; undefined where it held. */
  readonly failure: string | undefined;
}

/** A name for a database that no other case has. */
const freshName = () => `contract/${crypto.randomUUID()}`;

/** The suites of cases by the name of what they are run against; `references` is where the relay keeps a room's. */
const suites = {
  "references in memory": () => both(async () => createInMemoryStore()),
  "references in IndexedDB": () => both(() => openIndexedDbStore(freshName())),
  "references at the relay": (references: string) =>
    referenceStoreContract(async () => createHttpStore({ baseUrl: references })),
  "references in layers": () =>
    referenceStoreContract(async () => openLayeredStore({ local: await openIndexedDbStore(freshName()) })),
  "databases in memory": () => persistenceContract(async () => createInMemoryPersistence()),
  "databases in IndexedDB": () => {
    let prefix = "";
    return persistenceContract(
      () => {
        prefix = `${freshName()}/`;
        return openDatabases(prefix);
      },
      { ...indexedDbFaults({ prefix: () => prefix }), another: () => openDatabases(prefix) },
    );
  },
  "a store that never deletes": () =>
    both(async () => ({ ...(await openIndexedDbStore(freshName())), delete: async () => true })),
  "databases with locks for everyone": () =>
    persistenceContract(async () => ({
      ...(await openDatabases(`${freshName()}/`)),
      tryLock: async () => () => undefined,
    })),
} satisfies Record<string, (references: string) => ContractCase[]>;

/** The name of a suite. */
export type ContractSuite = keyof typeof suites;

/** The browser's persistence below a prefix, as one tab opens it. */
async function openDatabases(prefix: string): Promise<Persistence> {
  const whole = await openIndexedDbPersistence({ indexedDB, locks: navigator.locks });
  return {
    durable: whole.durable,
    locks: whole.locks,
    open: (name, options) => whole.open(prefix + name, options),
    attach: (name, document, options) => whole.attach(prefix + name, document, options),
    tryLock: (name) => whole.tryLock(prefix + name),
    forget: (begins, names = []) =>
      whole.forget(
        prefix + begins,
        names.map((name) => prefix + name),
      ),
  };
}

function both(open: () => Promise<LocalReferenceStore>): ContractCase[] {
  return [...referenceStoreContract(open), ...localReferenceStoreContract(open)];
}

/** Runs every case of a suite in this page. */
export async function runContract(suite: ContractSuite, references: string): Promise<ContractResult[]> {
  const results: ContractResult[] = [];
  for (const { id, title, run } of suites[suite](references)) {
    const failure = await run().then(
      () => undefined,
      (cause: unknown) => String(cause),
    );
    results.push({ id, title, failure });
  }
  return results;
}
