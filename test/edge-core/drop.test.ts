import { describe, expect, test } from "vitest";
import { createInMemoryStorage, type StorageCommit } from "../../src/edge/index.ts";
import {
  type DocumentMessage,
  emptyStateVector,
  registerName,
  registerRoot,
  sharedName,
} from "../../src/protocol/index.ts";
import { editedDocument, pageOf, pageUpdates, readPage } from "./documents.ts";
import { createHarness, grantOf, type Harness, type Peer, watchedStorage } from "./room-harness.ts";
import { dropFrame, frameOf, type Item, itemsOf, joinFrame, type Outgoing, updateFrame } from "./wire.ts";

const page = pageOf(7);
const other = pageOf(8);
const register = registerName("anon.planner.x7");
const [one, two, three] = pageUpdates(7, ["one", "two", "three"]) as [Uint8Array, Uint8Array, Uint8Array];
const others = pageUpdates(8, ["a", "b", "c"]);
const drop = { type: "drop" } as const;

function cardUpdates(count: number, client = 5): Uint8Array[] {
  const { doc, take } = editedDocument(client);
  for (let load = 0; load < count; load++) doc.getMap(registerRoot).set("v", { load });
  return take();
}

/** A room in which both pages are, as its writer has written them. */
function filled(room: Harness = createHarness()): { room: Harness; writer: Peer } {
  const writer = room.join();
  writer.send(updateFrame(page, [one, two], 1));
  writer.send(updateFrame(other, others.slice(0, 2), 2));
  room.clock.advance(1);
  return { room, writer };
}

function namesIn({ storage }: Harness): string[] {
  return storage.documentsAfter(0, 100).map(({ name }) => name);
}

/** What a peer was sent of a document. */
function readBy(items: readonly Item[], name: string): unknown[] {
  return readPage(
    itemsOf(items, "update")
      .filter((item) => item.name === name)
      .map(({ update }) => update),
  );
}

function lastMark({ items }: Peer): number | undefined {
  return itemsOf(items, "acknowledge").at(-1)?.number;
}

