import { abortable, FlockError } from "../base/index.ts";

/**
 * How far a write has come. The stages are independent, not a ladder:
 * `local` committed in this device's database, `relayed` in the relay's storage,
 * `delivered` the addressee's cursor has passed it.
 */
export type WriteStage = "local" | "relayed" | "delivered";

/** A write that was made here and applies here already. */
export interface Write {
  /**
   * Resolves when the write has reached the stage. Under partition it stays pending, it never fails for that.
   *
   * @throws `crdt/no-addressee` for `delivered` of a write that names no addressee;
   * `crdt/storage-failed`, `crdt/refused`; the signal's reason when it aborts.
   */
  settled(stage: WriteStage, options?: { signal?: AbortSignal }): Promise<void>;
}

/** How to wait for each stage; past the signal's abort nobody waits any more. */
export interface WriteStages {
  local(signal?: AbortSignal): Promise<void>;
  relayed(signal?: AbortSignal): Promise<void>;
  delivered?(signal?: AbortSignal): Promise<void>;
}

/** Makes a handle; nothing is waited for until somebody asks. */
export function createWrite(stages: WriteStages): Write {
  return {
    settled(stage, { signal } = {}) {
      const wait = stages[stage];
      if (!wait) {
        return Promise.reject(
          new FlockError(
            "crdt/no-addressee",
            "The write names no addressee: wait for local or relayed instead.",
          ),
        );
      }
      return abortable(wait(signal), signal);
    },
  };
}
