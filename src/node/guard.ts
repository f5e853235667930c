import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../base/index.ts";
import { type SqliteClass, type SqliteConnection, sqliteFailureOf } from "./sqlite.ts";

/** How long a lock of another process is waited for, and how often it is looked at. */
export interface Patience {
  clock: Clock;
  limitMs: number;
  stepMs: number;
}

/** Lets one process at a time open, lock and delete the files of a directory. */
export interface Guard {
  /** Runs a task while no other process runs one, waiting for those that do; throws what it throws, or SQLite's busy. */
  run<T>(task: () => T): Promise<T>;
  /** Runs a task if no other process is at it. */
  tryRun(task: () => void): void;
}

/** Creates a guard: an exclusive lock on an empty file, held within one turn and never across. */
export function createGuard(Sqlite: SqliteClass, path: string, patience: Patience): Guard {
  function attempt<T>(task: () => T): T {
    mkdirSync(dirname(path), { recursive: true });
    const release = takeLock(Sqlite, path);
    try {
      return task();
    } finally {
      release();
    }
  }
  return {
    async run(task) {
      const until = patience.clock.now() + patience.limitMs;
      for (;;) {
        try {
          return attempt(task);
        } catch (cause) {
          if (sqliteFailureOf(cause) !== "busy" || patience.clock.now() >= until) throw cause;
        }
        await new Promise<void>((resolve) => patience.clock.after(patience.stepMs, resolve));
      }
    },
    tryRun(task) {
      try {
        attempt(task);
      } catch (cause) {
        if (sqliteFailureOf(cause) !== "busy") throw cause;
      }
    },
  };
}

/** Locks a file for as long as this process lives or until released; throws SQLite's own error where it is held. */
export function takeLock(Sqlite: SqliteClass, path: string): () => void {
  const connection: SqliteConnection = new Sqlite(path);
  try {
    connection.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
  } catch (cause) {
    connection.close();
    throw cause;
  }
  let held = true;
  return () => {
    if (held) connection.close();
    held = false;
  };
}