describe("a drop", () => {
  test("DROP-1: it takes rows, clocks, name and number, and is acknowledged by its mark", () => {
    const { room, writer } = filled();
    writer.send(dropFrame(page, 3));
    expect(writer.frames.at(-1)).toEqual([{ type: "acknowledge", number: 3 }]);
    expect(namesIn(room)).toEqual([other]);
    expect([...room.storage.rowsOf(1), ...room.storage.clocks(1)]).toEqual([]);
    const fresh = room.join();
    expect([readBy(fresh.items, page), readBy(fresh.items, other)]).toEqual([[], ["a", "b"]]);
    expect(itemsOf(fresh.items, "name").map(({ name }) => name)).toEqual([other]);
  });

  test("DROP-1: a second one, and one of what never was, are acknowledged and begin nothing", () => {
    const { room, writer } = filled();
    const rows = room.storage.size();
    for (const [mark, name] of [page, page, pageOf(99), registerName("anon.nobody.x7")].entries()) {
      writer.send(dropFrame(name, 3 + mark));
      expect(lastMark(writer)).toBe(3 + mark);
    }
    expect(itemsOf(writer.items, "refuse")).toEqual([]);
    expect(namesIn(room)).toEqual([other]);
    expect([room.storage.lastDocument(), rows.rows]).toEqual([2, 2]);
    room.wake();
    writer.send(dropFrame(page, 9));
    expect(lastMark(writer)).toBe(9);
  });

  test("DROP-1: a name alone begins nothing either", () => {
    const room = createHarness();
    room.join().send(frameOf({ type: "name", channel: 900, name: page }, { type: "mark", number: 1 }));
    expect(room.storage.documentCount()).toBe(0);
  });

  test("DROP-2: only who may write a document may drop it", () => {
    const { room } = filled();
    const refusals = (scopes: string, principal: string, name: string) => {
      const peer = room.join(undefined, undefined, grantOf(principal, scopes));
      peer.send(dropFrame(name));
      room.clock.advance(1);
      expect(lastMark(peer)).toBe(1);
      return itemsOf(peer.items, "refuse").map(({ code }) => code);
    };
    expect(refusals("read write:own write:shared", "bob", page)).toEqual(["gate/not-owner"]);
    expect(refusals("read write:own write:shared", "bob", pageOf(99))).toEqual(["gate/not-owner"]);
    expect(refusals("read write:shared presence", "anon", page)).toEqual(["edge/forbidden"]);
    expect(namesIn(room)).toEqual([page, other]);
    expect(refusals("read write:own", "anon", page)).toEqual([]);
    expect(refusals("read admin", "root", other)).toEqual([]);
    expect(namesIn(room)).toEqual([]);
  });

  test("DROP-2: a shared document stays, whoever asks, and a stock client's socket closes", () => {
    const room = createHarness();
    const admin = room.join(undefined, undefined, grantOf("root", "read write:shared admin"));
    admin.send(updateFrame(sharedName(), [cardUpdates(1)[0] as Uint8Array]));
    admin.send(dropFrame(sharedName(), 2));
    expect(itemsOf(admin.items, "refuse").map(({ code }) => code)).toEqual(["edge/forbidden"]);
    const stock = room.connect(sharedName());
    stock.send(new Uint8Array([64]));
    expect(stock.closed).toEqual({ code: 4403, reason: "edge/forbidden" });
    expect(namesIn(room)).toEqual([sharedName()]);
  });

  test("DROP-2: a halted room keeps pages and registers, though registers are written", () => {
    const { room, writer } = filled();
    writer.send(updateFrame(register, cardUpdates(1), 3));
    room.core.administration.halt(grantOf("root", "admin"));
    writer.send(dropFrame(page, 4));
    writer.send(dropFrame(register, 5));
    room.clock.advance(1);
    expect(itemsOf(writer.items, "refuse").map(({ code }) => code)).toEqual(["edge/halted", "edge/halted"]);
    writer.send(updateFrame(register, cardUpdates(2), 6));
    expect(itemsOf(writer.items, "refuse")).toHaveLength(2);
    room.core.administration.release(grantOf("root", "admin"));
    writer.send(dropFrame(page, 7));
    room.clock.advance(1);
    expect(namesIn(room)).toEqual([other, register]);
  });

  test("DROP-2: refusals are counted against the principal as those of updates are", () => {
    const room = createHarness(undefined, { limits: { refusalsPerSecond: 1 } });
    const peer = room.join(undefined, undefined, grantOf("bob"));
    for (let mark = 1; mark <= 20 && !peer.closed; mark++) peer.send(dropFrame(page, mark));
    expect(peer.closed?.code).toBe(4529);
  });
});

