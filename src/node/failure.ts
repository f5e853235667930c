import { FlockError, isFlockError } from "../base/index.ts";
import type { StorageFailure } from "../crdt/index.ts";
import { sqliteFailureOf } from "./sqlite.ts";

/** Makes the error of a file that failed, with the reason that SQLite gave. */
export function fileFailed(what: string, path: string, cause: unknown): FlockError {
  if (isFlockError(cause)) return cause;
  switch (sqliteFailureOf(cause)) {
    case "full":
      return storageFailed("quota", path, `There is no room to ${what} in ${path}: free some disk.`, cause);
    case "busy":
      return storageFailed(
        "blocked",
        path,
        `Another process kept ${path} locked, so it was impossible to ${what}: end it, or try again.`,
        cause,
      );
    case "corrupt":
      return fileDamaged(path, what, cause);
    case "undone":
      return storageFailed(
        "aborted",
        path,
        `The disk failed to ${what} in ${path}, and the change was undone: check the disk, and write again.`,
        cause,
      );
    case "other":
      return storageFailed(
        "unknown",
        path,
        `The machine refused to ${what} in ${path}: ${cause instanceof Error ? cause.message : String(cause)}.`,
        cause,
      );
  }
}

/** The error of a value that has no form in a database. */
export function notStorable(path: string, key: string): FlockError {
  return storageFailed(
    "unknown",
    path,
    `The value of ${key} is neither bytes nor JSON: nothing was written.`,
  );
}

/** The error of a file that can't be read as what it is. */
export function fileDamaged(path: string, what: string, cause: unknown): FlockError {
  return storageFailed(
    "unknown",
    path,
    `${path} is damaged, so it was impossible to ${what}: put a backup in its place, or move it away with its -wal file; a relay then gives back what it had.`,
    cause,
  );
}

/** The error of a file that somebody still has open. */
export function fileInUse(path: string, cause?: unknown): FlockError {
  return storageFailed(
    "blocked",
    path,
    `${path} is in use: close the room in every process, and try again.`,
    cause,
  );
}

/** The error of a database or file that was closed, or deleted by hand. */
export function fileClosed(path: string, what: string): FlockError {
  return storageFailed("closed", path, `${path} ${what}: open it again.`);
}

/** The error of a database that another process deleted from its file. */
export function databaseGone(path: string, name: string): FlockError {
  return storageFailed("closed", path, `${name} was deleted from ${path} by another process: open it again.`);
}

/** The error of a file that a later version of this library wrote. */
export function fileNewer(path: string, version: number, known: number): FlockError {
  return new FlockError(
    "crdt/storage-newer",
    `${path} is of version ${version}, and this flockstate knows ${known}: install the later one. Nothing was changed.`,
    { details: { path, version, known } },
  );
}

/** The error of a file that is a database of something else. */
export function fileForeign(path: string): FlockError {
  return storageFailed(
    "unknown",
    path,
    `${path} is a database of another program: choose a directory of flockstate's own.`,
  );
}

/** The error of a file system on which processes can't share a log. */
export function fileNotLocal(path: string): FlockError {
  return storageFailed(
    "unknown",
    path,
    `The file system of ${path} does not take SQLite's write-ahead log: use a local disk.`,
  );
}

function storageFailed(reason: StorageFailure, path: string, message: string, cause?: unknown): FlockError {
  return new FlockError("crdt/storage-failed", message, { cause, details: { reason, path } });
}
