import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { defaultRoomLimits } from "../../src/edge/room/limits.ts";
import type { AuditEntry } from "../../src/edge/room/ports.ts";
import { createInMemoryStorage } from "../../src/edge/storage/in-memory-storage.ts";
import {
  laneName,
  maxUpdateBytes,
  pageRoot,
  parseDocumentName,
  registerKey,
  registerName,
  registerRoot,
} from "../../src/protocol/index.ts";
import { buildUpdate, content } from "../protocol/gate/build.ts";
import { editedDocument, pageOf, pageUpdates } from "./documents.ts";
import { admin, alice, areEqual, bob, createLedgerWorld, grantOf, type LedgerWorld } from "./ledgers.ts";

/** The updates of a Yjs client that sets a key so often. */
function edits(
  client: number,
  count: number,
  value: (index: number) => unknown = (index) => index,
): Uint8Array[] {
  const { doc, take } = editedDocument(client);
  for (let index = 0; index < count; index++) doc.getMap("m").set("k", value(index));
  return take();
}

function trail({ storage }: LedgerWorld): Pick<AuditEntry, "principal" | "subject" | "ranges" | "verdict">[] {
  return storage
    .auditAfter(0, 100)
    .map(({ principal, subject, ranges, verdict }) => ({ principal, subject, ranges, verdict }));
}

describe("owners", () => {
  const [first, second] = edits(5, 2) as [Uint8Array, Uint8Array];

  test("OWNER-1: a Yjs client of a shared document belongs to the principal that first used it", () => {
    const world = createLedgerWorld();
    world.write("shared", [first], alice);
    expect(world.offer("shared", second, bob)).toMatchObject({ code: "gate/not-owner", resync: false });
    expect(world.offer("shared", second, alice)).toBeUndefined();
    world.ledger.commit();
    expect(world.storage.clock(1, 5)).toEqual({ document: 1, client: 5, clock: 2, owner: "alice" });
  });

  test("OWNER-1: within a turn, after a sleep, and for each document by itself", () => {
    const world = createLedgerWorld();
    expect(world.offer("shared", first, alice)).toBeUndefined();
    expect(world.offer("shared", second, bob)?.code).toBe("gate/not-owner");
    world.ledger.commit();
    const woken = createLedgerWorld({ storage: world.storage });
    expect(woken.offer("shared", second, bob)?.code).toBe("gate/not-owner");
    expect(woken.offer("shared/other", first, bob)).toBeUndefined();
  });

  test("OWNER-2: what is known, and deletions, may come from anybody who may write", () => {
    const world = createLedgerWorld();
    world.write("shared", [first], alice);
    expect(world.offer("shared", first, bob)).toBeUndefined();
    expect(world.ledger.commit()).toEqual([]);
    expect(world.offer("shared", buildUpdate([], [[5, [[0, 1]]]]), bob)).toBeUndefined();
    expect(world.ledger.commit()).toHaveLength(1);
  });

  test("OWNER-3: a holder of admin may bring anybody's, and the owner stays", () => {
    const world = createLedgerWorld();
    world.write("shared", [first], alice);
    world.write("shared", [second], admin);
    expect(world.storage.clock(1, 5)?.owner).toBe("alice");
    world.write("shared", edits(6, 1), admin);
    expect(world.storage.clock(1, 6)?.owner).toBe("root");
    expect(world.offer("shared", edits(6, 2)[1] as Uint8Array, alice)?.code).toBe("gate/not-owner");
  });

  test("OWNER-4: registers and lanes are owned by name, whoever writes them", () => {
    const world = createLedgerWorld();
    const page = laneName("alice.planner.x7", { number: 0, client: 7 });
    const updates = pageUpdates(7, ["one", "two"]);
    expect(world.offer(page, updates[0] as Uint8Array, bob)?.code).toBe("gate/not-owner");
    world.write(page, updates, admin);
    expect(world.storage.clock(1, 7)?.owner).toBe("alice");
  });
});

