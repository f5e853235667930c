import { FlockError } from "../base/index.ts";
import type { KeyValueStore, StoredValue } from "./persistence/port.ts";

/** A writer's database, whose failures are told once and never thrown. */
export interface WriterStore {
  readonly records: KeyValueStore;
  /** Puts all of it, or nothing; tells whether it did. The writer then goes on in memory, so that the relay at least has it. */
  put(pairs: readonly [key: string, value: StoredValue][]): Promise<boolean>;
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
        return true;
      } catch (cause) {
        onFailed(
          cause instanceof FlockError
            ? cause
            : new FlockError("crdt/storage-failed", "The writer's database failed.", { cause }),
        );
        return false;
      }
    },
  };
}
