import type { KeyValueStore, StoredChange } from "../../src/crdt/index.ts";
import type { createInMemoryStorage } from "../../src/edge/index.ts";
import { relayCode } from "./flock.ts";
import type { Handling, Tamper } from "./member.ts";

type Storage = ReturnType<typeof createInMemoryStorage>;

/** Tells whether a property complains in these words of a broken variant, over one of so many seeds. */
export async function isCaught(
  complaint: RegExp,
  seeds: number,
  play: (seed: number) => Promise<unknown>,
): Promise<boolean> {
  for (let seed = 0; seed < seeds; seed++) {
    try {
      await play(seed);
    } catch (failure) {
      if (failure instanceof Error && complaint.test(failure.message)) return true;
    }
  }
  return false;
}

function relayOver(alter: (storage: Storage) => Storage): typeof relayCode {
  return { ...relayCode, createStorage: () => alter(relayCode.createStorage()) };
}

/** A relay that shows nobody who joins every nth row that it acknowledged. */
export function forgetfulRelay(nth: number): typeof relayCode {
  return relayOver((storage) => ({
    ...storage,
    rowsAfter: (sequence) => [...storage.rowsAfter(sequence)].filter((row) => row.sequence % nth !== 0),
  }));
}

/** A relay that gives this principal every Yjs client that belongs to nobody yet. */
export function possessiveRelay(principal: string): typeof relayCode {
  return {
    createStorage: relayCode.createStorage,
    createCore(ports) {
      const { storage } = ports;
      const possessive: Storage = {
        ...storage,
        clock(document, client) {
          const stored = storage.clock(document, client);
          return stored?.owner === "" ? { ...stored, owner: principal } : stored;
        },
      };
      return relayCode.createCore({ ...ports, storage: possessive });
    },
  };
}

/** A relay that acknowledges before it has stored: what a crash finds in its buffer of `size` commits is lost. */
export function hastyRelay(size: number): typeof relayCode {
  return {
    createStorage: relayCode.createStorage,
    createCore(ports) {
      const { storage } = ports;
      const buffered: Parameters<Storage["commit"]>[0][] = [];
      const hasty: Storage = {
        ...storage,
        commit(changes) {
          buffered.push(changes);
          if (buffered.length >= size) for (const each of buffered.splice(0)) storage.commit(each);
        },
      };
      return relayCode.createCore({ ...ports, storage: hasty });
    },
  };
}

/** A disk that says of writes that they are done, and does as much of each as `alter` leaves; undefined for nothing. */
function unfaithfulDisk(alter: (database: string, change: StoredChange) => StoredChange | undefined): Tamper {
  return ({ platform }) => {
    const { persistence } = platform;
    if (!persistence) return platform;
    return {
      ...platform,
      persistence: {
        ...persistence,
        async open(name, options) {
          const store: KeyValueStore = await persistence.open(name, options);
          return {
            ...store,
            write: async (change) => {
              const rest = alter(name, change);
              if (rest) await store.write(rest);
            },
          };
        },
      },
    };
  };
}

/** A disk that says of some writes that they are done and does nothing. */
export function lyingDisk(drops: (database: string, change: StoredChange) => boolean): Tamper {
  return unfaithfulDisk((name, change) => (drops(name, change) ? undefined : change));
}

/** A disk that keeps a cursor without what it covers. */
export const forgetfulDisk: Tamper = unfaithfulDisk((_, { put = [], ...change }) => {
  const cursor = put.filter(([key]) => key === "cursor");
  return cursor.length > 0 ? { ...change, put: cursor } : { ...change, put };
});

/** A disk that says of a writer's refused writes that they are done, so that the cursor goes past them. */
export const eagerCursor: Tamper = ({ platform }) => {
  const { persistence } = platform;
  if (!persistence) return platform;
  return {
    ...platform,
    persistence: {
      ...persistence,
      async open(name, options) {
        const store: KeyValueStore = await persistence.open(name, options);
        if (!name.includes("/writer/")) return store;
        return { ...store, write: (change) => store.write(change).catch(() => undefined) };
      },
    },
  };
};

/** Handlers that acknowledge first and work afterwards. */
export const hastyHandling: Handling = async (finish) => {
  void finish().catch(() => undefined);
};
