import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { createInMemoryStorage } from "../../src/edge/index.ts";
import { makeSnapshot } from "../../src/edge/room/ledger/snapshot.ts";
import { walkCost } from "../../src/edge/room/ledger/walk-cost.ts";
import { decodeClocks, parseDocumentName } from "../../src/protocol/index.ts";
import { buildUpdate, content, type StructSpec } from "../protocol/gate/build.ts";
import { editedDocument } from "./documents.ts";
import { createHarness, grantOf } from "./room-harness.ts";
import { itemsOf, updateFrame } from "./wire.ts";

const any = Number.POSITIVE_INFINITY;
const atStart: StructSpec = { ...content.string("x"), parent: "t" };
const blockOf = (structs: readonly StructSpec[], client: number, clock = 0): Uint8Array =>
  buildUpdate([{ client, clock, structs: [...structs] }]);
const times = (count: number, struct: StructSpec = atStart): StructSpec[] =>
  Array.from({ length: count }, () => struct);

/** A list of so many items of client 1, each at the start. */
function listOf(count: number): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, blockOf(times(count), 1));
  return doc;
}

describe("what it takes to place items", () => {
  test("COMPACT-12: origins that lead round in a circle have an end", () => {
    const doc = listOf(3);
    const towards = (client: number): StructSpec => ({
      ...atStart,
      parent: undefined,
      right: [client, 0],
    });
    const circle = buildUpdate([
      { client: 6, clock: 0, structs: [towards(5)] },
      { client: 5, clock: 0, structs: [towards(6)] },
    ]);
    expect(walkCost(doc, circle, any)).toBeLessThan(100);
    expect(walkCost(doc, blockOf([{ ...towards(7) }], 7), any)).toBeLessThan(100);
  });

  test("COMPACT-12: items that each pass a list cost its length, whatever their client", () => {
    const doc = new Y.Doc();
    // Not merged: each lies before the one before it.
    doc.transact(() => {
      Y.applyUpdate(doc, blockOf(times(100), 1));
      expect(walkCost(doc, blockOf(times(10), 2), any)).toBe(1_000);
      const clients = Array.from({ length: 10 }, (_, index) => ({
        client: 20 - index,
        clock: 0,
        structs: [atStart],
      }));
      expect(walkCost(doc, buildUpdate(clients), any)).toBe(1_000);
      expect(walkCost(doc, blockOf(times(10), 2), 300)).toBe(301);
    });
  });

  test("COMPACT-12: right origins end the way, also through items that are new", () => {
    const doc = new Y.Doc();
    doc.transact(() => {
      Y.applyUpdate(doc, blockOf(times(100), 1));
      const order = doc.getText("t").toJSON().length;
      expect(order).toBe(100);
      let middle = doc.getText("t")._start;
      for (let passed = 0; passed < 40; passed++) middle = middle?.right ?? null;
      const right = [middle?.id.client ?? 0, middle?.id.clock ?? 0] as const;
      const before: StructSpec = { ...content.string("x"), right };
      expect(walkCost(doc, blockOf([before], 2), any)).toBe(40);
      // One of a client that goes first stays where it is put.
      expect(walkCost(doc, blockOf([atStart], 0), any)).toBe(0);
      const beforeThat: StructSpec = { ...content.string("x"), right: [2, 0] };
      expect(walkCost(doc, blockOf([before, beforeThat], 2), any)).toBe(80);
    });
  });

  test("COMPACT-12: a right origin that is new ends no way through what is known", () => {
    const doc = listOf(100);
    const last = doc.getText("t").toJSON().length;
    expect(last).toBe(100);
    const end: StructSpec = { ...content.embed("0"), origin: [1, 0] };
    const before: StructSpec = { ...content.embed("0"), right: [2, 0] };
    expect(walkCost(doc, blockOf([end], 2), any)).toBe(0);
    expect(walkCost(doc, blockOf([end, before], 2), any)).toBeGreaterThan(0);
  });

  test("COMPACT-12: typing, lists, maps and nested types of honest documents cost next to nothing", () => {
    const doc = new Y.Doc();
    const reader = new Y.Doc();
    let cost = 0;
    doc.on("update", (update: Uint8Array) => {
      cost += walkCost(reader, update, any);
      Y.applyUpdate(reader, update);
    });
    for (let round = 0; round < 500; round++) {
      doc.getText("t").insert((round * 7) % (doc.getText("t").length + 1), `word ${round} `);
      doc.getArray("a").insert((round * 3) % (doc.getArray("a").length + 1), [round]);
      doc.getMap("m").set(`k${round % 10}`, new Y.Map([["n", round]]));
      const nested = doc.getMap("m").get(`k${round % 10}`) as Y.Map<unknown>;
      nested.set("list", new Y.Array());
      (nested.get("list") as Y.Array<number>).push([1, 2, 3]);
      (nested.get("list") as Y.Array<number>).delete(1);
    }
    expect(reader.getText("t").toJSON()).toBe(doc.getText("t").toJSON());
    expect(reader.getMap("m").toJSON()).toEqual(doc.getMap("m").toJSON());
    expect(cost).toBe(0);
    expect(walkCost(listOf(0), Y.encodeStateAsUpdate(doc), any)).toBe(0);
  });

  test("COMPACT-12: what two put at one place while apart costs the product", () => {
    const docs = [1, 2].map((client) => {
      const doc = new Y.Doc();
      doc.clientID = client;
      for (let index = 0; index < 200; index++) doc.getArray("a").unshift([index]);
      return doc;
    });
    const [one, two] = docs as [Y.Doc, Y.Doc];
    expect(walkCost(one, Y.encodeStateAsUpdate(two), any)).toBe(200 * 200);
  });
});

