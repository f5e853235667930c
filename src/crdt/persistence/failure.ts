import { FlockError, isFlockError } from "../../base/index.ts";

/**
 * Why storage failed: it is full; the transaction was undone; the database was closed or deleted under us; somebody
 * else has it open; or the platform does not say.
 */
export type StorageFailure = "quota" | "aborted" | "closed" | "blocked" | "unknown";

const advice: Record<StorageFailure, string> = {
  quota: "free some space, or ask for more with room.persist()",
  aborted: "it is tried again with the next write",
  closed: "open it again",
  blocked: "close it in every other tab, and try again",
  unknown: "free some space, or allow the site to store data",
};

/** Makes the error of a storage that failed to do `what`. */
export function storageFailed(what: string, reason: StorageFailure, cause?: unknown): FlockError {
  return new FlockError(
    "crdt/storage-failed",
    `This device failed to ${what} (${reason}): ${advice[reason]}.`,
    {
      cause,
      details: { reason },
    },
  );
}

/**
 * Tells why storage failed; undefined for any other error.
 *
 * @example
 * ```ts
 * const room = await openRoom("lab-3");
 * let banner = "";
 * room.onProblem((problem) => {
 *   if (storageFailureOf(problem) === "quota") banner = "This device is full.";
 * });
 * await room.close();
 * banner; // ""
 * ```
 */
export function storageFailureOf(error: unknown): StorageFailure | undefined {
  if (!isFlockError(error, "crdt/storage-failed")) return undefined;
  const { reason } = error.details;
  return typeof reason === "string" && reason in advice ? (reason as StorageFailure) : "unknown";
}