describe("scopes and conditions", () => {
  const reader = grantOf("carol", "read");

  test("LEDGER-1: who may only read may say what is known, and nothing else", () => {
    const world = createLedgerWorld();
    const [first, second, third] = edits(5, 3) as [Uint8Array, Uint8Array, Uint8Array];
    world.write("shared", [first]);
    expect(world.offer("shared", first, reader)).toBeUndefined();
    expect(world.offer("shared", second, reader)).toMatchObject({ code: "edge/forbidden", resync: false });
    expect(world.offer("shared", third, reader)?.code).toBe("edge/forbidden");
    expect(world.ledger.commit()).toEqual([]);
    const own = registerName("carol.planner.x7");
    expect(world.offer(own, edits(5, 1)[0] as Uint8Array, reader)?.code).toBe("edge/forbidden");
  });

  test("LEDGER-2: a document begins only where its writer may write it", () => {
    const world = createLedgerWorld();
    const shared = parseDocumentName("shared/new");
    expect(world.ledger.open(shared, reader)).toMatchObject({ code: "edge/forbidden" });
    expect(world.ledger.open(parseDocumentName(pageOf(7)), alice)).toMatchObject({ code: "gate/not-owner" });
    world.ledger.commit();
    expect(world.storage.documentCount()).toBe(0);
    expect(world.ledger.open(shared, alice)).toMatchObject({ id: 1 });
    expect(world.ledger.open(shared, reader)).toMatchObject({ id: 1 });
  });

  test("LEDGER-3: while halted only registers are taken; known content still passes", () => {
    const world = createLedgerWorld();
    const [first, second] = edits(5, 2) as [Uint8Array, Uint8Array];
    world.write("shared", [first]);
    world.storage.commit({ settings: { halted: "1" } });
    expect(world.offer("shared", first)).toBeUndefined();
    expect(world.offer("shared", second)).toMatchObject({ code: "edge/halted", resync: false });
    const page = laneName("alice.planner.x7", { number: 0, client: 7 });
    expect(world.offer(page, pageUpdates(7, ["one"])[0] as Uint8Array)?.code).toBe("edge/halted");
    const { doc, take } = editedDocument(8);
    doc.getMap(registerRoot).set(registerKey, { load: 1 });
    expect(world.offer(registerName("alice.planner.x7"), take()[0] as Uint8Array)).toBeUndefined();
    world.ledger.commit();
    world.storage.commit({ settings: { halted: undefined } });
    expect(world.offer("shared", second)).toBeUndefined();
  });

  test("LEDGER-4: a deleted room takes nothing", () => {
    const world = createLedgerWorld();
    world.storage.commit({ settings: { deleted: "1" } });
    expect(world.offer("shared", edits(5, 1)[0] as Uint8Array)?.code).toBe("edge/room-deleted");
  });

  test("LEDGER-5: after somebody else wrote to the storage, a reload sees it", () => {
    const world = createLedgerWorld();
    world.write("shared", edits(5, 2));
    world.offer("shared", edits(6, 1)[0] as Uint8Array);
    world.storage.commit({ clear: true });
    world.ledger.reload();
    expect(world.ledger.head).toBe(0);
    expect(world.ledger.commit()).toEqual([]);
    world.write("shared/first", edits(5, 1), bob);
    expect(world.storage.documentNumbered(1)?.name).toBe("shared/first");
    expect([...world.storage.rowsAfter(0)].map(({ sequence }) => sequence)).toEqual([1]);
    expect(world.storage.clock(1, 5)?.owner).toBe("bob");
  });
});

