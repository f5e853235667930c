import { describe, expect, test } from "vitest";
import { createInMemoryStorage } from "../../src/edge/index.ts";
import { emptyStateVector, registerName, registerRoot } from "../../src/protocol/index.ts";
import { collect, inChunks } from "./administered-room.ts";
import { editedDocument, pageOf, pageUpdates, readPage } from "./documents.ts";
import { createHarness, grantOf, type Harness, type Peer, watchedStorage } from "./room-harness.ts";
import { dropFrame, frameOf, itemsOf, updateFrame } from "./wire.ts";

const writerId = "anon.planner.x7";
const register = registerName(writerId);
const page = pageOf(7);
const truth = pageUpdates(7, ["one", "two"]);
const forged = pageUpdates(7, ["uno", "dos"]);

function card(client = 5): Uint8Array[] {
  const { doc, take } = editedDocument(client);
  doc.getMap(registerRoot).set("v", { client });
  return take();
}

/** Sends in a turn of its own, and gives the codes that it was refused with. */
function refusalsTo(room: Harness, peer: Peer, frame: Uint8Array): string[] {
  const before = itemsOf(peer.items, "refuse").length;
  peer.send(frame);
  room.clock.advance(1);
  return itemsOf(peer.items, "refuse")
    .slice(before)
    .map(({ code }) => code);
}

/** A room with a register, and a page that its writer has dropped. */
function droppedRoom(room: Harness = createHarness()): { room: Harness; writer: Peer } {
  const writer = room.join();
  for (const frame of [updateFrame(register, card(), 1), updateFrame(page, truth, 2), dropFrame(page, 3)]) {
    expect(refusalsTo(room, writer, frame)).toEqual([]);
  }
  return { room, writer };
}

function readBy(peer: Peer): unknown[] {
  return readPage(
    itemsOf(peer.items, "update")
      .filter(({ name }) => name === page)
      .map(({ update }) => update),
  );
}

