import { type Clock, type RandomBytes, systemClock, systemRandom, type Undo } from "../../base/index.ts";
import {
  type Connection,
  type DatabaseLayout,
  deleteDatabase,
  nameFailure,
  openConnection,
} from "./connection.ts";
import { storageFailed } from "./failure.ts";
import { documentLayout, keepDocument } from "./kept-document.ts";
import { createOpenDatabases } from "./open-databases.ts";
import { createPairs, pairsLayout } from "./pairs.ts";
import type { DatabaseOptions, Persistence } from "./port.ts";

/** The parts of the browser that the persistence uses. */
export interface IndexedDbPlatform {
  indexedDB: IDBFactory;
  /** Absent where the browser has no Web Locks: then each replica writes as a new writer. */
  locks: LockManager | undefined;
  /** Default: the machine's. */
  clock?: Clock;
  random?: RandomBytes;
}

/**
 * Creates the persistence of browsers: databases laid out as idb-keyval's, shared documents as y-indexeddb's, Web Locks
 * for locks.
 *
 * @throws `crdt/storage-failed` where the browser refuses to open a database or to write into it, as some private
 * windows do.
 */
export async function openIndexedDbPersistence({
  indexedDB,
  locks,
  clock = systemClock,
  random = systemRandom,
}: IndexedDbPlatform): Promise<Persistence> {
  const openDatabases = createOpenDatabases(locks);

  async function connect(
    name: string,
    layout: DatabaseLayout,
    { onFailed = () => undefined }: DatabaseOptions,
  ): Promise<Connection> {
    const unmark = await openDatabases.mark(name);
    try {
      const connection = await openConnection(name, { indexedDB, clock, random, layout, onLost: onFailed });
      return {
        ...connection,
        async close() {
          await connection.close();
          await unmark();
        },
      };
    } catch (failure) {
      await unmark();
      throw failure;
    }
  }

  const persistence: Persistence = {
    durable: true,
    locks: locks !== undefined,
    open: async (name, options = {}) => createPairs(await connect(name, pairsLayout, options)),
    attach: (name, document, options = {}) =>
      keepDocument(connect(name, documentLayout, options), document, options),
    tryLock: (name) => tryLock(locks, name),
    async forget(prefix, names = []) {
      const [open] = await openDatabases.list(prefix);
      if (open !== undefined) throw storageFailed(`delete ${open}`, "blocked");
      const listed = (await listDatabases(indexedDB)).filter(
        (name) => name.startsWith(prefix) && !names.includes(name),
      );
      await Promise.all(listed.map((name) => deleteDatabase(name, indexedDB, clock)));
      for (const name of names) await deleteDatabase(name, indexedDB, clock);
    },
  };

  const probe = await persistence.open("flockstate/probe");
  try {
    await probe.write({ put: [["probe", 1]] });
  } finally {
    await probe.close();
  }
  return persistence;
}

/** Nothing in browsers that can't list them; then the names that the caller knows have to do. */
async function listDatabases(indexedDB: IDBFactory): Promise<string[]> {
  const found = await indexedDB.databases?.().catch((cause: unknown) => {
    throw nameFailure("list the databases", cause);
  });
  return (found ?? []).flatMap(({ name }) => (name === undefined ? [] : [name]));
}

async function tryLock(locks: LockManager | undefined, name: string): Promise<Undo | undefined> {
  if (!locks) return undefined;
  return new Promise((resolve, reject) => {
    locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (!lock) {
          resolve(undefined);
          return undefined;
        }
        return new Promise<void>((release) => resolve(() => release()));
      })
      .catch(reject);
  });
}