describe("overlaps", () => {
  test("OVERLAP-1: an update that begins at known clocks is trimmed to what is new", () => {
    const { doc, take } = editedDocument(5);
    const world = createLedgerWorld();
    const text = doc.getText("t");
    text.insert(0, "häuser 😀 und ");
    world.write("shared", take());
    const known = world.storage.clock(1, 5)?.clock ?? 0;
    text.insert(text.length, "straßen", { bold: true });
    text.delete(2, 3);
    doc.getMap("m").set("k", new Y.Text("nested"));
    take();
    expect(world.offer("shared", Y.encodeStateAsUpdate(doc))).toBeUndefined();
    const [row] = world.ledger.commit();
    const whole = Y.encodeStateAsUpdate(doc);
    expect(row?.parts.length).toBeLessThan(whole.length);
    expect(areEqual(world.read("shared"), doc)).toBe(true);
    expect(trail(world).at(-1)).toMatchObject({
      ranges: [{ client: 5, from: known, to: Y.getState(doc.store, 5) }],
    });
  });

  test("OVERLAP-2: of a clock that is known the first content holds (THREATS 1)", () => {
    const world = createLedgerWorld();
    const page = laneName("alice.planner.x7", { number: 0, client: 7 });
    world.write(page, pageUpdates(7, ["one", "two"]));
    const forged = editedDocument(7);
    forged.doc.transact(() => forged.doc.getArray(pageRoot).push(["forged", "forged", "three"]));
    expect(world.offer(page, forged.take()[0] as Uint8Array)).toBeUndefined();
    world.ledger.commit();
    expect(world.read(page).getArray(pageRoot).toArray()).toEqual(["one", "two", "three"]);
  });

  test("OVERLAP-3: known blocks beside new ones are not stored again", () => {
    const world = createLedgerWorld();
    const doc = new Y.Doc();
    for (const update of [...edits(9, 30, () => "x".repeat(100)), ...edits(5, 1)]) Y.applyUpdate(doc, update);
    world.write("shared", [...edits(9, 30, () => "x".repeat(100)), ...edits(5, 1)]);
    doc.clientID = 6;
    doc.getArray("a").push(["new"]);
    expect(world.offer("shared", Y.encodeStateAsUpdate(doc))).toBeUndefined();
    const [row] = world.ledger.commit();
    expect(row?.parts.length).toBeLessThan(64);
    expect(areEqual(world.read("shared"), doc)).toBe(true);
  });

  test("OVERLAP-4: what remains is judged as if it had come alone", () => {
    const world = createLedgerWorld();
    world.write("shared", edits(5, 2));
    const ahead = { ...content.any(1), origin: [5, 9] as const };
    const update = buildUpdate([{ client: 5, clock: 1, structs: [content.any(1), ahead] }]);
    expect(world.offer("shared", update)?.code).toBe("gate/origin");
    expect(world.offer("shared", edits(5, 9)[8] as Uint8Array)).toMatchObject({
      code: "gate/gap",
      resync: true,
    });
  });
});