describe("a page that its writer dropped", () => {
  test("DROP-13: it is not begun again, whatever it would hold, also after a sleep; the socket stays", () => {
    const { room, writer } = droppedRoom();
    for (const updates of [truth, forged]) {
      expect(refusalsTo(room, writer, updateFrame(page, updates, 4))).toContain("edge/dropped");
    }
    room.wake();
    expect(refusalsTo(room, writer, updateFrame(page, forged, 5))).toContain("edge/dropped");
    expect(itemsOf(writer.items, "acknowledge").at(-1)?.number).toBe(5);
    expect([writer.closed, room.storage.documentCount(), readBy(room.join())]).toEqual([undefined, 1, []]);
  });

  test("DROP-13: neither in the frame of its drop, nor by asking for its clocks, nor by an administrator", () => {
    const room = createHarness();
    const writer = room.join();
    writer.send(updateFrame(register, card(), 1));
    writer.send(updateFrame(page, truth, 2));
    const [first] = forged as [Uint8Array];
    const dropAndWrite = frameOf(
      { type: "name", channel: 900, name: page },
      { channel: 900, message: { type: "drop" } },
      { channel: 900, message: { type: "update", update: first } },
    );
    expect(refusalsTo(room, writer, dropAndWrite)).toEqual(["edge/dropped"]);
    const ask = frameOf(
      { type: "name", channel: 900, name: page },
      { channel: 900, message: { type: "step1", stateVector: emptyStateVector } },
    );
    expect(refusalsTo(room, writer, ask)).toEqual(["edge/dropped"]);
    const admin = room.join(undefined, undefined, grantOf("root", "read admin"));
    expect(refusalsTo(room, admin, updateFrame(page, truth, 1))).toContain("edge/dropped");
    expect(refusalsTo(room, writer, dropFrame(page, 9))).toEqual([]);
    expect(room.storage.documentCount()).toBe(1);
  });

  test("DROP-13: another page of that number, and of another writer, is begun as ever", () => {
    const { room, writer } = droppedRoom();
    expect(refusalsTo(room, writer, updateFrame(pageOf(8), pageUpdates(8, ["a"]), 4))).toEqual([]);
    const others = pageOf(7, "anon.planner.y8");
    expect(refusalsTo(room, writer, updateFrame(others, truth, 5))).toEqual([]);
    expect(room.storage.documentCount()).toBe(3);
  });

  test("DROP-13: of one that was never stored, or whose drop was not, nothing is remembered", () => {
    let fails = false;
    const storage = watchedStorage(() => {
      if (fails) throw new Error("The disk is full.");
    });
    const room = createHarness(storage);
    const writer = room.join();
    writer.send(updateFrame(register, card(), 1));
    const inOneTurn = frameOf(
      { type: "name", channel: 900, name: page },
      { channel: 900, message: { type: "update", update: truth[0] as Uint8Array } },
      { channel: 900, message: { type: "drop" } },
    );
    expect(refusalsTo(room, writer, inOneTurn)).toEqual([]);
    expect(refusalsTo(room, writer, updateFrame(page, truth, 2))).toEqual([]);
    fails = true;
    writer.send(dropFrame(page, 3));
    fails = false;
    expect([room.failures.length, room.storage.droppedCount()]).toEqual([1, 0]);
    expect(room.storage.documentNamed(page)).toBeDefined();
  });

  test("DROP-13: an honest copy that brings a thousand of them back is not closed for it", () => {
    const room = createHarness();
    const writer = room.join();
    writer.send(updateFrame(register, card(), 1));
    const pages = Array.from({ length: 1_000 }, (_, index) => index + 100);
    for (const client of pages) {
      writer.send(updateFrame(pageOf(client), pageUpdates(client, ["x"]), client));
      writer.send(dropFrame(pageOf(client), client));
      room.clock.advance(20);
      writer.credit();
    }
    const copy = room.join();
    let refused = 0;
    // One after the other, as a lane's pages go out.
    for (const client of pages) {
      refused += refusalsTo(
        room,
        copy,
        updateFrame(pageOf(client), pageUpdates(client, ["x"]), client),
      ).length;
      room.clock.advance(20);
      copy.credit();
    }
    expect([refused, copy.closed]).toEqual([1_000, undefined]);
  });
});

