import { mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { Undo } from "../base/index.ts";
import { fileFailed } from "./failure.ts";
import { type Guard, takeLock } from "./guard.ts";
import { type SqliteClass, sqliteFailureOf } from "./sqlite.ts";

/**
 * Takes a lock if nobody holds it: an exclusive SQLite lock on an empty file, which the system releases with the
 * process, however that ends. The file goes with the release.
 */
export async function tryLock(Sqlite: SqliteClass, path: string, guard: Guard): Promise<Undo | undefined> {
  function take(): (() => void) | undefined {
    mkdirSync(dirname(path), { recursive: true });
    try {
      return takeLock(Sqlite, path);
    } catch (cause) {
      if (sqliteFailureOf(cause) === "busy") return undefined;
      throw cause;
    }
  }
  let unlock: (() => void) | undefined;
  try {
    unlock = await guard.run(take);
  } catch (cause) {
    throw fileFailed("take a lock", path, cause);
  }
  if (!unlock) return undefined;
  return () => {
    const release = unlock;
    if (!release) return;
    unlock = undefined;
    try {
      // Else another process could lock the very file that is being deleted, and a third its successor.
      guard.tryRun(() => {
        release();
        rmSync(path, { force: true });
      });
    } finally {
      release();
    }
  };
}
