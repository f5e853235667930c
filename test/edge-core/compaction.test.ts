import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import type { RoomStorage } from "../../src/edge/room/ports.ts";
import { createInMemoryStorage } from "../../src/edge/storage/in-memory-storage.ts";
import {
  maxFrameBytes,
  pageRoot,
  registerKey,
  registerName,
  registerRoot,
} from "../../src/protocol/index.ts";
import { createEditor, remote } from "../protocol/gate/editing.ts";
import { createRandom } from "../protocol/gate/random.ts";
import { editedDocument, pageOf, pageUpdates } from "./documents.ts";
import { alice, areEqual, createLedgerWorld, grantOf, type LedgerWorld } from "./ledgers.ts";

const page = pageOf(7);
const anon = grantOf("anon");

/** Writes many small changes to the shared document, a turn each, and returns the writer's own document. */
function writeKeys(world: LedgerWorld, count: number, keys = 1): Y.Doc {
  const { doc, take } = editedDocument(5);
  const map = doc.getMap("m");
  for (let index = 0; index < count; index++) map.set(`k${index % keys}`, `value ${index}`);
  world.write("shared", take());
  return doc;
}

/** What a room stores: rows, clocks and places, at the bytes that each takes about. */
function storedBytes({ storage }: LedgerWorld, name: string): number {
  const id = storage.documentNamed(name)?.id ?? 0;
  return storage.size(id).bytes + [...storage.clocks(id)].length * 20;
}

