import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { createGuard } from "../../src/crdt/shared/guard.ts";
import { parseDocumentName, sliceUpdate } from "../../src/protocol/index.ts";
import { createEditor, remote } from "../protocol/gate/editing.ts";
import { createRandom } from "../protocol/gate/random.ts";

const name = parseDocumentName("shared");

/** A replica whose guard stands before everything that arrives. */
function createReplica() {
  const document = new Y.Doc();
  const guard = createGuard(name, document);
  const results: string[] = [];
  return {
    document,
    /** What became of each update that did not just apply or was known. */
    trouble: () => results.filter((result) => result !== "applied" && result !== "known"),
    receive(update: Uint8Array) {
      const received = guard(update);
      results.push("code" in received ? received.code : received.result);
      if (received.result === "applied") Y.applyUpdate(document, update);
    },
  };
}

/** Halves of surrogate pairs: Yjs itself shows them otherwise where an edit has split the pair. */
const halves = /\\ud[89a-f][0-9a-f]{2}|[\ud800-\udfff]|\ufffd/g;

/** Everything that a document shows, by its roots. */
function shown(document: Y.Doc): unknown {
  const delta = (document.getText("t").toDelta() as { insert: unknown; attributes?: unknown }[]).map(
    ({ insert, attributes }) => [insert instanceof Y.AbstractType ? insert.toJSON() : insert, attributes],
  );
  const all = [delta, document.getArray("a").toJSON(), document.getMap("m").toJSON()];
  const json = JSON.stringify(all, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
  return JSON.parse(json.replaceAll(halves, "?"));
}

/** What compaction leaves: the whole state, collected by Yjs, as a run of updates that each pass the gate. */
function snapshotOf(document: Y.Doc, structs: number): Uint8Array[] {
  const compacted = new Y.Doc();
  Y.applyUpdate(compacted, Y.encodeStateAsUpdate(document));
  return sliceUpdate(Y.encodeStateAsUpdate(compacted), { structs, deleteRanges: structs });
}

function play(seed: number) {
  const random = createRandom(seed);
  const editors = [5, 9, 2].map(createEditor);
  const relay = new Y.Doc();
  const returning = createReplica();
  const lapsed = createReplica();
  const knows = 40 + random.below(80);
  for (let step = 0; step < 160; step++) {
    const editor = random.pick(editors);
    const before = Y.encodeStateVector(editor.doc);
    editor.edit(random);
    Y.applyUpdate(relay, Y.encodeStateAsUpdate(editor.doc, before));
    if (random.below(3) === 0) Y.applyUpdate(editor.doc, Y.encodeStateAsUpdate(relay), remote);
    // One was here up to now, the other has only what one editor told: each knows some clients in part.
    if (step === knows) returning.receive(Y.encodeStateAsUpdate(relay));
    if (step === knows + 20) lapsed.receive(Y.encodeStateAsUpdate(editor.doc));
  }
  return { random, relay, replicas: [returning, lapsed, createReplica()] };
}

describe("snapshots of a relay that compacted", () => {
  it("SHARED-10: whoever has part of it, or none, or all, takes every piece and ends equal", () => {
    for (let seed = 0; seed < 60; seed++) {
      const { random, relay, replicas } = play(seed);
      for (const replica of replicas) {
        const own = new Y.Doc();
        own.clientID = 77;
        Y.applyUpdate(own, Y.encodeStateAsUpdate(replica.document));
        own.getText("t").insert(0, "written meanwhile");
        const mine = Y.encodeStateAsUpdate(own, Y.encodeStateVector(replica.document));
        const pieces = snapshotOf(relay, 3 + random.below(60));
        for (const piece of pieces) replica.receive(piece);
        expect(replica.trouble(), `seed ${seed}`).toEqual([]);
        expect(replica.document.store.pendingStructs, `seed ${seed}`).toBeNull();
        expect(shown(replica.document), `seed ${seed}`).toEqual(shown(relay));
        expect(Y.equalSnapshots(Y.snapshot(replica.document), Y.snapshot(relay)), `seed ${seed}`).toBe(true);
        // What rests on items that are collected meanwhile still goes both ways.
        replica.receive(mine);
        const both = new Y.Doc();
        Y.applyUpdate(both, Y.encodeStateAsUpdate(relay));
        Y.applyUpdate(both, mine);
        expect([replica.trouble(), shown(replica.document)], `seed ${seed}`).toEqual([[], shown(both)]);
      }
    }
  });

  it("SHARED-10 control: without one of its pieces a replica does not end equal", () => {
    const { relay } = play(1);
    const replica = createReplica();
    const pieces = snapshotOf(relay, 10);
    for (const piece of pieces.toSpliced(1, 1)) replica.receive(piece);
    expect(replica.trouble()).toContain("gap");
  });

  it.each<[string, (document: Y.Doc) => void, (document: Y.Doc) => void]>([
    [
      "text with formats",
      (document) => document.getText("t").insert(0, "bold and plain", { bold: true }),
      (document) => {
        document.getText("t").format(2, 5, { bold: null, link: "x" });
        document.getText("t").delete(1, 6);
        document.getText("t").insert(3, "new", { size: 2 });
      },
    ],
    [
      "a nested map that is deleted",
      (document) => {
        const inner = new Y.Map();
        document.getMap("m").set("inner", inner);
        inner.set("list", new Y.Array());
        (inner.get("list") as Y.Array<number>).push([1, 2, 3]);
      },
      (document) => {
        (document.getMap("m").get("inner") as Y.Map<unknown>).set("more", 1);
        document.getMap("m").delete("inner");
        document.getMap("m").set("inner", "gone");
      },
    ],
    [
      "a key that is overwritten over and over",
      (document) => document.getMap("m").set("k", 0),
      (document) => {
        for (let value = 1; value < 50; value++) document.getMap("m").set("k", value);
      },
    ],
    [
      "an array whose items are deleted in runs",
      (document) => document.getArray("a").push([1, 2, 3, new Y.Map([["a", new Y.Text("deep")]]), 4, 5, 6]),
      (document) => {
        document.getArray("a").delete(1, 4);
        document.getArray("a").insert(1, [7, 8]);
        document.getArray("a").delete(0, 2);
      },
    ],
  ])("SHARED-10: %s", (_, begin, goOn) => {
    const relay = new Y.Doc();
    begin(relay);
    const replica = createReplica();
    replica.receive(Y.encodeStateAsUpdate(relay));
    goOn(relay);
    for (const piece of snapshotOf(relay, 2)) replica.receive(piece);
    expect([replica.trouble(), shown(replica.document)]).toEqual([[], shown(relay)]);
  });
});