describe("how long it is remembered", () => {
  test("DROP-14: as long as the writer's register is there; one that comes back begins anew", () => {
    const { room, writer } = droppedRoom();
    expect(room.storage.droppedCount()).toBe(1);
    expect(refusalsTo(room, writer, dropFrame(register, 4))).toEqual([]);
    expect(room.storage.droppedCount()).toBe(0);
    expect(refusalsTo(room, writer, updateFrame(register, card(), 5))).toEqual([]);
    expect(refusalsTo(room, writer, updateFrame(page, truth, 6))).toEqual([]);
    expect(readBy(room.join())).toEqual(["one", "two"]);
  });

  test.each([
    ["the page first", [page, register]],
    ["the register first", [register, page]],
  ])("DROP-14: where both go in one turn, %s, nothing is left", (_, names) => {
    const room = createHarness();
    const writer = room.join();
    writer.send(updateFrame(register, card(), 1));
    writer.send(updateFrame(page, truth, 2));
    room.crowd();
    for (const name of names) writer.send(dropFrame(name, 3));
    room.clock.advance(1);
    expect([room.storage.droppedCount(), room.storage.documentNamed(page)]).toEqual([0, undefined]);
    expect(refusalsTo(room, writer, updateFrame(page, truth, 4))).toEqual([]);
  });

  test("DROP-14: what is past retention leaves nothing either, and is no word of its writer's", () => {
    const dayMs = 86_400_000;
    const room = createHarness(undefined, { alarm: true, retentionDays: 90 });
    droppedRoom(room);
    room.join().send(updateFrame(pageOf(8), pageUpdates(8, ["a"]), 1));
    room.clock.advance(1);
    while (room.storage.documentCount() > 0 && room.alarmAt !== undefined) {
      room.elapse(Math.max(dayMs, room.alarmAt - room.clock.now()));
    }
    expect([room.storage.documentCount(), room.storage.droppedCount()]).toEqual([0, 0]);
    const back = room.join();
    expect(refusalsTo(room, back, updateFrame(register, card(), 1))).toEqual([]);
    for (const [name, updates] of [
      [page, truth],
      [pageOf(8), pageUpdates(8, ["a"])],
    ] as const) {
      expect(refusalsTo(room, back, updateFrame(name, updates, 2))).toEqual([]);
    }
  });

  test("DROP-14: whoever has no register here has nothing remembered", () => {
    const room = createHarness();
    const writer = room.join();
    writer.send(updateFrame(page, truth, 1));
    writer.send(dropFrame(page, 2));
    room.clock.advance(1);
    expect(room.storage.droppedCount()).toBe(0);
  });

  test.each([
    ["known", true],
    ["asked for later", false],
  ])(
    "DROP-15: each counts 20 bytes of the room, and none with the register, where its bytes were %s",
    (_, known) => {
      const storage = createInMemoryStorage();
      let room = createHarness(storage);
      const writer = room.join();
      writer.send(updateFrame(register, card(), 1));
      for (let client = 100; client < 200; client++) {
        writer.send(updateFrame(pageOf(client), pageUpdates(client, ["x"]), client));
        writer.send(dropFrame(pageOf(client), client));
        room.clock.advance(20);
        writer.credit();
      }
      const taken = storage.size().bytes + 2_000;
      room = createHarness(storage, { limits: { roomBytes: taken + 50 } });
      const large = pageUpdates(7, ["x".repeat(40)]);
      const late = room.join();
      const refused = () => refusalsTo(room, late, updateFrame(page, large, 1));
      if (known) expect(refused()).toEqual(["edge/room-full"]);
      expect(refusalsTo(room, late, dropFrame(register, 2))).toEqual([]);
      expect(refused()).toEqual([]);
    },
  );
});

describe("an archive of it", () => {
  const admin = grantOf("root", "admin");
  const kept = pageOf(8);

  /** A room of which one page was dropped, and another of 300 kB was not. */
  function filled(): Harness {
    const { room, writer } = droppedRoom();
    refusalsTo(room, writer, updateFrame(kept, pageUpdates(8, ["a".repeat(300_000)]), 4));
    return room;
  }

  /** Exports a room, and imports what was written into another. */
  async function copyOf(room: Harness, onChunk: (count: number) => void = () => {}): Promise<Harness> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of room.core.administration.exportRoom(admin, "team")) {
      onChunk(chunks.push(chunk));
    }
    const copy = createHarness();
    await copy.core.administration.importRoom(inChunks(await collect(iterate(chunks))), admin);
    return copy;
  }

  async function* iterate(chunks: readonly Uint8Array[]) {
    yield* chunks;
  }

  test("DROP-16: the room that is made of it refuses the page as well, until its register goes", async () => {
    const copy = await copyOf(filled());
    const writer = copy.join();
    expect(refusalsTo(copy, writer, updateFrame(page, forged, 1))).toContain("edge/dropped");
    expect([copy.storage.documentCount(), copy.storage.droppedCount()]).toEqual([2, 1]);
    expect(refusalsTo(copy, writer, dropFrame(register, 2))).toEqual([]);
    expect(refusalsTo(copy, writer, updateFrame(page, truth, 3))).toEqual([]);
  });

  test.each([1, 2, 3])(
    "DROP-16: what goes while it is written, here after chunk %i, is in it in one way or the other",
    async (at) => {
      const room = filled();
      const writer = room.join();
      const copy = await copyOf(room, (count) => {
        if (count === at) refusalsTo(room, writer, dropFrame(kept, 1));
      });
      const isThere = copy.storage.documentNamed(kept) !== undefined;
      const remembered = [...copy.storage.droppedPages(1)].map(({ client }) => client);
      expect([isThere, remembered]).toEqual(at === 1 ? [false, [7, 8]] : [true, [7]]);
    },
  );
});
