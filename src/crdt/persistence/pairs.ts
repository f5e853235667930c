import { promisifyRequest } from "idb-keyval";
import type { Connection, DatabaseLayout } from "./connection.ts";
import type { KeyValueStore, StoredValue } from "./port.ts";

const storeName = "pairs";

/** As idb-keyval lays out a database; a number as a key is in no range of strings. */
export const pairsLayout: DatabaseLayout = {
  stores: [[storeName]],
  mark: { store: storeName, key: 0 },
};

/** Creates the store of keys and values over a connection, which it then owns. */
export function createPairs(connection: Connection): KeyValueStore {
  const { transact } = connection;
  return {
    get: (key) =>
      transact("readonly", storeName, (store) => promisifyRequest<StoredValue | undefined>(store.get(key))),
    entries: (prefix) =>
      transact("readonly", storeName, async (store) => {
        const range = rangeOf(prefix);
        const [keys, values] = await Promise.all([
          promisifyRequest(store.getAllKeys(range)),
          promisifyRequest<StoredValue[]>(store.getAll(range)),
        ]);
        return keys.map((key, index): [string, StoredValue] => [key as string, values[index] as StoredValue]);
      }),
    write: ({ put = [], remove = [] }) =>
      transact("readwrite", storeName, (store) => {
        for (const key of remove) store.delete(key);
        for (const [key, value] of put) store.put(value, key);
      }),
    close: () => connection.close(),
  };
}

/** The strings that begin with the prefix, and no others. */
function rangeOf(prefix: string): IDBKeyRange {
  // What follows them all: the prefix with its last code unit raised; one at its end that can't be raised is left off.
  const raised = prefix.replace(/\uffff+$/, "");
  if (raised === "") return IDBKeyRange.lowerBound(prefix);
  const last = raised.length - 1;
  return IDBKeyRange.bound(
    prefix,
    raised.slice(0, last) + String.fromCharCode(raised.charCodeAt(last) + 1),
    false,
    true,
  );
}