describe("a drop among other messages", () => {
  const named = (name: string): Outgoing => ({ type: "name", channel: 900, name });
  const on = (message: DocumentMessage): Outgoing => ({ channel: 900, message });
  const update = (bytes: Uint8Array) => on({ type: "update", update: bytes });

  function inOneFrame(...messages: Outgoing[]): {
    room: Harness;
    reader: Peer;
    writer: Peer;
  } {
    const { room, writer } = filled();
    const reader = room.join();
    reader.items.length = 0;
    writer.send(frameOf(named(page), ...messages, { type: "mark", number: 3 }));
    room.clock.advance(1);
    expect([lastMark(writer), itemsOf(writer.items, "refuse")]).toEqual([3, []]);
    return { room, reader, writer };
  }

  test("DROP-3: an update before it goes with the document", () => {
    const { room, reader } = inOneFrame(update(three), on(drop));
    expect([namesIn(room), readBy(reader.items, page)]).toEqual([[other], []]);
  });

  test("DROP-3: an update after it begins the document anew, and live readers are told", () => {
    const { room, reader } = inOneFrame(on(drop), update(one));
    expect(namesIn(room)).toEqual([other, page]);
    expect(readBy(reader.items, page)).toEqual(["one"]);
    expect(readBy(room.join().items, page)).toEqual(["one"]);
  });

  test("DROP-3: so does one between two of them, and nothing is left", () => {
    const { room, reader } = inOneFrame(on(drop), update(one), on(drop));
    expect([namesIn(room), itemsOf(reader.items, "update")]).toEqual([[other], []]);
  });

  test("DROP-3: what was one document's history is a gap in the next", () => {
    const { room, writer } = filled();
    writer.send(frameOf(named(page), on(drop), update(three), { type: "mark", number: 3 }));
    expect(itemsOf(writer.items, "refuse").map(({ code }) => code)).toEqual(["gate/gap"]);
    const [asked] = itemsOf(writer.items, "step1");
    expect([asked?.name, [...(asked?.stateVector ?? [])]]).toEqual([page, [0]]);
    expect(readBy(room.join().items, page)).toEqual([]);
  });

  test("DROP-3: it shares the turn's transaction", () => {
    const commits: StorageCommit[] = [];
    const { room, writer } = filled(createHarness(watchedStorage((changes) => commits.push(changes))));
    room.crowd();
    commits.length = 0;
    writer.send(dropFrame(page, 3));
    writer.send(updateFrame(other, [others[2] as Uint8Array], 4));
    expect(commits).toEqual([]);
    room.clock.advance(1);
    expect(commits).toHaveLength(1);
    expect(commits[0]).toMatchObject({ dropDocuments: [1], rows: [{ document: 2 }] });
  });

  test("DROP-3: clocks that were asked for are answered with none, and the document does not come back", () => {
    const { room, writer } = filled();
    writer.send(frameOf(named(page), on({ type: "step1", stateVector: emptyStateVector }), on(drop)));
    const [asked] = itemsOf(writer.items, "step1");
    expect([asked?.name, [...(asked?.stateVector ?? [])]]).toEqual([page, [0]]);
    expect([namesIn(room), room.failures]).toEqual([[other], []]);
  });

  test("DROP-3: whoever named the document in a frame before it goes on by that name", () => {
    const { room, writer } = filled();
    const second = room.join();
    second.send(updateFrame(page, [three], 1));
    writer.send(dropFrame(page, 3));
    second.send(updateFrame(page, [one], 2));
    room.clock.advance(1);
    expect([lastMark(second), room.failures, readBy(room.join().items, page)]).toEqual([2, [], ["one"]]);
  });
});

