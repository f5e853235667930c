import * as Y from "yjs";
import type { Persistence } from "../../crdt/index.ts";
import type { AddCase } from "./backend.ts";
import { check, rejects, same } from "./checks.ts";

const name = "room/document/shared";
const reopenings = 20;
const stateBytes = 100_000;
/** What a database may hold beyond twice its document. */
const slackBytes = 65_536;

/** What the persistence of shared documents promises. */
export function addDocumentCases(add: AddCase): void {
  add(
    "STORE-15",
    "a shared document is what it was, once confirmed, deletions included",
    async ({ persistence }) => {
      const first = await attach(persistence, name);
      same(first.text(), "", "a new document");
      first.document.getText("t").insert(0, "hello");
      first.document.getText("t").delete(0, 1);
      await first.store.confirm();
      const second = await attach(persistence, name);
      same(second.text(), "ello", "a second copy while the first is open");
      await first.store.close();
      await second.store.close();
      const third = await attach(persistence, name);
      same(third.text(), "ello", "after both have closed");
      await third.store.close();
    },
  );

  add("STORE-15", "closing keeps what was written without a confirmation", async ({ persistence }) => {
    const first = await attach(persistence, name);
    first.document.getText("t").insert(0, "kept");
    await first.store.close();
    await first.store.close();
    const second = await attach(persistence, name);
    same(second.text(), "kept", "the text");
    await second.store.close();
  });

  add(
    "STORE-16",
    "two that have a document open and do not hear each other are both kept",
    async ({ persistence }) => {
      const [a, b] = [await attach(persistence, name), await attach(persistence, name)];
      a.document.getMap("m").set("a", 1);
      b.document.getMap("m").set("b", 2);
      await a.store.confirm();
      await b.store.confirm();
      a.document.getMap("m").set("again", 3);
      await a.store.close();
      await b.store.close();
      const reader = await attach(persistence, name);
      same(Object.entries(reader.document.getMap("m").toJSON()).sort().join(), "a,1,again,3,b,2", "the map");
      await reader.store.close();
    },
  );

  add(
    "STORE-23",
    "what a full disk refused is kept with the next confirmation",
    async ({ persistence, faults }) => {
      const first = await attach(persistence, name);
      first.document.getText("t").insert(0, "a");
      await first.store.confirm();
      const empty = faults.fillDisk();
      first.document.getText("t").insert(1, "b");
      await rejects(() => first.store.confirm(), ["quota"]);
      first.document.getText("t").insert(2, "c");
      await rejects(() => first.store.confirm(), ["quota"]);
      empty();
      await first.store.confirm();
      const second = await attach(persistence, name);
      same(second.text(), "abc", "the text");
      await Promise.all([first.store.close(), second.store.close()]);
    },
    ["fillDisk"],
  );

  add(
    "STORE-23",
    "what an aborted transaction left out is kept with the next confirmation",
    async ({ persistence, faults }) => {
      const first = await attach(persistence, name);
      first.document.getText("t").insert(0, "a");
      await first.store.confirm();
      faults.abortWrite();
      first.document.getText("t").insert(1, "b");
      // A confirmation may find that the write was tried again already.
      await first.store.confirm().catch(() => undefined);
      await first.store.confirm();
      await first.store.close();
      const second = await attach(persistence, name);
      same(second.text(), "ab", "the text");
      await second.store.close();
    },
    ["abortWrite"],
  );

  add(
    "STORE-23",
    "what was confirmed outlives a crash",
    async ({ persistence, faults }) => {
      const first = await attach(persistence, name);
      first.document.getText("t").insert(0, "kept");
      await first.store.confirm();
      first.document.getText("t").insert(4, " or lost");
      const next = await attach(await faults.crash(), name);
      check(["kept", "kept or lost"].includes(next.text()), `the text is whole: ${next.text()}`);
      await next.store.close();
    },
    ["crash"],
  );

  add(
    "STORE-24",
    "twenty reopenings with a change each keep within twice the document",
    async ({ persistence, faults }) => {
      for (let count = 0; count < reopenings; count++) {
        const { document, store } = await attach(persistence, name);
        // The same key again and again: what it held before is garbage.
        document.getMap("m").set("big", "x".repeat(stateBytes));
        await store.confirm();
        const size = Y.encodeStateAsUpdate(document).length;
        await store.close();
        const stored = await faults.storedBytes(name);
        // At the end of a session its last change may not have been weighed.
        check(
          stored <= 2 * size + slackBytes + stateBytes,
          `${stored} bytes are kept of a document of ${size}`,
        );
      }
    },
    ["storedBytes"],
  );

  add(
    "STORE-24",
    "one long session keeps within twice the document",
    async ({ persistence, faults }) => {
      const { document, store } = await attach(persistence, name);
      for (let count = 0; count < reopenings; count++) {
        document.getMap("m").set("big", "x".repeat(stateBytes / 2));
        await store.confirm();
      }
      const size = Y.encodeStateAsUpdate(document).length;
      await store.close();
      const stored = await faults.storedBytes(name);
      check(
        stored <= 2 * size + slackBytes + stateBytes / 2,
        `${stored} bytes are kept of a document of ${size}`,
      );
    },
    ["storedBytes"],
  );

  add("STORE-24", "compaction keeps what another tab writes meanwhile", async ({ persistence, another }) => {
    const [a, b] = [await attach(persistence, name), await attach(await another(), name)];
    for (let count = 0; count < reopenings; count++) {
      a.document.getMap("m").set("a", `${count}${"a".repeat(slackBytes / 2)}`);
      b.document.getMap("m").set(`b${count}`, `${count}${"b".repeat(slackBytes / 4)}`);
      await Promise.all([a.store.confirm(), b.store.confirm()]);
    }
    await Promise.all([a.store.close(), b.store.close()]);
    const reader = await attach(persistence, name);
    same(Object.keys(reader.document.getMap("m").toJSON()).length, reopenings + 1, "the keys of both");
    await reader.store.close();
  });

  add(
    "STORE-24",
    "compaction keeps an update that waits for an earlier one",
    async ({ persistence, faults }) => {
      const source = new Y.Doc();
      const updates: Uint8Array[] = [];
      source.on("update", (update: Uint8Array) => updates.push(update));
      source.getText("t").insert(0, "early ");
      source.getText("t").insert(6, "late");
      const [early, late] = updates as [Uint8Array, Uint8Array];
      await faults.appendUpdate(name, late);
      for (let count = 0; count < 3; count++) {
        const { document, store, text } = await attach(persistence, name);
        same(text(), "", "the text before the first part");
        for (let change = 0; change < 8; change++) {
          document.getMap("m").set("big", `${change}${"x".repeat(slackBytes)}`);
          await store.confirm();
        }
        await store.close();
      }
      await faults.appendUpdate(name, early);
      const last = await attach(persistence, name);
      same(last.text(), "early late", "the text after it");
      await last.store.close();
    },
    ["appendUpdate"],
  );
}

async function attach(persistence: Persistence, database: string) {
  const document = new Y.Doc();
  const store = persistence.attach(database, document);
  await store.loaded;
  return { document, store, text: () => document.getText("t").toString() };
}
