import { afterEach, describe, expect, test } from "vitest";
import * as Y from "yjs";
import { createGuard } from "../../src/crdt/shared/guard.ts";
import { defaultRoomLimits } from "../../src/edge/index.ts";
import {
  encodeDocumentMessage,
  laneName,
  pageRoot,
  parseDocumentName,
  sharedName,
} from "../../src/protocol/index.ts";
import { editedDocument } from "../edge-core/documents.ts";
import { itemsOf } from "../edge-core/wire.ts";
import { buildUpdate, content, type StructSpec } from "../protocol/gate/build.ts";
import { attackerClient } from "./attacks.ts";
import { openThreatRoom, type ThreatRoom, target } from "./threat-room.ts";

let room: ThreatRoom | undefined;

afterEach(() => {
  room?.close();
  room = undefined;
});

const append = (client: number, clock: number, text: string): Uint8Array =>
  buildUpdate([{ client, clock, structs: [{ ...content.string(text), parent: "t" }] }]);

describe("one clock with two contents", () => {
  test("THREAT-1 at the relay: two sockets of one principal send both versions, and every replica ends equal", () => {
    room = openThreatRoom();
    const [one, other] = [room.attack(), room.attack()];
    expect(one.offer(target, append(attackerClient, 0, "one"))).toEqual([]);
    expect(other.offer(target, append(attackerClient, 0, "two"))).toEqual([]);
    // Of what overlaps only the part that is new goes on, the same one for everybody.
    expect(other.offer(target, append(attackerClient, 0, "other"))).toEqual([]);
    expect(room.aftermath()).toEqual([]);
    const texts = room.members.map(({ doc }) => doc.getText("t").toString());
    expect(new Set(texts).size).toBe(1);
    expect(texts[0]).toContain("one");
    expect(texts[0]).not.toContain("two");
  });

  test("THREAT-1 at the relay: a page of a lane takes one content for a clock", () => {
    room = openThreatRoom();
    const lane = laneName("mallory.bot.x1", { number: 0, client: attackerClient });
    const entry = (value: string) =>
      buildUpdate([
        { client: attackerClient, clock: 0, structs: [{ ...content.any(value), parent: pageRoot }] },
      ]);
    const [one, other, reader] = [room.attack(), room.attack(), room.attack({ principal: "bob" })];
    one.offer(lane, entry("one"));
    other.offer(lane, entry("two"));
    const page = new Y.Doc();
    for (const { update, name } of itemsOf(reader.items, "update")) {
      if (name === lane) Y.applyUpdate(page, update);
    }
    expect(page.getArray(pageRoot).toArray()).toEqual(["one"]);
  });

  test("THREAT-1 in clients: a second content for clocks that were collected does no harm past the relay", () => {
    const doc = new Y.Doc();
    const nested = new Y.Text();
    doc.getText("t").insert(0, "t");
    doc.clientID = 5;
    doc.getMap("m").set("k", nested);
    nested.insert(0, "ab");
    doc.getMap("m").delete("k");
    const again = buildUpdate([
      { client: 5, clock: 2, structs: [{ ...content.string("xyz"), parent: "t" }] },
    ]);
    const guard = createGuard(parseDocumentName(sharedName()), doc);
    if (guard(again).result === "applied") Y.applyUpdate(doc, again);
    expect(doc.getText("t").toString()).toContain("t");
  });

  test("THREAT-1 control: without the gate two replicas fork, and neither vectors nor snapshots show it", () => {
    const updates = [append(1, 0, "one"), append(1, 0, "two")] as const;
    const [a, b] = [new Y.Doc(), new Y.Doc()];
    for (const update of updates) Y.applyUpdate(a, update);
    for (const update of updates.toReversed()) Y.applyUpdate(b, update);
    expect(Y.equalSnapshots(Y.snapshot(a), Y.snapshot(b))).toBe(true);
    expect(a.getText("t").toString()).not.toBe(b.getText("t").toString());
  });
});

