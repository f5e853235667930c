import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Closable, FlockError } from "../base/index.ts";
import { type Connection, type Durability, openConnection } from "./connection.ts";
import { fileClosed, fileFailed, fileInUse } from "./failure.ts";
import type { Guard, Patience } from "./guard.ts";
import { type Below, fileSuffix, guardName, lockSuffix } from "./paths.ts";
import { createQueue, type Queue } from "./queue.ts";
import type { Schema } from "./schema.ts";
import { readValue, type SqliteClass, sqliteFailureOf } from "./sqlite.ts";

/** A file that is open for one user; others of this process may use it beside. */
export interface FileLease extends Closable {
  readonly path: string;
  /** Reads in the order of the calls. @throws `crdt/storage-failed`: it could not do `what` */
  read<T>(what: string, task: (connection: Connection) => T): Promise<T>;
  /** Writes in a transaction, durable once this resolves. @throws as `read` */
  write<T>(what: string, task: (connection: Connection) => T): Promise<T>;
}

/** The files of a directory that this process has open, each once. */
export interface Files {
  /** `onGone` is told where the file is found deleted. @throws `crdt/storage-failed`, `crdt/storage-newer` */
  open(path: string, schema: Schema, onGone?: (error: FlockError) => void): Promise<FileLease>;
  /**
   * Deletes all that lies below; of a file that is not to go as a whole, and may be open, `prune` deletes what is.
   *
   * @throws `crdt/storage-failed` where anybody has open what is to go as a whole, before anything is deleted.
   */
  remove(below: Below, schema: Schema, prune: (connection: Connection) => void): Promise<void>;
}

export interface FilesOptions {
  Sqlite: SqliteClass;
  guard: Guard;
  durability: Durability;
  patience: Patience;
}

interface OpenFile {
  connection: Connection;
  queue: Queue;
  /** Why it can't be used any more. */
  gone: FlockError | undefined;
  onGone: Set<(error: FlockError) => void>;
}

interface Entry {
  /** Counted from the call on, so that nobody closes what another is about to get. */
  users: number;
  opening: Promise<OpenFile>;
}

/** Creates the set, empty. */
export function createFiles({ Sqlite, guard, durability, patience }: FilesOptions): Files {
  const entries = new Map<string, Entry>();

  function enter(path: string, schema: Schema): Entry {
    const present = entries.get(path);
    if (present) {
      present.users++;
      return present;
    }
    const opening = guard.run((): OpenFile => {
      const connection = openConnection(Sqlite, path, { schema, durability });
      return { connection, queue: createQueue(connection, patience), gone: undefined, onGone: new Set() };
    });
    const entry = { users: 1, opening };
    entries.set(path, entry);
    opening.catch(() => forgetEntry(path, entry));
    return entry;
  }

  /** Whoever opens the file next gets a connection of its own. */
  function forgetEntry(path: string, entry: Entry): void {
    if (entries.get(path) === entry) entries.delete(path);
  }

  function lease(path: string, entry: Entry, file: OpenFile, onGone: (error: FlockError) => void): FileLease {
    const tell = (error: FlockError): void => onGone(error);
    file.onGone.add(tell);
    let closing: Promise<void> | undefined;

    async function run<T>(what: string, queued: () => Promise<T>): Promise<T> {
      if (closing) throw fileClosed(path, "was closed");
      if (file.gone) throw file.gone;
      try {
        return await queued();
      } catch (cause) {
        if (file.connection.isInPlace()) throw fileFailed(what, path, cause);
        if (!file.gone) {
          file.gone = fileClosed(path, "was deleted under this process");
          forgetEntry(path, entry);
          for (const each of file.onGone) each(file.gone);
        }
        throw file.gone;
      }
    }

    async function close(): Promise<void> {
      await file.queue.idle();
      file.onGone.delete(tell);
      if (--entry.users > 0) return;
      forgetEntry(path, entry);
      file.connection.close();
    }

    return {
      path,
      read: (what, task) => run(what, () => file.queue.read(task)),
      write: (what, task) => run(what, () => file.queue.write(task)),
      close() {
        closing ??= close();
        return closing;
      },
    };
  }

  /** Throws where anybody has a file or a lock; the log of a file is then written back and gone. */
  function assertFree(path: string): void {
    if (entries.has(path)) throw fileInUse(path);
    const connection = new Sqlite(path);
    try {
      connection.exec("PRAGMA busy_timeout = 0");
      // Leaving the log's mode takes a file that nobody else has open; a lock's file was never in it.
      if (path.endsWith(lockSuffix)) connection.exec("BEGIN EXCLUSIVE");
      else readValue(connection.prepare("PRAGMA journal_mode = DELETE"));
    } catch (cause) {
      // A damaged one is deleted like any other.
      if (sqliteFailureOf(cause) !== "corrupt") throw fileInUse(path, cause);
    } finally {
      connection.close();
    }
  }

  return {
    async open(path, schema, onGone = () => {}) {
      try {
        const entry = enter(path, schema);
        return lease(path, entry, await entry.opening, onGone);
      } catch (cause) {
        throw fileFailed("open a database", path, cause);
      }
    },
    async remove({ file, whole, folder, start }, schema, prune) {
      const removeAll = (): void => {
        const doomed = start === undefined ? [folder] : childrenOf(folder, start);
        const gone = [...doomed, ...doomed.flatMap(allIn), ...(whole ? [file] : [])];
        for (const path of gone.filter(isHeld)) assertFree(path);
        if (existsSync(file) && !whole) {
          const connection = openConnection(Sqlite, file, { schema, durability });
          prune(connection);
          connection.close();
        }
        if (whole) for (const suffix of ["", ...besides]) rmSync(`${file}${suffix}`, { force: true });
        for (const path of doomed) rmSync(path, { recursive: true, force: true });
      };
      try {
        await guard.run(removeAll);
      } catch (cause) {
        throw fileFailed("delete databases", folder, cause);
      }
    },
  };
}

function childrenOf(folder: string, start: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names
    .filter((name) => name.startsWith(start) && name !== guardName && !isOwnLock(name, start))
    .map((name) => join(folder, name));
}

/** Whoever deletes one writer's database holds its lock, which goes with the release. */
function isOwnLock(name: string, start: string): boolean {
  return start !== "" && name.endsWith(lockSuffix);
}

/** What SQLite puts beside a file. */
const besides = ["-wal", "-shm", "-journal"];

function allIn(path: string): string[] {
  try {
    return readdirSync(path, { recursive: true, encoding: "utf8" }).map((name) => join(path, name));
  } catch {
    // It is a file, or nothing at all.
    return [];
  }
}

function isHeld(path: string): boolean {
  return (path.endsWith(fileSuffix) || path.endsWith(lockSuffix)) && existsSync(path);
}
