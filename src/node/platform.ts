import { resolve } from "node:path";
import type { Clock, Closable } from "../base/index.ts";
import type { Persistence, WebSocketConstructor } from "../crdt/index.ts";
import type { LocalReferenceStore } from "../refstore/index.ts";
import type { RoomPlatform } from "../room/index.ts";
import type { Durability } from "./connection.ts";
import { createDirectoryStorage } from "./directory-storage.ts";
import { fileInUse } from "./failure.ts";
import { createFiles, type FilesOptions } from "./files.ts";
import { createGuard, type Patience } from "./guard.ts";
import { deleteDatabases, openKeyValueStore } from "./key-values.ts";
import { tryLock } from "./locks.ts";
import { createOpenNames } from "./open-names.ts";
import { createPaths } from "./paths.ts";
import { createReferenceStore, referenceFailure } from "./references.ts";
import { databaseSchema, referenceSchema } from "./schema.ts";
import { attachShared } from "./shared-store.ts";
import type { SqliteClass } from "./sqlite.ts";

export interface NodePlatformOptions {
  /** Where everything is kept, on a local disk; made where there is none. Several processes may share it. */
  directory: string;
  /** The driver: `better-sqlite3`, or `DatabaseSync` of `node:sqlite`. */
  sqlite: SqliteClass;
  /** What `local` outlives: `power` a loss of power too, `process` a kill, at a seventh of the cost. Default `power`. */
  durability?: Durability;
  /** How long a file that another process has locked is waited for; default 5,000 ms. */
  busyTimeoutMs?: number;
  /** The WebSocket class, for instance that of `ws`; default Node's own, which 20 lacks. */
  WebSocket?: WebSocketConstructor;
}

/** What a room needs of the machine to be kept on it. */
export interface NodePlatform extends RoomPlatform {
  readonly persistence: Persistence;
  readonly openReferences: (name: string) => Promise<LocalReferenceStore>;
  readonly storage: NonNullable<RoomPlatform["storage"]>;
}

/** How often a file that another process has locked is tried. */
const stepMs = 10;

/** The machine's clock, whose timers keep the process alive: what waits for a lock has a promise to keep. */
const waitingClock: Clock = {
  now: () => Date.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};

/**
 * Creates the platform of a durable agent: what rooms write is kept in SQLite files below a directory, and an agent that
 * starts again goes on as the same writer. It holds nothing open that its rooms do not.
 *
 * @example
 * ```ts
 * const platform = createNodePlatform({ directory, sqlite: Database });
 * const room = await openRoom("lab-7", { platform, state: { notes: text() } });
 * await room.transact(() => room.state.notes.insert(0, "kept")).settled("local");
 * await room.close();
 * ```
 */
export function createNodePlatform({
  directory,
  sqlite,
  durability = "power",
  busyTimeoutMs = 5_000,
  WebSocket,
}: NodePlatformOptions): NodePlatform {
  const { persistence, openReferences } = createStorage({
    directory,
    Sqlite: sqlite,
    durability,
    patience: { clock: waitingClock, limitMs: busyTimeoutMs, stepMs },
  });
  return {
    persistence,
    openReferences,
    storage: createDirectoryStorage(resolve(directory)),
    ...(WebSocket && { WebSocket }),
  };
}

export interface StorageOptions extends Pick<FilesOptions, "Sqlite" | "durability"> {
  directory: string;
  patience: Patience;
}

/** What of a platform is kept in a directory. */
export function createStorage({
  directory,
  Sqlite,
  durability,
  patience,
}: StorageOptions): Required<Pick<NodePlatform, "persistence" | "openReferences">> {
  const paths = createPaths(resolve(directory));
  const guard = createGuard(Sqlite, paths.guard, patience);
  const names = createOpenNames();
  const files = createFiles({ Sqlite, guard, durability, patience });
  return {
    persistence: {
      durable: true,
      locks: true,
      async open(name, options = {}) {
        const leave = names.enter(name);
        try {
          const file = await files.open(paths.database(name), databaseSchema, options.onFailed);
          return leaving(await openKeyValueStore(name, file, options), leave);
        } catch (failure) {
          leave();
          throw failure;
        }
      },
      attach(name, document, options = {}) {
        const openFile = () => files.open(paths.database(name), databaseSchema);
        return leaving(attachShared(name, document, openFile, options), names.enter(name));
      },
      tryLock: (name) => tryLock(Sqlite, paths.lock(name), guard),
      async forget(prefix) {
        const open = names.find(prefix);
        if (open !== undefined) throw fileInUse(paths.database(open));
        await files.remove(paths.below(prefix), databaseSchema, (connection) =>
          deleteDatabases(connection, prefix),
        );
      },
    },
    async openReferences(name) {
      try {
        return createReferenceStore(await files.open(paths.references(name), referenceSchema));
      } catch (failure) {
        throw referenceFailure(failure);
      }
    },
  };
}

function leaving<T extends Closable>(opened: T, leave: () => void): T {
  return {
    ...opened,
    async close() {
      await opened.close();
      leave();
    },
  };
}
