import * as Y from "yjs";
import { equalBytes, isFlockError } from "../base/index.ts";
import type { Persistence, StoredValue } from "../crdt/index.ts";
import type { ContractCase } from "./reference-store-contract.ts";

/**
 * What every persistence promises. `open` gives one that no other case uses; where several are to see the same
 * databases, as tabs do, the case opens them from that one.
 *
 * @example
 * ```ts
 * for (const { id, title, run } of persistenceContract(async () => createInMemoryPersistence())) test(`${id}: ${title}`, run);
 * ```
 */
export function persistenceContract(open: () => Promise<Persistence>): ContractCase[] {
  const cases: ContractCase[] = [];
  function add(id: string, title: string, run: (persistence: Persistence) => Promise<void>): void {
    cases.push({ id, title, run: async () => run(await open()) });
  }

  add(
    "STORE-10",
    "what was written is read, also by whoever opens the database next",
    async (persistence) => {
      const store = await persistence.open("room/a");
      const values: [string, StoredValue][] = [
        ["bytes", new Uint8Array([0, 255])],
        ["record", { list: [1, "two", null], nested: { yes: true } }],
        ["text", ""],
        ["nothing", null],
      ];
      await store.write({ put: values });
      for (const [key, value] of values) same(await store.get(key), value, key);
      same(await store.get("unknown"), undefined, "an unknown key");
      await store.close();
      const again = await persistence.open("room/a");
      for (const [key, value] of values) same(await again.get(key), value, `${key} after opening again`);
      await again.close();
    },
  );

  add("STORE-10", "databases are apart from each other", async (persistence) => {
    const [a, b] = [await persistence.open("room/a"), await persistence.open("room/ab")];
    await a.write({ put: [["key", 1]] });
    same(await b.get("key"), undefined, "the other database");
    await Promise.all([a.close(), b.close()]);
  });

  add("STORE-11", "entries of a prefix come in the order of their keys", async (persistence) => {
    const store = await persistence.open("room/a");
    const keys = [
      "page/1-2/000010",
      "page/1-2/000002",
      "page",
      "page/",
      "pagf",
      "page/é",
      "page/Z",
      "update/x",
    ];
    await store.write({ put: keys.map((key) => [key, key] as const) });
    const found = (await store.entries("page/")).map(([key]) => key);
    same(found, ["page/", "page/1-2/000002", "page/1-2/000010", "page/Z", "page/é"], "the keys");
    same((await store.entries("")).length, keys.length, "the empty prefix");
    same(await store.entries("none"), [], "a prefix that nothing has");
    await store.close();
  });

  add("STORE-12", "a change removes first, then puts, and is whole", async (persistence) => {
    const store = await persistence.open("room/a");
    await store.write({ put: [["old", 1] as const, ["both", 1] as const] });
    await store.write({
      put: [["both", 2] as const, ["new", 3] as const],
      remove: ["old", "both", "unknown"],
    });
    const pairs = (await store.entries("")).map(([key, value]) => `${key} ${String(value)}`);
    same(pairs, ["both 2", "new 3"], "the pairs");
    await store.write({});
    await store.close();
  });

  add("STORE-12", "writes apply in the order of the calls", async (persistence) => {
    const store = await persistence.open("room/a");
    await Promise.all([1, 2, 3, 4].map((value) => store.write({ put: [["key", value]] })));
    same(await store.get("key"), 4, "the value");
    await store.close();
  });

  add("STORE-13", "a closed database refuses with a code; closing twice is safe", async (persistence) => {
    const store = await persistence.open("room/a");
    await store.close();
    await store.close();
    for (const call of [
      () => store.get("a"),
      () => store.entries(""),
      () => store.write({ put: [["a", 1]] }),
    ]) {
      await rejects(call);
    }
  });

  add("STORE-14", "a lock has one holder, until it is released", async (persistence) => {
    const release = await persistence.tryLock("writer/a");
    check(release !== undefined, "the first gets it");
    check((await persistence.tryLock("writer/a")) === undefined, "the second does not");
    const other = await persistence.tryLock("writer/b");
    check(other !== undefined, "another name is another lock");
    release?.();
    release?.();
    const again = await acquired(persistence, "writer/a");
    check((await persistence.tryLock("writer/a")) === undefined, "it is held again");
    again();
    other?.();
  });

  add(
    "STORE-15",
    "a shared document is what it was, once confirmed, deletions included",
    async (persistence) => {
      const first = await attach(persistence, "room/document/shared");
      same(first.text(), "", "a new document");
      first.document.getText("t").insert(0, "hello");
      first.document.getText("t").delete(0, 1);
      await first.store.confirm();
      const second = await attach(persistence, "room/document/shared");
      same(second.text(), "ello", "a second copy while the first is open");
      await first.store.close();
      await second.store.close();
      const third = await attach(persistence, "room/document/shared");
      same(third.text(), "ello", "after both have closed");
      await third.store.close();
    },
  );

  add("STORE-15", "closing keeps what was written without a confirmation", async (persistence) => {
    const first = await attach(persistence, "room/document/shared");
    first.document.getText("t").insert(0, "kept");
    await first.store.close();
    await first.store.close();
    const second = await attach(persistence, "room/document/shared");
    same(second.text(), "kept", "the text");
    await second.store.close();
  });

  add(
    "STORE-16",
    "two that have a document open and do not hear each other are both kept",
    async (persistence) => {
      const [a, b] = [
        await attach(persistence, "room/document/shared"),
        await attach(persistence, "room/document/shared"),
      ];
      a.document.getMap("m").set("a", 1);
      b.document.getMap("m").set("b", 2);
      await a.store.confirm();
      await b.store.confirm();
      a.document.getMap("m").set("again", 3);
      await a.store.close();
      await b.store.close();
      const reader = await attach(persistence, "room/document/shared");
      same(Object.entries(reader.document.getMap("m").toJSON()).sort().join(), "a,1,again,3,b,2", "the map");
      await reader.store.close();
    },
  );

  add("STORE-17", "forgetting takes every database of the prefix, and no other", async (persistence) => {
    for (const name of ["room/a", "room/b", "roof/a"]) {
      const store = await persistence.open(name);
      await store.write({ put: [["key", name]] });
      await store.close();
    }
    const document = await attach(persistence, "room/document/shared");
    document.document.getText("t").insert(0, "secret");
    await document.store.confirm();
    await document.store.close();
    await persistence.forget("room/");
    for (const name of ["room/a", "room/b"]) {
      const store = await persistence.open(name);
      same(await store.get("key"), undefined, name);
      await store.close();
    }
    const other = await persistence.open("roof/a");
    same(await other.get("key"), "roof/a", "the other room");
    await other.close();
    const again = await attach(persistence, "room/document/shared");
    same(again.text(), "", "the shared document");
    await again.store.close();
  });

  return cases;
}

async function attach(persistence: Persistence, name: string) {
  const document = new Y.Doc();
  const store = persistence.attach(name, document);
  await store.loaded;
  return { document, store, text: () => document.getText("t").toString() };
}

/** A released lock is free within a few turns: Web Locks release in a task of their own. */
async function acquired(persistence: Persistence, name: string): Promise<() => void> {
  for (let turn = 0; turn < 100; turn++) {
    const release = await persistence.tryLock(name);
    if (release) return release;
  }
  throw new Error("The contract is broken: a released lock is not free.");
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`The contract is broken: ${what}.`);
}

function same(actual: unknown, expected: unknown, what: string): void {
  const equal =
    actual instanceof Uint8Array && expected instanceof Uint8Array
      ? equalBytes(actual, expected)
      : JSON.stringify(actual) === JSON.stringify(expected);
  check(equal, `${what} is ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`);
}

async function rejects(call: () => Promise<unknown>): Promise<void> {
  const failure = await call().then(
    () => undefined,
    (caught: unknown) => caught,
  );
  check(
    isFlockError(failure, "crdt/storage-failed"),
    `the failure is ${String(failure)}, expected crdt/storage-failed`,
  );
}