describe("compaction of what is crafted", () => {
  const crafted = [
    ...Array.from({ length: 20 }, (_, slice) => blockOf(times(1_000), 1, slice * 1_000)),
    blockOf(times(1_000), 2),
    blockOf(times(1_000), 3),
  ];

  test("COMPACT-13: a document whose items take too long to place is left as it is", () => {
    const clocks = new Map([
      [1, 20_000],
      [2, 1_000],
      [3, 1_000],
    ]);
    const name = parseDocumentName("shared");
    expect(makeSnapshot({ name, updates: crafted, clocks })).toEqual({
      failure: "Its items take too long to place.",
    });
    const honest = makeSnapshot({ name, updates: crafted.slice(0, 20), clocks: new Map([[1, 20_000]]) });
    expect(honest).toHaveProperty("updates");
  });

  test("COMPACT-13: its room serves on from the rows, and others' documents are compacted", () => {
    const storage = createInMemoryStorage();
    const room = createHarness(storage, { limits: { refusalsPerSecond: 1 } });
    const mallory = room.join(undefined, undefined, grantOf("mallory"));
    for (const [index, update] of crafted.entries()) {
      mallory.send(updateFrame("shared", [update], index + 1));
      room.clock.advance(1);
      mallory.credit();
    }
    expect(itemsOf(mallory.items, "refuse")).toEqual([]);
    const alice = room.join(undefined, undefined, grantOf("alice"));
    const own = editedDocument(50);
    for (let mark = 1; mark <= 400; mark++) {
      own.doc.getMap("m").set("k", mark);
      alice.send(updateFrame("shared/other", own.take(), mark));
      room.clock.advance(1);
      alice.credit();
    }
    const rowsBefore = [...storage.rowsAfter(0)].length;
    room.elapse(600_000);
    room.elapse(600_000);
    const rowsAfter = [...storage.rowsAfter(0)].length;
    expect(rowsAfter).toBeLessThan(rowsBefore);
    const shared = storage.documentNamed("shared")?.id ?? 0;
    expect([...storage.rowsOf(shared)]).toHaveLength(crafted.length);
    expect(decodeClocks(Y.encodeStateVector(own.doc)).get(50)).toBeGreaterThan(0);
    expect(room.failures).toEqual([]);
  });
});