describe("large updates of stock clients", () => {
  /** Somebody who edits for long while offline, in every way. */
  function editOffline(count: number): Y.Doc {
    const { doc } = editedDocument(5);
    const [text, list, map] = [doc.getText("t"), doc.getArray<unknown>("a"), doc.getMap<unknown>("m")];
    const nested = map.set("nested", new Y.Map<unknown>()) as Y.Map<unknown>;
    const inner = nested.set("text", new Y.Text()) as Y.Text;
    for (let index = 0; index < count; index++) {
      text.insert((index * 7) % (text.length + 1), `w${index} `, index % 5 === 0 ? { bold: true } : {});
      if (index % 3 === 0 && text.length > 9) text.delete((index * 5) % (text.length - 4), 3);
      if (index % 4 === 0) list.insert(index % (list.length + 1), [{ index }]);
      map.set(`k${index % 11}`, index);
      inner.insert(0, "ab");
      nested.set(`n${index % 3}`, index);
    }
    return doc;
  }

  test("SLICE-3: 5,000 edits made offline, with deletions, formats and nested types, converge", () => {
    const doc = editOffline(1_000);
    const world = createLedgerWorld();
    const update = Y.encodeStateAsUpdate(doc);
    expect(Y.decodeUpdate(update).structs.length).toBeGreaterThan(2_000);
    expect(world.offer("shared", update)?.code).toBe("gate/too-many-structs");
    expect(world.offer("shared", update, alice, true)).toBeUndefined();
    world.ledger.commit();
    expect(areEqual(world.read("shared"), doc)).toBe(true);
    world.ledger.compact(1);
    expect(areEqual(world.read("shared"), doc)).toBe(true);
    // It comes back with everything once more, and some more.
    doc.getText("t").insert(3, "again");
    expect(world.offer("shared", Y.encodeStateAsUpdate(doc), alice, true)).toBeUndefined();
    world.ledger.commit();
    expect(areEqual(world.read("shared"), doc)).toBe(true);
  });

  test("SLICE-3: as many bytes as a frame holds, and more, in small structs or in one", () => {
    const limits = { ...defaultRoomLimits, documentBytes: 16 * 1024 * 1024 };
    const small = editedDocument(5).doc;
    const map = small.getMap("m");
    small.transact(() => {
      for (let index = 0; index < 60_000; index++) map.set(`key ${index}`, index);
    });
    const long = editedDocument(6).doc;
    long.getText("t").insert(0, "long 😀 text ".repeat(150_000));
    for (const doc of [small, long]) {
      const update = Y.encodeStateAsUpdate(doc);
      expect(update.length).toBeGreaterThan(maxUpdateBytes * 0.9);
      const world = createLedgerWorld({ limits });
      expect(world.offer("shared", update, alice, true)).toBeUndefined();
      const rows = world.ledger.commit();
      for (const { parts } of rows) expect(parts.length).toBeLessThanOrEqual(maxUpdateBytes + 64);
      expect(areEqual(world.read("shared"), doc)).toBe(true);
    }
  });
});

describe("places", () => {
  test("GATE-16: the relay knows what lies under a nested map's key, in the turn, after it and after a sleep", () => {
    const { doc, take } = editedDocument(5);
    const nested = doc.getMap("m").set("nested", new Y.Map<unknown>()) as Y.Map<unknown>;
    nested.set("k", 1);
    doc.getText("t").insert(0, "text");
    nested.set("k", 2);
    const attack = (clock: number) =>
      buildUpdate([{ client: 9, clock: 0, structs: [{ ...content.string("ab"), origin: [5, clock] }] }]);
    const world = createLedgerWorld();
    for (const update of take()) expect(world.offer("shared", update)).toBeUndefined();
    const woken = () => createLedgerWorld({ storage: world.storage });
    const committed = () => {
      world.ledger.commit();
      return world;
    };
    for (const judge of [() => world, committed, woken]) {
      for (const keyed of [1, 6])
        expect(judge().offer("shared", attack(keyed))?.code).toBe("gate/not-canonical");
    }
    expect(woken().offer("shared", attack(3))).toBeUndefined();
    expect(woken().offer("shared", attack(0))).toBeUndefined();
    world.ledger.compact(1);
    expect(woken().offer("shared", attack(6))?.code).toBe("gate/not-canonical");
  });

  test("GATE-12: typing into a nested text takes one run of places, whatever is typed in between", () => {
    const { doc, take } = editedDocument(5);
    const text = doc.getMap("m").set("note", new Y.Text()) as Y.Text;
    for (let index = 0; index < 50; index++) text.insert(text.length, "abc");
    const world = createLedgerWorld();
    world.write("shared", take());
    const typed = { document: 1, client: 5, from: 1, to: 151, depth: 1, keyed: false };
    expect(world.storage.placeAt(1, 5, 9_999)).toEqual(typed);
    for (let index = 0; index < 20; index++) {
      doc.getMap("m").set(`k${index % 3}`, index);
      doc.getText("t").insert(0, "root");
    }
    world.write("shared", take());
    expect(world.storage.placeAt(1, 5, 9_999)).toEqual(typed);
  });
});

