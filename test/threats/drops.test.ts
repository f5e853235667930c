import { expect, test } from "vitest";
import { createInMemoryStorage, type RoomStorage } from "../../src/edge/index.ts";
import { encodeDocumentMessage, encodeFrame, registerName, registerRoot } from "../../src/protocol/index.ts";
import { editedDocument, pageOf, pageUpdates, readPage } from "../edge-core/documents.ts";
import { createHarness, grantOf, watchedStorage } from "../edge-core/room-harness.ts";
import { dropFrame, frameOf, itemsOf, updateFrame } from "../edge-core/wire.ts";

const page = pageOf(7, "alice.planner.x7");
const updates = pageUpdates(7, ["one", "two"]);
const drop = { type: "drop" } as const;

test("DROP-12: a principal cannot drop another's page by name, by number, or by a name that only looks like its own", () => {
  const room = createHarness();
  const alice = room.join(undefined, undefined, grantOf("alice"));
  alice.send(updateFrame(page, updates));
  const mallory = () => room.join(undefined, undefined, grantOf("mallory"));
  const byName = mallory();
  byName.send(dropFrame(page));
  const byNumber = mallory();
  byNumber.send(frameOf({ channel: 1, message: drop }));
  room.clock.advance(1);
  for (const { items } of [byName, byNumber]) {
    expect(itemsOf(items, "refuse").map(({ code }) => code)).toEqual(["gate/not-owner"]);
  }
  for (const name of [
    `/${page}`,
    `${page}/`,
    "lane/alice.planner.x7/00-7",
    "lane/mallory.a.b",
    "register/",
  ]) {
    const peer = mallory();
    peer.send(dropFrame(name));
    expect(peer.closed?.reason).toBe("protocol/unknown-document");
  }
  expect(room.storage.size().rows).toBe(1);
});

test("DROP-12: drops of what does not exist cost no write, however many", () => {
  let commits = 0;
  const room = createHarness(watchedStorage(() => commits++));
  const { storage } = room;
  const mallory = room.join(undefined, undefined, grantOf("mallory"));
  commits = 0;
  for (let number = 0; number < 1_000; number++)
    mallory.send(dropFrame(pageOf(number, "mallory.a.b"), number + 1));
  room.clock.advance(1);
  expect([commits, storage.documentCount(), storage.lastAudit()]).toEqual([0, 0, 0]);
});

test("DROP-12: a frame full of drops is one transaction with one entry in the trail", () => {
  const storage = createInMemoryStorage();
  const room = createHarness(storage);
  const mallory = room.join(undefined, undefined, grantOf("mallory"));
  const name = pageOf(7, "mallory.a.b");
  mallory.send(updateFrame(name, updates));
  const payload = encodeDocumentMessage(drop);
  const before = storage.lastAudit();
  mallory.send(encodeFrame(Array.from({ length: 10_000 }, () => ({ channel: 1, payload }))));
  room.clock.advance(1);
  expect([storage.documentCount(), storage.lastAudit() - before, mallory.closed]).toEqual([0, 1, undefined]);
});

test("DROP-12: whoever writes and drops over and over fills nothing, and others' documents stay and go on", () => {
  const room = createHarness(undefined, { limits: { documents: 3, roomBytes: 20_000 } });
  const alice = room.join(undefined, undefined, grantOf("alice"));
  alice.send(updateFrame(page, updates.slice(0, 1)));
  const mallory = room.join(undefined, undefined, grantOf("mallory"));
  for (let number = 1; number <= 300; number++) {
    const name = pageOf(number, "mallory.a.b");
    mallory.send(updateFrame(name, pageUpdates(number, ["x".repeat(9_000)]), 2 * number));
    mallory.send(dropFrame(name, 2 * number + 1));
    room.clock.advance(10);
    for (const peer of [alice, mallory]) peer.credit();
  }
  expect([itemsOf(mallory.items, "refuse"), mallory.closed]).toEqual([[], undefined]);
  alice.send(updateFrame(page, updates.slice(1), 2));
  alice.send(updateFrame(registerName("alice.planner.x7"), [], 3));
  room.clock.advance(1);
  expect(itemsOf(alice.items, "acknowledge").at(-1)?.number).toBe(3);
  expect(room.storage.documentsAfter(0, 9).map(({ name }) => name)).toEqual([page]);
  expect(room.storage.lastDocument()).toBe(301);
});

test("DROP-12: a number that went never leads to another's document", () => {
  const room = createHarness();
  const mallory = room.join(undefined, undefined, grantOf("mallory"));
  mallory.send(updateFrame(pageOf(7, "mallory.a.b"), updates));
  mallory.send(frameOf({ channel: 1, message: drop }));
  const alice = room.join(undefined, undefined, grantOf("alice"));
  alice.send(updateFrame(page, updates));
  room.clock.advance(1);
  mallory.send(frameOf({ channel: 1, message: drop }, { type: "mark", number: 9 }));
  room.clock.advance(1);
  expect(itemsOf(mallory.items, "acknowledge").at(-1)?.number).toBe(9);
  expect(room.storage.documentNamed(page)?.id).toBe(2);
});

/** An owner whose page a reader has kept drops it and says something else under the same clocks: what two readers hold. */
function equivocate(storage: RoomStorage): { kept: unknown[]; fresh: unknown[] } {
  const room = createHarness(storage);
  const mallory = room.join(undefined, undefined, grantOf("mallory"));
  const name = pageOf(7, "mallory.a.b");
  const { doc, take } = editedDocument(5);
  doc.getMap(registerRoot).set("v", {});
  mallory.send(updateFrame(registerName("mallory.a.b"), take(), 1));
  mallory.send(updateFrame(name, pageUpdates(7, ["to bob: yes"]), 2));
  room.clock.advance(1);
  const bob = room.join();
  mallory.send(dropFrame(name, 3));
  mallory.send(updateFrame(name, pageUpdates(7, ["to carol: no", "more"]), 4));
  room.wake();
  mallory.send(updateFrame(name, pageUpdates(7, ["to carol: no", "more"]), 5));
  room.clock.advance(1);
  const carol = room.join();
  const [kept = [], fresh = []] = [bob, carol].map(({ items }) =>
    readPage(
      itemsOf(items, "update")
        .filter((item) => item.name === name)
        .map(({ update }) => update),
    ),
  );
  return { kept, fresh };
}

test("DROP-13: THREAT-1: nobody says one thing to whoever keeps a page, and another to whoever comes after its drop", () => {
  expect(equivocate(createInMemoryStorage())).toEqual({ kept: ["to bob: yes"], fresh: [] });
});

test("DROP-13: control: a relay that forgets tells two readers two things under the same clocks", () => {
  const { kept, fresh } = equivocate({ ...createInMemoryStorage(), wasDropped: () => false });
  expect([kept[0], fresh[0]]).toEqual(["to bob: yes", "to carol: no"]);
});
