import { FlockError } from "../../base/index.ts";
import type { KeyValueStore, StoredValue } from "../persistence/port.ts";

/** A writer's database, whose failures are told once and never thrown. */
export interface WriterStore {
  readonly records: KeyValueStore;
  /** Puts all of it, or nothing and says why. The writer then goes on in memory, so that the relay at least has it. */
  put(pairs: readonly [key: string, value: StoredValue][]): Promise<FlockError | undefined>;
}

/** Creates the store over an open database. */
export function createWriterStore(
  records: KeyValueStore,
  onFailed: (error: FlockError) => void,
): WriterStore {
  return {
    records,
    async put(pairs) {
      try {
        await records.write({ put: pairs });
        return undefined;
      } catch (cause) {
        const failure =
          cause instanceof FlockError
            ? cause
            : new FlockError("crdt/storage-failed", "The writer's database failed.", { cause });
        onFailed(failure);
        return failure;
      }
    },
  };
}
