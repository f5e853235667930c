import { describe, expect, test } from "vitest";
import { createInMemoryStorage, type RoomStorage } from "../../src/edge/index.ts";
import { budgetBytes } from "../../src/edge/room/pacing/outflow.ts";
import { createWaiting } from "../../src/edge/room/pacing/waiting.ts";
import { openSession, type Session } from "../../src/edge/room/sockets/session.ts";
import { editedDocument } from "./documents.ts";
import { createHarness, grantOf, type Harness, type Peer } from "./room-harness.ts";
import { itemsOf, updateFrame } from "./wire.ts";

const rowBytes = 100 * 1_024;
const rows = 20;

/** A document of rows that are each past a socket's share. */
function filled(): RoomStorage {
  const storage = createInMemoryStorage();
  const room = createHarness(storage);
  const writer = room.join(undefined, undefined, grantOf("writer"));
  const { doc, take } = editedDocument(5);
  for (let mark = 1; mark <= rows; mark++) {
    doc.getMap("m").set(`k${mark}`, "x".repeat(rowBytes));
    room.clock.advance(1);
    writer.send(updateFrame("shared", take(), mark));
    writer.credit();
  }
  writer.leave();
  room.core.stop();
  expect(storage.head()).toBe(rows);
  return storage;
}

const joinAs = (room: Harness, principal: string): Peer =>
  room.join(undefined, undefined, grantOf(principal));
const hasJoined = (peer: Peer): boolean => itemsOf(peer.items, "joined").length > 0;

function sessionOf(principal: string): Session {
  return openSession({
    send() {},
    close() {},
    readAttachment: () => ({ kind: "room", grant: grantOf(principal), caughtUp: false }),
    writeAttachment() {},
  });
}

describe("what is in flight, by principal", () => {
  test("FLOW-12: two hundred sockets of one principal that take nothing leave the others something to join with", () => {
    const room = createHarness(filled());
    const idle = Array.from({ length: 200 }, () => joinAs(room, "mallory"));
    const held = idle.reduce((sum, peer) => sum + peer.sentBytes, 0);
    expect(held).toBeGreaterThan(budgetBytes / 8);
    for (const principal of ["alice", "bob", "carol"]) {
      const peer = joinAs(room, principal);
      room.drain(peer);
      expect(hasJoined(peer)).toBe(true);
      expect(itemsOf(peer.items, "update")).toHaveLength(rows);
    }
    expect(idle.filter(({ closed }) => closed)).toEqual([]);
  });

  test("FLOW-12: a principal that is alone has three quarters, and while others wait one", () => {
    const room = createHarness(filled());
    const sum = (peers: readonly Peer[]) => peers.reduce((all, { sentBytes }) => all + sentBytes, 0);
    const alone = Array.from({ length: 100 }, () => joinAs(room, "alice"));
    const common = budgetBytes / 2 - 4 * 1024 * 1024;
    expect(sum(alone) / common).toBeGreaterThan(0.75);
    expect(sum(alone) / common).toBeLessThan(1);
    const other = Array.from({ length: 100 }, () => joinAs(room, "bob"));
    expect(sum(other) / common).toBeGreaterThan(0.2);
    expect(sum(other) / common).toBeLessThan(0.5);
  });

  test("FLOW-13: principals take turns, and their sockets among themselves", () => {
    const waiting = createWaiting();
    const [a1, a2, a3, b1, c1] = ["a", "a", "a", "b", "c"].map(sessionOf) as [
      Session,
      Session,
      Session,
      Session,
      Session,
    ];
    for (const session of [a1, a2]) waiting.add(session);
    expect(waiting.lines()).toEqual([[a1], [a2]]);
    expect(waiting.isBeside("a")).toBe(false);
    expect(waiting.isBeside("b")).toBe(true);
    for (const session of [b1, c1, a3]) waiting.add(session);
    expect(waiting.lines()).toEqual([[b1], [c1], [a1, a2, a3]]);
    waiting.delete(a1);
    waiting.add(a1);
    waiting.delete(b1);
    expect(waiting.delete(b1)).toBe(false);
    expect(waiting.lines()).toEqual([[c1], [a2, a3, a1]]);
    expect([waiting.size, waiting.has(b1), waiting.has(a1)]).toEqual([4, false, true]);
    expect([...waiting]).toEqual([c1, a2, a3, a1]);
    waiting.clear();
    expect([waiting.size, waiting.lines()]).toEqual([0, []]);
  });
});