describe("compaction", () => {
  test("COMPACT-1: is due after 200 small rows or as many bytes as the snapshot has, and not before", () => {
    const world = createLedgerWorld();
    const { doc, take } = editedDocument(5);
    const map = doc.getMap("m");
    const write = (count: number) => {
      for (let index = 0; index < count; index++) map.set("k", index);
      world.write("shared", take());
    };
    write(150);
    expect(world.compactor.nextDueAt()).toBeUndefined();
    write(60);
    const at = world.compactor.nextDueAt() ?? 0;
    expect(at).toBeGreaterThan(world.clock.now());
    world.compactor.run();
    expect(world.storage.size().rows).toBe(210);
    world.clock.advance(at - world.clock.now());
    world.compactor.run();
    expect(world.storage.size().rows).toBe(1);
    expect(world.compactor.nextDueAt()).toBeUndefined();
    map.set("big", "x".repeat(100_000));
    map.set("bigger", "x".repeat(90_000));
    world.write("shared", take());
    expect(world.settle()).toBe(1);
    write(250);
    expect(world.compactor.nextDueAt()).toBeUndefined();
    write(600);
    expect(world.settle()).toBe(1);
    expect(areEqual(world.read("shared"), doc)).toBe(true);
  });

  test("COMPACT-2: a snapshot takes the place of the newest row, and says what the rows said", () => {
    const world = createLedgerWorld();
    world.write(page, pageUpdates(7, ["elsewhere"]), anon);
    const doc = writeKeys(world, 300, 3);
    world.write(page, pageUpdates(7, ["elsewhere", "later"]).slice(1), anon);
    world.settle();
    const rows = [...world.storage.rowsAfter(0)].map(({ sequence, piece, document }) => [
      sequence,
      piece,
      document,
    ]);
    expect(rows).toEqual([
      [1, 0, 1],
      [301, 0, 2],
      [302, 0, 1],
    ]);
    expect(areEqual(world.read("shared"), doc)).toBe(true);
    expect(world.ledger.head).toBe(302);
  });

  test("COMPACT-3: readers converge from every cursor, whenever it was taken", () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = createRandom(seed);
      const world = createLedgerWorld();
      const editors = [5, 9, 2 ** 31].map((client) => {
        const editor = createEditor(client);
        const outbox: Uint8Array[] = [];
        editor.doc.on("update", (update: Uint8Array, origin: unknown) => {
          if (origin !== remote) outbox.push(update);
        });
        return { ...editor, outbox };
      });
      const readers: { at: number; replica: Y.Doc }[] = [];
      for (let step = 0; step < 200; step++) {
        const editor = random.pick(editors);
        editor.edit(random);
        world.write("shared", editor.outbox.splice(0));
        for (const other of editors) if (random.chance(0.3)) world.read("shared", 0, other.doc);
        if (random.chance(0.1)) readers.push({ at: world.ledger.head, replica: world.read("shared") });
        if (random.chance(0.05)) world.ledger.compact(1);
      }
      const whole = world.read("shared");
      for (const { at, replica } of readers) {
        expect(areEqual(world.read("shared", at, replica), whole), `seed ${seed}, from ${at}`).toBe(true);
      }
    }
  });

  test("COMPACT-4: what was staged meanwhile is neither lost nor doubled", () => {
    const world = createLedgerWorld();
    const { doc, take } = editedDocument(5);
    for (let index = 0; index < 250; index++) doc.getMap("m").set("k", index);
    world.write("shared", take());
    doc.getMap("m").set("k", "staged");
    expect(world.offer("shared", take()[0] as Uint8Array)).toBeUndefined();
    world.settle();
    expect(world.storage.size().rows).toBe(1);
    const [row] = world.ledger.commit();
    expect(row?.sequence).toBe(251);
    expect(areEqual(world.read("shared"), doc)).toBe(true);
  });

  test("COMPACT-5: rows that do not lead to the clocks stay, are counted, and are tried again once they doubled", () => {
    const inner = createInMemoryStorage();
    const storage: RoomStorage = {
      ...inner,
      clocks: (document) =>
        [...inner.clocks(document)].map((clock) => ({ ...clock, clock: clock.clock + 1 })),
    };
    const counted: string[] = [];
    const logged: unknown[] = [];
    const world = createLedgerWorld({
      storage,
      observer: {
        count: (name) => counted.push(name),
        gauge() {},
        log: (...line) => logged.push(line),
      },
    });
    const doc = writeKeys(world, 250);
    expect(world.settle()).toBe(1);
    expect(counted).toEqual(["compactions_failed"]);
    expect(JSON.stringify(logged)).not.toContain("value");
    expect(world.storage.size().rows).toBe(250);
    expect(areEqual(world.read("shared"), doc)).toBe(true);
    doc.clientID = 6;
    const { take } = { take: () => [Y.encodeStateAsUpdate(doc, Y.encodeStateVector(world.read("shared")))] };
    doc.getMap("m").set("k", "more");
    world.write("shared", take());
    expect(world.compactor.nextDueAt()).toBeUndefined();
    for (let index = 0; index < 260; index++) {
      doc.getMap("m").set("k", index);
      world.write("shared", take());
    }
    storage.clocks = inner.clocks;
    expect(world.settle()).toBe(1);
    expect(counted).toEqual(["compactions_failed", "compactions"]);
    expect(world.storage.size().rows).toBe(1);
  });

  test("COMPACT-6: a room that wakes finds what was due when it fell asleep, one document at a time", () => {
    const before = createLedgerWorld();
    for (const name of ["shared", "shared/a", "shared/b"]) {
      const { doc, take } = editedDocument();
      for (let index = 0; index < 220; index++) doc.getMap("m").set("k", index);
      before.write(name, take());
    }
    const world = createLedgerWorld({ storage: before.storage });
    expect(world.compactor.nextDueAt()).toBe(world.clock.now());
    world.compactor.run();
    expect(world.storage.size().rows).toBe(441);
    expect(world.settle()).toBe(2);
    expect(world.storage.size().rows).toBe(3);
  });

  test("COMPACT-7: a page keeps exactly its elements", () => {
    const world = createLedgerWorld();
    const batches = Array.from({ length: 900 }, (_, index) => [Uint8Array.of(index & 255, index >> 8, 3)]);
    world.write(page, pageUpdates(7, batches), anon);
    world.settle();
    expect(world.storage.size().rows).toBeLessThan(300);
    expect(world.read(page).getArray(pageRoot).toArray()).toEqual(batches);
  });

  test("COMPACT-8: a large document comes in pieces that a reader is told one after the other", () => {
    const world = createLedgerWorld();
    const { doc, take } = editedDocument(5);
    const text = doc.getText("t");
    for (let index = 0; index < 30; index++) text.insert(0, `${"😀ä".repeat(15_000)}${index}`);
    world.write("shared", take());
    doc.getArray("a").push([Array.from({ length: 40_000 }, (_, index) => index)]);
    doc.getArray("a").push(Array.from({ length: 40_000 }, (_, index) => `element ${index}`));
    world.write("shared", take());
    world.settle();
    const rows = [...world.storage.rowsOf(1)];
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.map(({ piece }) => piece)).toEqual(rows.map((_, index) => index));
    expect(new Set(rows.map(({ sequence }) => sequence)).size).toBe(1);
    for (const { parts } of rows) expect(parts.length).toBeLessThanOrEqual(maxFrameBytes / 4);
    expect(Y.equalSnapshots(Y.snapshot(world.read("shared")), Y.snapshot(doc))).toBe(true);
    expect(world.read("shared").getText("t").toString()).toBe(text.toString());
  });

  test("COMPACT-9: a storage that fails in a compaction loses nothing", () => {
    const inner = createInMemoryStorage();
    const storage: RoomStorage = {
      ...inner,
      commit(changes) {
        if (changes.removeRows) throw new Error("disk full");
        inner.commit(changes);
      },
    };
    const world = createLedgerWorld({ storage });
    const doc = writeKeys(world, 250);
    expect(() => world.settle()).toThrow("disk full");
    expect(inner.size().rows).toBe(250);
    expect(areEqual(createLedgerWorld({ storage: inner }).read("shared"), doc)).toBe(true);
  });

  test("COMPACT-10: the audit trail is trimmed to its newest 10,000 entries", () => {
    const world = createLedgerWorld();
    const entry = {
      at: 1,
      principal: "a",
      tokenId: "t",
      subject: "s",
      ranges: [],
      bytes: 1,
      verdict: "accepted",
    };
    world.storage.commit({ audit: Array.from({ length: 10_990 }, () => entry) });
    expect(world.compactor.nextDueAt()).toBeUndefined();
    for (let index = 0; index < 10; index++) writeKeys(world, 1);
    expect(world.compactor.nextDueAt()).toBeUndefined();
    const { doc, take } = editedDocument(6);
    for (let index = 0; index < 10; index++) doc.getMap("m").set("k", index);
    world.write("shared", take());
    expect(world.compactor.nextDueAt()).toBe(world.clock.now());
    world.compactor.run();
    expect(world.storage.auditAfter(0, 1)[0]?.id).toBe(world.storage.lastAudit() - 9_999);
    expect(world.compactor.nextDueAt()).toBeUndefined();
  });
});