describe("what stays true after a drop", () => {
  test("DROP-4: a number is never given again within the epoch, even the highest, whatever slept or was never stored", () => {
    const { room, writer } = filled();
    writer.send(dropFrame(other, 3));
    room.wake();
    writer.send(updateFrame(other, [others[0] as Uint8Array], 4));
    expect(room.storage.documentNamed(other)?.id).toBe(3);
    writer.send(
      frameOf(
        { type: "name", channel: 900, name: pageOf(9) },
        { channel: 900, message: { type: "update", update: pageUpdates(9, [1])[0] as Uint8Array } },
        { channel: 900, message: drop },
      ),
    );
    room.wake();
    writer.send(updateFrame(pageOf(10), pageUpdates(10, ["x"]), 5));
    expect(room.storage.documentNamed(pageOf(10))?.id).toBe(5);
  });

  test("DROP-4: on a number that is gone a drop is acknowledged and all else refused; the socket stays", () => {
    const { room, writer } = filled();
    writer.send(dropFrame(page, 3));
    writer.send(frameOf({ channel: 1, message: drop }, { type: "mark", number: 4 }));
    expect([lastMark(writer), itemsOf(writer.items, "refuse")]).toEqual([4, []]);
    writer.send(frameOf({ channel: 1, message: { type: "update", update: three } }));
    expect(itemsOf(writer.items, "refuse")).toMatchObject([{ channel: 1, code: "protocol/unknown-channel" }]);
    expect([writer.closed, namesIn(room)]).toEqual([undefined, [other]]);
    writer.send(frameOf({ channel: 3, message: drop }));
    expect(writer.closed?.reason).toBe("protocol/unknown-channel");
  });

  test("DROP-5: the newest sequence stays, though its row is gone; a cursor there is resumed and told what is new", () => {
    const { room, writer } = filled();
    const { epoch } = itemsOf(writer.items, "welcome")[0] ?? {};
    writer.send(dropFrame(other, 3));
    expect(room.storage.head()).toBe(2);
    room.wake();
    const back = room.join(epoch, 2);
    expect(itemsOf(back.items, "welcome")[0]).toMatchObject({ resumed: true, sequence: 2 });
    expect(itemsOf(back.items, "joined")).toHaveLength(1);
    writer.send(updateFrame(page, [three], 4));
    expect(itemsOf(back.items, "cursor").at(-1)?.sequence).toBe(3);
    expect(itemsOf(back.items, "update")).toHaveLength(1);
  });

  test("DROP-5: a room whose every document is gone is joined, from zero and from its end", () => {
    const { room, writer } = filled();
    const { epoch } = itemsOf(writer.items, "welcome")[0] ?? {};
    writer.send(dropFrame(other, 3));
    writer.send(dropFrame(page, 4));
    for (const cursor of [0, 1, 2]) {
      const peer = room.join(epoch, cursor);
      expect(itemsOf(peer.items, "joined")).toHaveLength(1);
      expect(itemsOf(peer.items, "cursor").at(-1)?.sequence).toBe(2);
    }
  });

  /** A room with a reader that has taken but the beginning of it. */
  function withSlowReader(): { room: Harness; writer: Peer; reader: Peer } {
    const room = createHarness();
    const writer = room.join();
    const large = "x".repeat(200_000);
    for (let number = 1; number <= 12; number++) {
      writer.send(updateFrame(pageOf(number), pageUpdates(number, [large]), number));
      room.clock.advance(1);
      writer.credit();
    }
    const reader = room.join();
    expect(itemsOf(reader.items, "joined")).toEqual([]);
    return { room, writer, reader };
  }

  test("DROP-6: a reader in the middle of a replay skips what went meanwhile, and is told the rest", () => {
    const { room, writer, reader } = withSlowReader();
    const told = itemsOf(reader.items, "update").length;
    writer.send(dropFrame(pageOf(1), 20));
    writer.send(dropFrame(pageOf(told + 1), 21));
    writer.send(dropFrame(pageOf(12), 22));
    room.drain(reader, writer);
    expect(itemsOf(reader.items, "joined")).toHaveLength(1);
    const names = itemsOf(reader.items, "update").map(({ name }) => name);
    const wanted = Array.from({ length: 12 }, (_, index) => index + 1).filter(
      (number) => number !== told + 1 && number !== 12,
    );
    expect(names).toEqual(wanted.map((number) => pageOf(number)));
    expect(itemsOf(reader.items, "cursor").at(-1)?.sequence).toBe(12);
  });

  test("DROP-6: what it is told between the drop and its commit has a name", () => {
    const { room, writer, reader } = withSlowReader();
    room.crowd();
    const told = itemsOf(reader.items, "update").length;
    writer.send(dropFrame(pageOf(told + 1), 20));
    expect(room.storage.documentCount()).toBe(13);
    reader.credit();
    expect(itemsOf(reader.items, "update").length).toBeGreaterThan(told);
    room.drain(reader, writer);
    expect(itemsOf(reader.items, "update").every(({ name }) => name !== undefined)).toBe(true);
    expect(itemsOf(reader.items, "joined")).toHaveLength(1);
  });

  test("DROP-6: rows that were kept for those who lag are forgotten with their document", () => {
    const { room, writer, reader } = withSlowReader();
    writer.send(updateFrame(page, [pageUpdates(7, ["x".repeat(200_000), "later"])[1] as Uint8Array], 20));
    writer.send(dropFrame(page, 21));
    room.drain(reader, writer);
    const told = itemsOf(reader.items, "update").filter(({ name }) => name === page);
    expect(told.length).toBeLessThanOrEqual(1);
    expect(itemsOf(reader.items, "joined")).toHaveLength(1);
  });

  test("DROP-7: a register that comes back has a new number, and reaches live readers, sleepers and joiners", () => {
    const room = createHarness();
    const writer = room.join();
    const reader = room.join();
    writer.send(updateFrame(register, cardUpdates(2), 1));
    writer.send(dropFrame(register, 2));
    room.wake();
    writer.send(updateFrame(register, cardUpdates(1, 6), 3));
    expect(room.storage.documentNamed(register)?.id).toBe(2);
    expect(itemsOf(reader.items, "name")).toMatchObject([
      { channel: 1, name: register },
      { channel: 2, name: register },
    ]);
    expect(itemsOf(reader.items, "update").map(({ channel }) => channel)).toEqual([1, 1, 2]);
    expect(itemsOf(room.join().items, "update")).toMatchObject([{ channel: 2, name: register }]);
  });

  test("DROP-8: it makes room for other documents", () => {
    const room = createHarness(undefined, { limits: { documents: 2 } });
    const { writer } = filled(room);
    writer.send(updateFrame(pageOf(9), pageUpdates(9, ["x"]), 3));
    expect(itemsOf(writer.items, "refuse").map(({ code }) => code)).toEqual(["edge/too-many-documents"]);
    writer.send(dropFrame(page, 4));
    writer.send(updateFrame(pageOf(9), pageUpdates(9, ["x"]), 5));
    room.clock.advance(1);
    expect(namesIn(room)).toEqual([other, pageOf(9)]);
    writer.send(updateFrame(page, [one], 6));
    room.clock.advance(1);
    expect(itemsOf(writer.items, "refuse")).toHaveLength(2);
  });

  test.each([
    ["known", true],
    ["asked for at the drop", false],
  ])("DROP-8: the room's bytes are those that are left, where they were %s", (_, known) => {
    const storage = createInMemoryStorage();
    const before = createHarness(storage).join();
    before.send(updateFrame(page, pageUpdates(7, ["x".repeat(6_000)])));
    const room = createHarness(storage, { limits: { roomBytes: 10_000 } });
    const writer = room.join();
    const large = pageUpdates(8, ["x".repeat(6_000)]);
    if (known) {
      writer.send(updateFrame(other, large, 1));
      expect(itemsOf(writer.items, "refuse").map(({ code }) => code)).toEqual(["edge/room-full"]);
    }
    writer.send(
      frameOf(
        { type: "name", channel: 900, name: page },
        { channel: 900, message: drop },
        { type: "name", channel: 901, name: other },
        { channel: 901, message: { type: "update", update: large[0] as Uint8Array } },
      ),
    );
    expect(namesIn(room)).toEqual([other]);
    writer.send(updateFrame(page, pageUpdates(7, ["x".repeat(6_000)]), 3));
    expect(itemsOf(writer.items, "refuse").at(-1)?.code).toBe("edge/room-full");
  });

  test("DROP-9: the audit trail says who dropped what, and how much; what changed nothing leaves no entry", () => {
    const { room, writer } = filled();
    writer.send(dropFrame(page, 3));
    writer.send(dropFrame(page, 4));
    const dropped = room.storage.auditAfter(0, 100).filter(({ verdict }) => verdict === "dropped");
    expect(dropped).toMatchObject([{ principal: "anon", subject: page, ranges: [] }]);
    expect(dropped[0]?.bytes).toBeGreaterThan(one.length + two.length);
  });

  test("DROP-10: a drop whose commit fails is not acknowledged, and the document stays", () => {
    let fails = false;
    const storage = watchedStorage(() => {
      if (fails) throw new Error("The disk is full.");
    });
    const { room, writer } = filled(createHarness(storage));
    fails = true;
    writer.send(dropFrame(page, 3));
    expect([lastMark(writer), writer.closed?.code, room.failures.length]).toEqual([2, 4503, 1]);
    expect(namesIn(room)).toEqual([page, other]);
  });

  test("DROP-1: before a join, a drop closes the socket as any other message", () => {
    const room = createHarness();
    const peer = room.connect();
    peer.send(dropFrame(page));
    expect(peer.closed?.code).toBe(4409);
    peer.send(joinFrame());
    expect(room.storage.documentCount()).toBe(0);
  });
});
