import * as Y from "yjs";
import type { KeyValueStore, Persistence } from "../../crdt/index.ts";
import type { AddCase } from "./backend.ts";
import { check, rejects, same } from "./checks.ts";
import { acquired } from "./database-cases.ts";

/** What holds between tabs, over faults, and when databases are deleted. */
export function addSharingCases(add: AddCase): void {
  add(
    "STORE-25",
    "writes of two tabs come one after the other, each whole",
    async ({ persistence, another }) => {
      const tabs = [await persistence.open("room/a"), await (await another()).open("room/a")];
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (tabs[index % 2] as KeyValueStore).write({
            put: [["x", index] as const, ["y", index] as const, [`key/${index}`, index] as const],
          }),
        ),
      );
      for (const tab of tabs) {
        const [x, y] = [await tab.get("x"), await tab.get("y")];
        check(typeof x === "number" && x === y, `the two values of one change are ${x} and ${y}`);
        same((await tab.entries("key/")).length, 20, "the keys of both");
      }
      await Promise.all(tabs.map((tab) => tab.close()));
    },
  );

  add("STORE-25", "closing one tab's handle leaves the other's open", async ({ persistence, another }) => {
    const [a, b] = [await persistence.open("room/a"), await (await another()).open("room/a")];
    await a.close();
    await b.write({ put: [["key", 1]] });
    same(await b.get("key"), 1, "the value");
    await b.close();
  });

  add(
    "STORE-14",
    "a lock is exclusive between tabs, and free once released",
    async ({ persistence, another }) => {
      const other = await another();
      const release = await persistence.tryLock("room/writer/a");
      check(release !== undefined, "the first tab gets it");
      check((await other.tryLock("room/writer/a")) === undefined, "the second does not");
      release?.();
      (await acquired(other, "room/writer/a"))();
    },
  );

  add(
    "STORE-26",
    "a full disk refuses a change whole, says why, and takes the next one later",
    async ({ persistence, faults }) => {
      const store = await persistence.open("room/a");
      await store.write({ put: [["old", 1]] });
      const empty = faults.fillDisk();
      await rejects(
        () => store.write({ put: [["a", 1] as const, ["b", 2] as const], remove: ["old"] }),
        ["quota"],
      );
      same(await store.entries(""), [["old", 1]], "the pairs");
      empty();
      await store.write({ put: [["a", 1]] });
      same((await store.entries("")).length, 2, "the pairs after it");
      await store.close();
    },
    ["fillDisk"],
  );

  add(
    "STORE-26",
    "an aborted change is refused whole, says why, and the next one works",
    async ({ persistence, faults }) => {
      const store = await persistence.open("room/a");
      await store.write({ put: [["old", 1]] });
      faults.abortWrite();
      await rejects(
        () => store.write({ put: [["a", 1] as const, ["b", 2] as const], remove: ["old"] }),
        ["aborted"],
      );
      same(await store.entries(""), [["old", 1]], "the pairs");
      await store.write({ put: [["a", 1]] });
      same(await store.get("a"), 1, "the next write");
      await store.close();
    },
    ["abortWrite"],
  );

  add(
    "STORE-27",
    "a crash keeps what was acknowledged, and of the rest a first part",
    async ({ persistence, faults }) => {
      const store = await persistence.open("room/a");
      await store.write({ put: [["key/0", 0] as const, ["twin/0", 0] as const] });
      for (let index = 1; index < 8; index++) {
        store
          .write({ put: [[`key/${index}`, index] as const, [`twin/${index}`, index] as const] })
          .catch(() => {
            // The process is gone: nobody hears of it.
          });
      }
      const next = await (await faults.crash()).open("room/a");
      const found = (await next.entries("key/")).map(([, value]) => value);
      same(
        found,
        found.map((_, index) => index),
        "the changes that are there",
      );
      check(found.length > 0, "the acknowledged change is there");
      same(
        (await next.entries("twin/")).map(([, value]) => value),
        found,
        "the other half of each change",
      );
      await next.write({ put: [["key/after", 1]] });
      await next.close();
    },
    ["crash"],
  );

  add(
    "STORE-27",
    "a crash frees the locks and the databases",
    async ({ persistence, faults }) => {
      await (await persistence.open("room/a")).write({ put: [["key", 1]] });
      await persistence.tryLock("room/writer/a");
      const next = await faults.crash();
      (await acquired(next, "room/writer/a"))();
      await next.forget("room/");
      const store = await next.open("room/a");
      same(await store.entries(""), [], "the pairs");
      await store.close();
    },
    ["crash"],
  );

  add("STORE-17", "forgetting takes every database of the prefix, and no other", async ({ persistence }) => {
    for (const name of ["room/a", "room/b", "roof/a"]) {
      const store = await persistence.open(name);
      await store.write({ put: [["key", name]] });
      await store.close();
    }
    const document = await attach(persistence);
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
    const again = await attach(persistence);
    same(again.text(), "", "the shared document");
    await again.store.close();
  });

  add(
    "STORE-17",
    "while one database is open nothing is forgotten; a second call finishes",
    async ({ persistence, another }) => {
      for (const name of ["room/a", "room/b"]) {
        const store = await persistence.open(name);
        await store.write({ put: [["key", name]] });
        await store.close();
      }
      const tab = await another();
      for (const hold of [
        () => tab.open("room/b"),
        async () => tab.attach("room/document/shared", new Y.Doc()),
      ]) {
        const held = await hold();
        if ("loaded" in held) await held.loaded;
        await rejects(() => persistence.forget("room/", ["room/a", "room/b"]), ["blocked"]);
        const store = await persistence.open("room/a");
        same(await store.get("key"), "room/a", "the database that nobody had open");
        await Promise.all([store.close(), held.close()]);
      }
      await persistence.forget("room/", ["room/a", "room/b"]);
      const store = await persistence.open("room/b");
      same(await store.entries(""), [], "the pairs");
      await store.close();
    },
  );

  add("STORE-17", "forgetting what was never there, or twice, is no failure", async ({ persistence }) => {
    await persistence.forget("nothing/", ["nothing/a"]);
    await persistence.forget("nothing/", ["nothing/a"]);
    const store = await persistence.open("nothing/a");
    same(await store.entries(""), [], "the pairs");
    await store.close();
  });
}

async function attach(persistence: Persistence) {
  const document = new Y.Doc();
  const store = persistence.attach("room/document/shared", document);
  await store.loaded;
  return { document, store, text: () => document.getText("t").toString() };
}