describe("sizes", () => {
  test("COMPACT-11: 20,000 writes of a register leave about what Yjs leaves", () => {
    const world = createLedgerWorld();
    const name = registerName("alice.planner.x7");
    const { doc, take } = editedDocument(5);
    const register = doc.getMap(registerRoot);
    for (let index = 0; index < 20_000; index++) {
      register.set(registerKey, { load: index, card: "a planner that plans" });
      world.write(name, take(), alice);
      if (index % 100 === 0) world.settle();
      world.clock.advance(10);
    }
    world.ledger.compact(1);
    const plain = Y.encodeStateAsUpdate(doc).length;
    expect(plain).toBeLessThan(200);
    expect(storedBytes(world, name)).toBeLessThan(plain + 64);
    expect(areEqual(world.read(name), doc)).toBe(true);
  });

  test("COMPACT-11: 20,000 overwrites of 16 keys, and as many keystrokes, leave about what Yjs leaves", () => {
    const world = createLedgerWorld();
    const { doc, take } = editedDocument(5);
    const [map, text] = [doc.getMap("m"), doc.getText("t")];
    let most = 0;
    for (let index = 0; index < 20_000; index++) {
      map.set(`k${index % 16}`, index);
      text.insert(index % 7 === 0 ? 0 : text.length, "abc"[index % 3] ?? "");
      if (index % 50 === 49) text.delete(text.length - 10, 10);
      world.write("shared", take(), alice);
      world.clock.advance(10);
      if (index % 100 === 0) world.settle();
      most = Math.max(most, world.storage.size().bytes);
    }
    world.ledger.compact(1);
    const plain = Y.encodeStateAsUpdate(doc).length;
    expect(storedBytes(world, "shared")).toBeLessThan(plain * 1.1 + 1_000);
    expect(most).toBeLessThan(plain * 2 + 200_000);
    expect(world.storage.placeAt(1, 5, 2 ** 31)).toBeUndefined();
    expect(areEqual(world.read("shared"), doc)).toBe(true);
  });
});