describe("what is missing", () => {
  test("THREAT-4 at the relay: after 10,000 updates with missing dependencies nothing is stored or pending", () => {
    room = openThreatRoom({ limits: { ...defaultRoomLimits, refusalsPerSecond: 1_000 } });
    const reader = room.attack({ principal: "bob" });
    const mallory = room.attack();
    const before = itemsOf(reader.items, "cursor").at(-1)?.sequence;
    for (let frame = 0; frame < 100; frame++) {
      const updates = Array.from({ length: 100 }, (_, index) =>
        append(attackerClient, 1 + frame * 100 + index, "x"),
      );
      // A gap makes everything after it a gap too: one refusal and one answer a turn.
      expect(mallory.offer(target, ...updates)).toEqual(["gate/gap"]);
    }
    expect(itemsOf(reader.items, "cursor").at(-1)?.sequence).toBe(before);
    expect(room.aftermath()).toEqual([]);
  });

  test("THREAT-4 in clients: of 10,000 updates with missing dependencies none is kept", () => {
    const replica = new Y.Doc();
    const guard = createGuard(parseDocumentName(sharedName()), replica);
    for (let clock = 1; clock <= 10_000; clock++) {
      expect(guard(append(attackerClient, clock, "x")).result).toBe("gap");
    }
    expect(replica.store.clients.size).toBe(0);
  });

  test("THREAT-4 at the relay: a stock client's gaps are each answered with clocks, and it is served again once filled", () => {
    room = openThreatRoom();
    const mallory = room.attack({ document: target });
    const doc = editedDocument(attackerClient);
    for (const word of ["one ", "two ", "three "]) doc.doc.getText("t").insert(0, word);
    const [first, , third] = doc.take() as [Uint8Array, Uint8Array, Uint8Array];
    const update = (bytes: Uint8Array) => encodeDocumentMessage({ type: "update", update: bytes });
    mallory.send(update(third));
    expect(mallory.closed).toBeUndefined();
    mallory.send(update(first));
    expect(room.aftermath()).toEqual([]);
    expect(room.victim.doc.getText("t").toString()).toContain("one ");
  });
});

describe("what grows over many updates", () => {
  test("THREAT-7 at the relay: nesting one level an update ends at the limit", () => {
    room = openThreatRoom();
    const mallory = room.attack();
    const level = (clock: number): StructSpec => ({
      ...content.type(0),
      parent: clock === 0 ? "a" : [attackerClient, clock - 1],
    });
    const codes = Array.from({ length: 6 }, (_, clock) =>
      mallory.offer(target, buildUpdate([{ client: attackerClient, clock, structs: [level(clock)] }])),
    );
    expect(codes).toEqual([[], [], [], [], ["gate/depth"], ["gate/gap"]]);
    expect(room.aftermath()).toEqual([]);
  });

  test("THREAT-6 at the relay: the deepest value that passes reads and encodes at every member", () => {
    room = openThreatRoom();
    const nested = [...Array.from({ length: 32 }, () => [117, 1]).flat(), 126];
    const deepest = { ...content.rawAny(1, nested), parent: "a" };
    expect(
      room.attack().offer(target, buildUpdate([{ client: attackerClient, clock: 0, structs: [deepest] }])),
    ).toEqual([]);
    expect(room.aftermath()).toEqual([]);
    for (const { doc } of room.members) expect(JSON.stringify(doc.getArray("a"))).toContain("[".repeat(32));
  });

  test("THREAT-8 at the relay: of a stock client's 3,000 structs no reader gets more than 1,000 in one update", () => {
    room = openThreatRoom();
    const reader = room.attack({ principal: "bob" });
    const before = reader.items.length;
    const mallory = room.attack({ document: target });
    const doc = editedDocument(attackerClient);
    doc.doc.transact(() => {
      for (let index = 0; index < 3_000; index++) doc.doc.getMap("m").set(`x${index}`, index);
    });
    const [update] = doc.take() as [Uint8Array];
    mallory.send(encodeDocumentMessage({ type: "update", update }));
    expect(mallory.closed).toBeUndefined();
    const counts = itemsOf(reader.items.slice(before), "update").map(
      (item) => Y.decodeUpdate(item.update).structs.length,
    );
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3_000);
    expect(Math.max(...counts)).toBeLessThanOrEqual(1_000);
    expect(room.aftermath()).toEqual([]);
  });

  test("THREAT-3 at the relay: what an editor may delete goes, and what the victim writes next stays", () => {
    room = openThreatRoom();
    const { client, clock } = room.known();
    expect(room.attack().offer(target, buildUpdate([], [[client, [[0, clock]]]]))).toEqual([]);
    expect(room.aftermath()).toEqual([]);
    expect(room.victim.doc.getText("t").toString()).not.toContain(`before ${client}`);
  });

  test("THREAT-2 at the relay: clocks claimed under an unknown client cost nobody theirs", () => {
    room = openThreatRoom();
    const claim = buildUpdate([{ client: attackerClient, clock: 0, structs: [content.gc(2 ** 31 - 1)] }]);
    expect(room.attack().offer(target, claim)).toEqual([]);
    expect(room.aftermath()).toEqual([]);
  });
});