describe("limits", () => {
  const limits = {
    ...defaultRoomLimits,
    documentBytes: 20_000,
    roomBytes: 60_000,
    documents: 3,
    updateBytes: 8_000,
  };
  const big = (client: number, bytes: number) => {
    const { doc, take } = editedDocument(client);
    doc.getText("t").insert(0, "x".repeat(bytes));
    return take()[0] as Uint8Array;
  };

  test("LIMIT-1: an update past its bytes is refused, and cut for a sender that does not slice", () => {
    const world = createLedgerWorld({ limits });
    expect(world.offer("shared", big(5, 9_000))).toMatchObject({
      code: "protocol/update-too-large",
      resync: false,
    });
    expect(world.offer("shared", big(5, 9_000), alice, true)).toBeUndefined();
    expect(world.ledger.commit().flatMap(({ updates }) => updates)).toHaveLength(2);
  });

  test("LIMIT-2: a shared document that is full without its history takes no more", () => {
    const world = createLedgerWorld({ limits });
    world.write("shared", [big(5, 7_000), big(6, 7_000)]);
    expect(world.offer("shared", big(7, 7_000))).toMatchObject({ code: "edge/document-full", resync: false });
    expect(world.offer("shared", big(7, 4_000))).toBeUndefined();
    expect(world.offer("shared/other", big(7, 7_000))).toBeUndefined();
  });

  test("LIMIT-3: a long history is no reason to refuse, whether committed or gathered in one turn", () => {
    const roomy = { ...limits, roomBytes: 1e6 };
    const updates = edits(5, 3_000, (index) => `value ${index}`);
    const committed = createLedgerWorld({ limits: roomy });
    committed.write("shared", updates);
    expect(committed.storage.size().bytes).toBeLessThan(limits.documentBytes * 1.3);
    const gathered = createLedgerWorld({ limits: roomy });
    for (const update of updates) expect(gathered.offer("shared", update)).toBeUndefined();
    gathered.ledger.commit();
    for (const world of [committed, gathered]) {
      expect(world.read("shared").getMap("m").get("k")).toBe("value 2999");
      expect(world.offer("shared", big(6, 7_000))).toBeUndefined();
      expect(world.offer("shared", big(7, 7_000))).toBeUndefined();
      expect(world.offer("shared", big(8, 7_000))?.code).toBe("edge/document-full");
    }
  });

  test("LIMIT-4: a full room takes no more, in whatever document", () => {
    const world = createLedgerWorld({ limits: { ...limits, documentBytes: 30_000, documents: 9 } });
    for (const name of ["shared/a", "shared/b"]) {
      world.write(name, [big(5, 7_000), big(6, 7_000), big(7, 7_000), big(8, 7_000)]);
    }
    expect(world.offer("shared/c", big(5, 7_000))).toMatchObject({ code: "edge/room-full", resync: false });
    const woken = createLedgerWorld({ storage: world.storage, limits });
    expect(woken.offer("shared/c", big(5, 7_000))?.code).toBe("edge/room-full");
    expect(woken.offer("shared/c", big(5, 3_000))).toBeUndefined();
  });

  test("LIMIT-5: a room holds so many documents", () => {
    const world = createLedgerWorld({ limits });
    world.write("shared/a", edits(5, 1));
    world.write("shared/b", edits(5, 1));
    const woken = createLedgerWorld({ storage: world.storage, limits });
    woken.write("shared/c", edits(5, 1));
    expect(() => woken.offer("shared/d", edits(5, 1)[0] as Uint8Array)).toThrow(
      expect.objectContaining({ code: "edge/too-many-documents" }),
    );
    expect(woken.ledger.open(parseDocumentName("shared/d"), alice)).toMatchObject({
      code: "edge/too-many-documents",
    });
    expect(woken.ledger.open(parseDocumentName("shared/a"), alice)).toMatchObject({ id: 1 });
  });

  test("LIMIT-6: a page takes twice the bytes of its entries, a register a record of half a MiB", () => {
    const world = createLedgerWorld();
    const page = laneName("alice.planner.x7", { number: 0, client: 7 });
    const batches = pageUpdates(
      7,
      Array.from({ length: 5 }, () => ["x".repeat(120_000)]),
    );
    world.write(page, batches.slice(0, 4));
    expect(world.offer(page, batches[4] as Uint8Array)?.code).toBe("edge/document-full");
    const name = registerName("alice.planner.x7");
    const { doc, take } = editedDocument(8);
    for (let index = 0; index < 9; index++) doc.getMap(registerRoot).set(registerKey, "x".repeat(500_000));
    world.write(name, take());
    doc.getMap(registerRoot).set(registerKey, "x".repeat(700_000));
    expect(world.offer(name, take()[0] as Uint8Array)?.code).toBe("edge/document-full");
  });
});

