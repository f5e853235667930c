import type { KeyValueStore, StoredChange, StoredValue } from "../persistence/port.ts";

/** The rows of received documents in the room's database, one for each update, and what is to change in them. */
export interface ReceivedRows {
  /** Every row, as it was loaded. */
  load(): Promise<[name: string, update: Uint8Array][]>;
  /** An update of a document is to be kept. */
  add(name: string, update: Uint8Array): void;
  /** How many rows a document has, those included that are yet to be stored. */
  count(name: string): number;
  /** A document's rows are to be one. */
  replace(name: string, whole: Uint8Array): void;
  /** A document is to be kept no longer; one without rows is no error. */
  forget(name: string): void;
  /** What has changed since the last call, to be stored as one. */
  take(): StoredChange;
}

const prefix = "update/";

/**
 * Creates the rows over the room's database; they are read once, and written by whoever takes the changes. `session` is
 * random: no other may name rows as this one does.
 */
export function createReceivedRows(records: KeyValueStore, session: string): ReceivedRows {
  const keys = new Map<string, string[]>();
  let unsaved: [key: string, value: StoredValue][] = [];
  let obsolete: string[] = [];
  let added = 0;

  function note(name: string, key: string): void {
    const present = keys.get(name);
    if (present) present.push(key);
    else keys.set(name, [key]);
  }

  function add(name: string, update: Uint8Array): void {
    const key = `${prefix}${name}/${session}${added++}`;
    unsaved.push([key, update]);
    note(name, key);
  }

  function forget(name: string): void {
    const gone = new Set(keys.get(name));
    if (gone.size === 0) return;
    // A change removes before it puts, so what is obsolete before it was stored is left out of it.
    unsaved = unsaved.filter(([key]) => !gone.has(key));
    obsolete.push(...gone);
    keys.delete(name);
  }

  return {
    async load() {
      const rows: [string, Uint8Array][] = [];
      for (const [key, value] of await records.entries(prefix)) {
        const name = key.slice(prefix.length, key.lastIndexOf("/"));
        if (!(value instanceof Uint8Array)) continue;
        note(name, key);
        rows.push([name, value]);
      }
      return rows;
    },
    add,
    count: (name) => keys.get(name)?.length ?? 0,
    replace(name, whole) {
      forget(name);
      add(name, whole);
    },
    forget,
    take() {
      const change: StoredChange = { put: unsaved, remove: obsolete };
      unsaved = [];
      obsolete = [];
      return change;
    },
  };
}
