import { FlockError } from "../../base/index.ts";
import type { KeyValueStore, Persistence, StoredChange } from "./port.ts";

/**
 * Leads a database from one version to the next: what has to change, given what is there. It is applied together with
 * the new version's number, in one transaction; two tabs may take a step at once, so it must come to the same.
 */
export type SchemaStep = (store: KeyValueStore) => Promise<StoredChange>;

/** The key of a database's version; without one it is of version 1. */
export const schemaKey = "schema";

/**
 * Brings a database to the version that comes after the last of `steps`; the first leads from version 1 to 2. A crash
 * between two steps is gone on from at the next opening.
 *
 * @throws `crdt/storage-newer` where a later version of this library wrote it; it is left as it is.
 * @throws `crdt/storage-failed`
 */
export async function migrate(
  name: string,
  store: KeyValueStore,
  steps: readonly SchemaStep[],
): Promise<void> {
  const latest = steps.length + 1;
  const found = await readVersion(store);
  if (found > latest) {
    throw new FlockError(
      "crdt/storage-newer",
      `The database ${name} is of version ${found}, and this library knows ${latest}: load a later one.`,
      { details: { database: name, version: found, latest } },
    );
  }
  for (let version = found; version < latest; version++) {
    const { put = [], remove = [] } = (await steps[version - 1]?.(store)) ?? {};
    const isNumberOnly = put.length === 0 && remove.length === 0;
    try {
      await store.write({ put: [...put, [schemaKey, { version: version + 1 }]], remove });
    } catch (failure) {
      // On a full disk a room opens all the same; the step comes to nothing next time, too.
      if (!isNumberOnly) throw failure;
      return;
    }
  }
}

async function readVersion(store: KeyValueStore): Promise<number> {
  const record = await store.get(schemaKey);
  const isRecord = typeof record === "object" && record !== null && "version" in record;
  const version = isRecord && Number(record.version);
  return Number.isSafeInteger(version) && Number(version) > 0 ? Number(version) : 1;
}

/** The same persistence, whose databases are brought to the version of their steps; `stepsOf` knows them by name. */
export function withSchemas(
  persistence: Persistence,
  stepsOf: (name: string) => readonly SchemaStep[],
): Persistence {
  return {
    ...persistence,
    async open(name, options) {
      const store = await persistence.open(name, options);
      try {
        await migrate(name, store, stepsOf(name));
        return store;
      } catch (failure) {
        await store.close();
        throw failure;
      }
    },
  };
}
