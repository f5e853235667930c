import "fake-indexeddb/auto";
import { forceCloseDatabase, IDBFactory } from "fake-indexeddb";
import { describe, expect, test } from "vitest";
import {
  createInMemoryPersistence,
  openIndexedDbPersistence,
  type Persistence,
} from "../../../src/crdt/index.ts";
import { persistenceContract } from "../../../src/testing/persistence-contract.ts";
import { createFakeLocks } from "./fake-locks.ts";
import { indexedDbFaults } from "./indexeddb-faults.ts";

describe("the contract in memory", () => {
  const cases = persistenceContract(async () => createInMemoryPersistence());
  for (const { id, title, run } of cases) test(`${id}: ${title}`, run);
});

describe("the contract in IndexedDB", () => {
  let browser = createBrowser();
  const openTab = () => openIndexedDbPersistence(browser);
  const cases = persistenceContract(
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
  for (const { id, title, run } of cases) test(`${id}: ${title}`, run);
});

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

/** The rules that a persistence breaks which differs from a good one in these members. */
async function brokenRules(change: (good: Persistence) => Partial<Persistence>): Promise<string[]> {
  const broken = new Set<string>();
  const open = async () => {
    const good = createInMemoryPersistence();
    return { ...good, ...change(good) };
  };
  for (const { id, run } of persistenceContract(open)) await run().catch(() => broken.add(id));
  return [...broken];
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
};

for (const [fault, [rule, change]] of Object.entries(faults)) {
  test(`control: a persistence that ${fault} breaks ${rule}`, async () => {
    expect(await brokenRules(change)).toContain(rule);
  });
}

test("control: the contract finds nothing in a good persistence", async () => {
  expect(await brokenRules(() => ({}))).toEqual([]);
});
