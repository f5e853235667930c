import "fake-indexeddb/auto";
import { forceCloseDatabase, IDBFactory } from "fake-indexeddb";
import { describe, expect, test } from "vitest";
import { IndexeddbPersistence } from "y-indexeddb";
import type * as Y from "yjs";
import {
  createInMemoryPersistence,
  type KeyValueStore,
  openIndexedDbPersistence,
  type Persistence,
  type SharedStore,
  type StoredValue,
} from "../../../src/crdt/index.ts";
import { persistenceContract } from "../../../src/testing/persistence-contract.ts";
import type { ContractCase } from "../../../src/testing/reference-store-contract.ts";
import { createFakeLocks } from "./fake-locks.ts";
import { indexedDbFaults } from "./indexeddb-faults.ts";

describe("the contract in memory", () => {
  const cases = persistenceContract(async () => createInMemoryPersistence());
  for (const { id, title, run } of cases) test(`${id}: ${title}`, run);
});

describe("the contract in IndexedDB", () => {
  for (const { id, title, run } of indexedDbContract(() => ({}))) test(`${id}: ${title}`, run);
});

/** The cases for IndexedDB with every fault; `change` makes each tab's persistence a broken one. */
function indexedDbContract(change: (good: Persistence) => Partial<Persistence>): ContractCase[] {
  let browser = createBrowser();
  async function openTab(): Promise<Persistence> {
    globalThis.indexedDB = browser.indexedDB;
    const good = await openIndexedDbPersistence(browser);
    return { ...good, ...change(good) };
  }
  return persistenceContract(
    async () => {
      browser = createBrowser();
      return openTab();
    },
    {
      ...indexedDbFaults({ factory: () => browser.indexedDB }),
      another: openTab,
      async crash() {
        browser.crash();
        return openTab();
      },
    },
  );
}

/** One disk, and the locks of the processes that live. */
function createBrowser() {
  const indexedDB = new IDBFactory();
  const open = new Set<IDBDatabase>();
  const { open: original } = indexedDB;
  indexedDB.open = (name, version) => {
    const request = original.call(indexedDB, name, version);
    request.addEventListener("success", () => open.add(request.result));
    return request;
  };
  const browser = {
    indexedDB,
    locks: createFakeLocks(),
    crash() {
      for (const database of open) {
        // Nobody is left to hear of it.
        database.onclose = null;
        forceCloseDatabase(database as never);
      }
      open.clear();
      browser.locks = createFakeLocks();
    },
  };
  return browser;
}

/** The rules that are broken in these cases. */
async function brokenRules(cases: readonly ContractCase[]): Promise<string[]> {
  const broken = new Set<string>();
  for (const { id, run } of cases) await run().catch(() => broken.add(id));
  return [...broken];
}

function inMemoryContract(change: (good: Persistence) => Partial<Persistence>): ContractCase[] {
  return persistenceContract(async () => {
    const good = createInMemoryPersistence();
    return { ...good, ...change(good) };
  });
}

/** A persistence whose databases differ in these members. */
function withStores(
  change: (good: KeyValueStore) => Partial<KeyValueStore>,
): (good: Persistence) => Partial<Persistence> {
  return (good) => ({
    async open(name, options) {
      const store = await good.open(name, options);
      return { ...store, ...change(store) };
    },
  });
}

const faults: Record<string, [rule: string, change: (good: Persistence) => Partial<Persistence>]> = {
  "has one database": ["STORE-10", (good) => ({ open: () => good.open("one") })],
  "lists in the order of writing": [
    "STORE-11",
    (good) => ({
      async open(name) {
        const store = await good.open(name);
        return { ...store, entries: async (prefix) => (await store.entries(prefix)).reverse() };
      },
    }),
  ],
  "removes last": [
    "STORE-12",
    (good) => ({
      async open(name) {
        const store = await good.open(name);
        return {
          ...store,
          async write({ put = [], remove = [] }) {
            await store.write({ put });
            await store.write({ remove });
          },
        };
      },
    }),
  ],
  "stays open": [
    "STORE-13",
    (good) => ({ open: async (name) => ({ ...(await good.open(name)), close: async () => undefined }) }),
  ],
  "locks nobody out": ["STORE-14", () => ({ tryLock: async () => () => undefined })],
  "keeps no document": [
    "STORE-15",
    () => ({
      attach: () => ({
        loaded: Promise.resolve(),
        confirm: async () => undefined,
        close: async () => undefined,
      }),
    }),
  ],
  "forgets nothing": ["STORE-17", () => ({ forget: async () => undefined })],
  "hands out what it holds": [
    "STORE-21",
    withStores((good) => {
      const held = new Map<string, StoredValue>();
      return {
        get: async (key) => held.get(key) ?? good.get(key),
        async write(change) {
          for (const [key, value] of change.put ?? []) held.set(key, value);
          await good.write(change);
        },
      };
    }),
  ],
  "lists a page at most": [
    "STORE-22",
    withStores((good) => ({ entries: async (prefix) => (await good.entries(prefix)).slice(0, 1_000) })),
  ],
};

for (const [fault, [rule, change]] of Object.entries(faults)) {
  test(`control: a persistence that ${fault} breaks ${rule}`, async () => {
    const cases = inMemoryContract(change).filter(({ id }) => id === rule);
    expect(await brokenRules(cases)).toEqual([rule]);
  });
}

/** Stock y-indexeddb: a failed write is nobody's, and rows are joined by their number only. */
function attachStock(name: string, document: Y.Doc): SharedStore {
  const adapter = new IndexeddbPersistence(name, document);
  const loaded = adapter.whenSynced.then(() => undefined);
  return {
    loaded,
    confirm: async () => void (await adapter.get("anything")),
    close: () => adapter.destroy(),
  };
}

const faultsOfBrowsers: Record<
  string,
  [rules: string[], change: (good: Persistence) => Partial<Persistence>]
> = {
  "is stock y-indexeddb": [["STORE-23", "STORE-24"], () => ({ attach: attachStock })],
  "keeps failures to itself": [
    ["STORE-26"],
    withStores((good) => ({ write: (change) => good.write(change).catch(() => undefined) })),
  ],
  "acknowledges before it has written": [
    ["STORE-27"],
    withStores((good) => ({
      async write(change) {
        good.write(change).catch(() => undefined);
      },
    })),
  ],
  "reads from a cache of its own": [
    ["STORE-25"],
    withStores((good) => {
      const cache = good.entries("");
      return { entries: async (prefix) => (await cache).filter(([key]) => key.startsWith(prefix)) };
    }),
  ],
};

for (const [fault, [rules, change]] of Object.entries(faultsOfBrowsers)) {
  test(`control: a browser's persistence that ${fault} breaks ${rules.join(" and ")}`, async () => {
    // Stock y-indexeddb leaves its failures to the process.
    const ignore = (): void => {};
    process.on("unhandledRejection", ignore);
    const broken = await brokenRules(indexedDbContract(change).filter(({ id }) => rules.includes(id)));
    expect(broken).toEqual(rules);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", ignore);
  });
}

test("control: the contract finds nothing in a good persistence", async () => {
  expect(await brokenRules(inMemoryContract(() => ({})))).toEqual([]);
});