describe("the audit trail", () => {
  test("AUDIT-1: a turn leaves one entry for each principal, document and verdict, with clocks and bytes", () => {
    const world = createLedgerWorld();
    const [a, b, c] = edits(5, 3) as [Uint8Array, Uint8Array, Uint8Array];
    world.offer("shared", a, alice);
    world.offer("shared", b, alice);
    world.offer("shared", edits(6, 1)[0] as Uint8Array, bob);
    world.offer("shared", c, bob);
    world.offer("shared/other", a, alice);
    world.ledger.commit();
    expect(trail(world)).toEqual([
      { principal: "alice", subject: "shared", ranges: [{ client: 5, from: 0, to: 2 }], verdict: "accepted" },
      { principal: "bob", subject: "shared", ranges: [{ client: 6, from: 0, to: 1 }], verdict: "accepted" },
      { principal: "bob", subject: "shared", ranges: [], verdict: "gate/not-owner" },
      {
        principal: "alice",
        subject: "shared/other",
        ranges: [{ client: 5, from: 0, to: 1 }],
        verdict: "accepted",
      },
    ]);
    const [entry] = world.storage.auditAfter(0, 1);
    expect(entry).toMatchObject({ at: world.clock.now(), tokenId: "alice-1", bytes: a.length + b.length });
  });

  test("AUDIT-2: refusals are kept without an accepted update, merged by token and code; a resync is none", () => {
    const world = createLedgerWorld();
    for (let index = 0; index < 50; index++) {
      world.offer(`shared/d${index % 10}`, Uint8Array.of(9), alice);
      world.offer("shared", edits(5, 2)[1] as Uint8Array, alice);
    }
    expect(world.ledger.commit()).toEqual([]);
    expect(world.storage.auditAfter(0, 9)).toMatchObject([
      { subject: "shared/d0", verdict: "gate/bounds", bytes: 50, ranges: [] },
    ]);
  });

  test("AUDIT-3: it is in the transaction of its rows, and can be kept to refusals", () => {
    const storage = createInMemoryStorage();
    const commits: (readonly [number, number])[] = [];
    const world = createLedgerWorld({
      storage: {
        ...storage,
        commit(changes) {
          commits.push([changes.rows?.length ?? 0, changes.audit?.length ?? 0]);
          storage.commit(changes);
        },
      },
    });
    world.write("shared", edits(5, 1));
    expect(commits).toEqual([[1, 1]]);
    const quiet = createLedgerWorld({ audit: "refused" });
    quiet.write("shared", edits(5, 1));
    quiet.offer("shared", Uint8Array.of(9));
    quiet.ledger.commit();
    expect(trail(quiet).map(({ verdict }) => verdict)).toEqual(["gate/bounds"]);
  });

  test("AUDIT-4: an entry names at most 32 Yjs clients", () => {
    const world = createLedgerWorld();
    for (let client = 1; client <= 40; client++) world.offer("shared", edits(client, 1)[0] as Uint8Array);
    world.ledger.commit();
    expect(world.storage.auditAfter(0, 1)[0]?.ranges).toHaveLength(32);
  });
});
