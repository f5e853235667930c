import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { createInMemoryStorage } from "../../src/edge/index.ts";
import { promptTurns } from "../../src/edge/room/pacing/turns.ts";
import { maxFrameBytes, maxUpdateBytes } from "../../src/protocol/index.ts";
import { editedDocument, pageOf, pageUpdates, readPage, remote } from "./documents.ts";
import { createHarness, grantOf, type Peer, watchedStorage } from "./room-harness.ts";
import { frameOf, itemsOf, joinFrame, updateFrame } from "./wire.ts";

const page = pageOf(7);
const [first, second, third] = pageUpdates(7, ["one", "two", "three"]) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

function updatesOf(peer: Peer): Uint8Array[] {
  return itemsOf(peer.items, "update").map(({ update }) => update);
}

describe("joining", () => {
  test("RELAY-1: a join from zero gets every row in order, then the cursor, then who is there", () => {
    const room = createHarness();
    const writer = room.join();
    writer.send(updateFrame(page, [first, second]));
    room.clock.advance(1);
    writer.send(updateFrame(page, [third], 2));
    const [frame, ...more] = room.join().frames;
    expect(more).toEqual([]);
    expect(frame?.map(({ type }) => type)).toEqual([
      "welcome",
      "granted",
      "name",
      "update",
      "update",
      "update",
      "cursor",
      "joined",
      "presences",
    ]);
    expect(frame?.[0]).toMatchObject({ resumed: false, sequence: 2 });
    expect(frame?.at(-3)).toEqual({ type: "cursor", sequence: 2 });
    const updates = itemsOf(frame ?? [], "update");
    expect(updates.map(({ name }) => name)).toEqual([page, page, page]);
    expect(readPage(updates.map(({ update }) => update))).toEqual(["one", "two", "three"]);
  });

  test("RELAY-2: a cursor of the same epoch gets only newer rows", () => {
    const room = createHarness();
    const writer = room.join();
    const epoch = itemsOf(writer.items, "welcome")[0]?.epoch;
    writer.send(updateFrame(page, [first]));
    room.clock.advance(1);
    writer.send(updateFrame(page, [second], 2));
    const back = room.join(epoch, 1);
    expect(itemsOf(back.items, "welcome")[0]).toMatchObject({ resumed: true, epoch });
    expect(updatesOf(back)).toEqual([second]);
    expect(updatesOf(room.join(epoch, 2))).toEqual([]);
  });

  test.each([
    ["another epoch", "elsewhere", 1],
    ["a sequence that the relay has not reached", undefined, 99],
  ])("RELAY-2: %s voids the cursor", (_, epoch, sequence) => {
    const room = createHarness();
    const writer = room.join();
    writer.send(updateFrame(page, [first]));
    const known = itemsOf(writer.items, "welcome")[0]?.epoch;
    const back = room.join(epoch ?? known, sequence);
    expect(itemsOf(back.items, "welcome")[0]).toMatchObject({ resumed: false, epoch: known });
    expect(updatesOf(back)).toEqual([first]);
  });

  test("RELAY-3: a join while a turn gathers neither misses nor doubles a row", () => {
    const room = createHarness();
    const writer = room.join();
    writer.send(updateFrame(page, [first]));
    const head = room.storage.head();
    room.crowd();
    writer.send(updateFrame(page, [second], 2));
    const joiner = room.join(itemsOf(writer.items, "welcome")[0]?.epoch, head);
    const warm = updatesOf(joiner).length;
    room.clock.advance(1);
    expect(updatesOf(joiner).slice(warm)).toEqual([second]);
    expect(joiner.items.at(-1)).toEqual({ type: "cursor", sequence: room.storage.head() });
  });

  test("RELAY-4: a history past a frame comes in several, each ended by its cursor", () => {
    const room = createHarness();
    const writer = room.join();
    const source = editedDocument(5);
    for (let round = 0; round < 5; round++) {
      source.doc.getMap("m").set(`k${round}`, "x".repeat(400_000));
      writer.send(updateFrame("shared", source.take(), round + 1));
      room.clock.advance(1);
    }
    const joiner = room.join();
    room.drain(joiner);
    expect(joiner.raw.length).toBeGreaterThan(2);
    for (const frame of joiner.raw) expect(frame.length).toBeLessThanOrEqual(maxFrameBytes);
    expect(itemsOf(joiner.items, "cursor").map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 5]);
    for (const frame of joiner.frames.slice(0, -1)) expect(frame.at(-1)?.type).toBe("cursor");
    const replica = new Y.Doc();
    for (const update of updatesOf(joiner)) Y.applyUpdate(replica, update, remote);
    expect(replica.getMap("m").toJSON()).toEqual(source.doc.getMap("m").toJSON());
  });

  test("RELAY-5: an epoch is stored once and survives the core", () => {
    const room = createHarness();
    const before = itemsOf(room.join().items, "welcome")[0]?.epoch;
    room.wake();
    expect(itemsOf(room.join().items, "welcome")[0]?.epoch).toBe(before);
    const other = itemsOf(createHarness().join().items, "welcome")[0];
    expect(other?.epoch).toHaveLength(11);
  });
});

describe("a turn", () => {
  test("RELAY-6: the acknowledgement comes after the row is stored and told, and with the cursor", () => {
    const storage = createInMemoryStorage();
    const order: string[] = [];
    const room = createHarness({
      ...storage,
      commit(changes) {
        storage.commit(changes);
        if (changes.rows?.length) order.push("stored");
      },
    });
    const writer = room.join();
    const reader = room.join();
    for (const [name, peer] of Object.entries({ writer, reader })) {
      const { send } = peer.socket;
      peer.socket.send = (bytes) => {
        order.push(name);
        send(bytes);
      };
    }
    writer.send(updateFrame(page, [first]));
    expect(order).toEqual(["stored", "reader", "writer"]);
    expect(writer.frames.at(-1)).toEqual([
      { type: "acknowledge", number: 1 },
      { type: "cursor", sequence: 1 },
    ]);
    expect(reader.frames.at(-1)?.map(({ type }) => type)).toEqual(["name", "update", "cursor"]);
  });

  test("RELAY-7: what follows closely shares one transaction, one row a document and one frame a reader", () => {
    let commits = 0;
    const room = createHarness(watchedStorage(() => commits++));
    const writer = room.join();
    const other = room.join();
    const reader = room.join();
    const elsewhere = pageUpdates(8, ["a", "b"]);
    writer.send(updateFrame(page, [first]));
    room.crowd();
    const head = room.storage.head();
    commits = 0;
    const before = reader.frames.length;
    const heard = [updatesOf(writer).length, updatesOf(other).length];
    writer.send(updateFrame(page, [second], 2));
    other.send(updateFrame(pageOf(8), elsewhere));
    writer.send(updateFrame(page, [third], 3));
    expect(commits).toBe(0);
    room.clock.advance(1);
    expect(commits).toBe(1);
    expect(
      [...room.storage.rowsAfter(head)].map(({ sequence, document }) => [sequence - head, document]),
    ).toEqual([
      [1, 1],
      [2, 3],
    ]);
    expect(reader.frames.length).toBe(before + 1);
    expect(reader.frames.at(-1)?.map(({ type }) => type)).toEqual([
      "name",
      "update",
      "update",
      "update",
      "update",
      "cursor",
    ]);
    expect(itemsOf(writer.items, "acknowledge").map(({ number }) => number)).toEqual([1, 3]);
    expect(updatesOf(writer).slice(heard[0])).toEqual(elsewhere);
    expect(updatesOf(other).slice(heard[1])).toEqual([second, third]);
  });

  test("RELAY-7: a turn past a frame is split, and each frame ends with the cursor of its last row", () => {
    const room = createHarness();
    const writer = room.join();
    const reader = room.join();
    room.crowd();
    const head = room.storage.head();
    const source = editedDocument(5);
    for (let round = 0; round < 2; round++) {
      source.doc.getMap("m").set(`k${round}`, "x".repeat(700_000));
      writer.send(updateFrame("shared", source.take(), round + 2));
    }
    const before = reader.frames.length;
    room.clock.advance(1);
    const frames = reader.frames.slice(before);
    expect(frames).toHaveLength(2);
    expect(frames.map((frame) => frame.at(-1))).toEqual([
      { type: "cursor", sequence: head + 1 },
      { type: "cursor", sequence: head + 2 },
    ]);
    expect([...room.storage.rowsAfter(head)]).toHaveLength(2);
    for (const { parts } of room.storage.rowsAfter(0))
      expect(parts.length).toBeLessThanOrEqual(maxFrameBytes);
  });

  test("RELAY-26: what comes alone never waits: a lone exchange is served at once, each time", () => {
    const room = createHarness();
    const [a, b] = [room.join(), room.join()];
    const one = pageUpdates(8, Array.from({ length: 50 }, String));
    const two = pageUpdates(9, Array.from({ length: 50 }, String));
    for (let round = 0; round < 50; round++) {
      a.send(updateFrame(pageOf(8), [one[round] as Uint8Array], round + 1));
      expect(updatesOf(b)).toHaveLength(round + 1);
      b.send(updateFrame(pageOf(9), [two[round] as Uint8Array], round + 1));
      expect(updatesOf(a)).toHaveLength(round + 1);
      room.clock.advance(1);
    }
    expect(room.clock.waiting).toBe(0);
  });

  test("RELAY-26: a crowd is gathered as long as it lasts, and whoever comes after it is served at once", () => {
    let commits = 0;
    const room = createHarness(watchedStorage(() => commits++));
    const writer = room.join();
    const updates = pageUpdates(8, Array.from({ length: 401 }, String));
    commits = 0;
    for (let tick = 0; tick < 4; tick++) {
      for (const update of updates.slice(tick * 100, (tick + 1) * 100)) {
        writer.send(updateFrame(pageOf(8), [update]));
      }
      room.clock.advance(1);
    }
    expect(commits).toBe(4 * (promptTurns + 1));
    room.clock.advance(2);
    writer.send(updateFrame(pageOf(8), [updates[400] as Uint8Array], 2));
    expect(itemsOf(writer.items, "acknowledge").at(-1)?.number).toBe(2);
  });

  test("RELAY-26: a turn that grows large ends before the tick, so that what is staged stays bounded", () => {
    const room = createHarness();
    const writer = room.join();
    room.crowd();
    const head = room.storage.head();
    for (let page = 1; page <= 40; page++) {
      writer.send(updateFrame(pageOf(page), pageUpdates(page, ["x".repeat(200_000)])));
    }
    expect(room.storage.head()).toBeGreaterThan(head);
  });

  test("RELAY-8: a name is sent once a connection, and again after the room slept", () => {
    const room = createHarness();
    const writer = room.join();
    const reader = room.join();
    writer.send(updateFrame(page, [first]));
    room.clock.advance(1);
    writer.send(updateFrame(page, [second], 2));
    expect(itemsOf(reader.items, "name")).toHaveLength(1);
    room.wake();
    writer.send(updateFrame(page, [third], 3));
    expect(itemsOf(reader.items, "name")).toHaveLength(2);
    expect(readPage(updatesOf(reader))).toEqual(["one", "two", "three"]);
  });

  test("RELAY-9: what is known already is acknowledged without a row", () => {
    const room = createHarness();
    const writer = room.join();
    writer.send(updateFrame(page, [first]));
    room.clock.advance(1);
    writer.send(updateFrame(page, [first], 2));
    expect(room.storage.head()).toBe(1);
    expect(writer.items.at(-1)).toEqual({ type: "acknowledge", number: 2 });
  });

  test("RELAY-10: a commit that fails acknowledges nothing, closes every socket and ends the core", () => {
    const storage = createInMemoryStorage();
    let broken = false;
    const room = createHarness({
      ...storage,
      commit(changes) {
        if (broken) throw new Error("disk full");
        storage.commit(changes);
      },
    });
    const writer = room.join();
    const reader = room.join();
    broken = true;
    writer.send(updateFrame(page, [first]));
    expect(room.failures).toHaveLength(1);
    expect(writer.closed).toEqual({ code: 4503, reason: "edge/unavailable" });
    expect(reader.closed).toEqual({ code: 4503, reason: "edge/unavailable" });
    expect(itemsOf(writer.items, "acknowledge")).toEqual([]);
    expect(updatesOf(reader)).toEqual([]);
    broken = false;
    room.wake();
    const back = room.join();
    back.send(updateFrame(page, [first]));
    expect(itemsOf(back.items, "acknowledge")).toHaveLength(1);
  });

  test("RELAY-11: a document's number on the relay's side serves as channel without a name", () => {
    const room = createHarness();
    const writer = room.join();
    const reader = room.join();
    writer.send(updateFrame(page, [first]));
    const channel = itemsOf(reader.items, "name")[0]?.channel ?? 0;
    room.wake();
    writer.send(
      frameOf({ channel, message: { type: "step2", update: second } }, { type: "mark", number: 2 }),
    );
    expect(itemsOf(writer.items, "acknowledge").at(-1)?.number).toBe(2);
    expect(updatesOf(reader)).toEqual([first, second]);
  });
});

describe("the gate", () => {
  test("RELAY-12: the second of two contents for one clock is refused, and every replica ends equal (THREATS 1)", () => {
    const room = createHarness();
    const honest = room.join();
    const forger = room.join();
    const reader = room.join();
    const forged = pageUpdates(7, ["forged"]);
    honest.send(updateFrame(page, [first, second]));
    forger.send(updateFrame(page, [...forged, ...pageUpdates(7, ["forged", "more", "again"]).slice(2)]));
    room.clock.advance(1);
    const late = room.join();
    expect(readPage(updatesOf(reader))).toEqual(readPage(updatesOf(late)));
    expect(readPage(updatesOf(late)).slice(0, 2)).toEqual(["one", "two"]);
  });

  test("RELAY-12: of a longer content for a known clock only what is new is taken, and replicas stay equal", () => {
    const room = createHarness();
    const honest = room.join();
    const forger = room.join();
    honest.send(updateFrame(page, [first]));
    room.clock.advance(1);
    const long = editedDocument(7);
    long.doc.transact(() => long.doc.getArray("b").push(["fork", "fork"]));
    forger.send(updateFrame(page, long.take()));
    expect(forger.frames.at(-1)?.map(({ type }) => type)).toEqual(["acknowledge", "cursor"]);
    expect(readPage(updatesOf(honest))).toEqual([]);
    expect(readPage([first, ...updatesOf(honest)])).toEqual(["one", "fork"]);
    expect(readPage(updatesOf(room.join()))).toEqual(["one", "fork"]);
  });

  test("RELAY-13: a gap is refused once, the relay's clocks follow, and a resync heals it", () => {
    const room = createHarness();
    const writer = room.join();
    writer.send(updateFrame(page, [second, third]));
    expect(writer.frames.at(-1)?.map(({ type }) => type)).toEqual(["name", "refuse", "step1", "acknowledge"]);
    expect(itemsOf(writer.items, "refuse")[0]?.code).toBe("gate/gap");
    const [asked] = itemsOf(writer.items, "step1");
    expect(asked?.name).toBe(page);
    const whole = editedDocument(7);
    for (const update of [first, second, third]) Y.applyUpdate(whole.doc, update, remote);
    const missing = Y.encodeStateAsUpdate(whole.doc, asked?.stateVector);
    room.clock.advance(1);
    writer.send(updateFrame(page, [missing], 2));
    expect(readPage(updatesOf(room.join()))).toEqual(["one", "two", "three"]);
  });

  test("RELAY-14: a document of another principal is refused for good, and nobody is told", () => {
    const room = createHarness();
    const writer = room.join("", 0, grantOf("anon"));
    const reader = room.join();
    writer.send(updateFrame(pageOf(7, "mallory.planner.x7"), [first]));
    expect(itemsOf(writer.items, "refuse")[0]?.code).toBe("gate/not-owner");
    expect(itemsOf(writer.items, "step1")).toEqual([]);
    expect(updatesOf(reader)).toEqual([]);
    expect(writer.closed).toBeUndefined();
    expect(room.storage.head()).toBe(0);
  });

  test("RELAY-15: sync step 1 is answered with the relay's clocks alone", () => {
    const room = createHarness();
    const writer = room.join();
    writer.send(updateFrame(page, [first, second]));
    room.clock.advance(1);
    writer.send(
      frameOf(
        { type: "name", channel: 3, name: page },
        { channel: 3, message: { type: "step1", stateVector: new Uint8Array([0]) } },
      ),
    );
    expect(writer.frames.at(-1)?.map(({ type }) => type)).toEqual(["name", "step1"]);
    expect([
      ...Y.decodeStateVector(itemsOf(writer.items, "step1")[0]?.stateVector ?? new Uint8Array([0])),
    ]).toEqual([[7, 2]]);
  });

  test("RELAY-16: the clocks and depths that the gate asks for outlive the core", () => {
    const room = createHarness();
    const writer = room.join();
    const source = editedDocument(5);
    const nested = new Y.Map<unknown>();
    source.doc.getMap("m").set("a", nested);
    writer.send(updateFrame("shared", source.take()));
    const deeper = new Y.Map<unknown>();
    let at = nested;
    for (let depth = 2; depth <= 4; depth++) {
      room.wake();
      const next = depth === 2 ? deeper : new Y.Map<unknown>();
      at.set("x", next);
      at = next;
      writer.send(updateFrame("shared", source.take(), depth));
      expect(itemsOf(writer.items, "refuse")).toEqual([]);
    }
    room.wake();
    at.set("x", new Y.Map<unknown>());
    writer.send(updateFrame("shared", source.take(), 9));
    expect(itemsOf(writer.items, "refuse").map(({ code }) => code)).toEqual(["gate/depth"]);
  });

  test("RELAY-17: an update past the limit of one is refused, the socket stays", () => {
    const room = createHarness();
    const writer = room.join();
    writer.send(
      frameOf(
        { type: "name", channel: 1, name: "shared" },
        { channel: 1, message: { type: "update", update: new Uint8Array(maxUpdateBytes + 1) } },
      ),
    );
    expect(itemsOf(writer.items, "refuse")[0]?.code).toBe("protocol/update-too-large");
    expect(writer.closed).toBeUndefined();
  });
});

describe("bad input", () => {
  const cases: [string, number, string, (peer: Peer) => void][] = [
    ["a text frame", 4400, "protocol/malformed-frame", (peer) => peer.send("hello")],
    ["an empty frame", 4400, "protocol/malformed-frame", (peer) => peer.send(new Uint8Array())],
    ["no frame", 4400, "protocol/malformed-frame", (peer) => peer.send(new Uint8Array([1, 200, 1]))],
    [
      "an unknown control message",
      4400,
      "protocol/malformed-frame",
      (peer) => peer.send(new Uint8Array([0, 1, 99])),
    ],
    [
      "a message of the relay",
      4400,
      "protocol/malformed-frame",
      (peer) => peer.send(frameOf({ type: "pong" })),
    ],
    [
      "a name for channel 0",
      4400,
      "protocol/malformed-frame",
      (peer) => peer.send(frameOf({ type: "name", channel: 0, name: "shared" })),
    ],
    [
      "no document message",
      4400,
      "protocol/malformed-frame",
      (peer) =>
        peer.send(new Uint8Array([...frameOf({ type: "name", channel: 1, name: "shared" }), 1, 1, 77])),
    ],
    [
      "an unknown channel",
      4400,
      "protocol/unknown-channel",
      (peer) => peer.send(frameOf({ channel: 77, message: { type: "update", update: first } })),
    ],
    [
      "an unknown document",
      4404,
      "protocol/unknown-document",
      (peer) => peer.send(frameOf({ type: "name", channel: 1, name: "secret/anon.a.b" })),
    ],
    ["a second join", 4409, "protocol/not-joined", (peer) => peer.send(joinFrame())],
    [
      "a frame past 1 MiB",
      4413,
      "protocol/frame-too-large",
      (peer) => peer.send(new Uint8Array(maxFrameBytes + 1)),
    ],
    [
      "a presence that is no object",
      4400,
      "protocol/malformed-frame",
      (peer) => peer.send(frameOf({ type: "presence", state: "[1]" })),
    ],
    [
      "a presence past its limit",
      4413,
      "protocol/presence-too-large",
      (peer) => peer.send(frameOf({ type: "presence", state: JSON.stringify({ x: "ä".repeat(2_100) }) })),
    ],
  ];

  test.each(cases)("RELAY-18: %s closes with %i, and nobody else is disturbed", (_, code, reason, send) => {
    const room = createHarness();
    const bad = room.join();
    const writer = room.join();
    const reader = room.join();
    send(bad);
    expect(bad.closed).toEqual({ code, reason });
    expect(bad.items.at(-1)).toMatchObject({ type: "problem", code: reason });
    writer.send(updateFrame(page, [first]));
    room.clock.advance(1);
    expect(updatesOf(reader)).toEqual([first]);
    expect(writer.closed).toBeUndefined();
    expect(itemsOf(reader.items, "problem")).toEqual([]);
  });

  test("RELAY-18: a frame before join closes with 4409", () => {
    const room = createHarness();
    const early = room.connect();
    early.send(updateFrame(page, [first]));
    expect(early.closed).toEqual({ code: 4409, reason: "protocol/not-joined" });
    expect(room.storage.head()).toBe(0);
  });

  test("RELAY-18: another version closes with 4406", () => {
    const room = createHarness();
    const old = room.connect();
    old.send(frameOf({ type: "join", version: 2, epoch: "", sequence: 0 }));
    expect(old.closed).toEqual({ code: 4406, reason: "protocol/unsupported-version" });
    expect(old.items).toMatchObject([{ type: "problem", code: "protocol/unsupported-version" }]);
  });

  test("RELAY-19: what was accepted before the fault is stored, acknowledged and passed on", () => {
    const room = createHarness();
    const writer = room.join();
    const reader = room.join();
    writer.send(updateFrame(page, [first]));
    writer.send(updateFrame(page, [second], 2));
    writer.send("fault");
    expect(itemsOf(writer.items, "acknowledge").map(({ number }) => number)).toEqual([1, 2]);
    expect(writer.items.at(-1)?.type).toBe("problem");
    expect(updatesOf(reader)).toEqual([first, second]);
  });
});

describe("signals and pings", () => {
  test("RELAY-20: a signal reaches its addressee, or all others, at once and is never stored", () => {
    const room = createHarness();
    const [a, b, c] = [room.join(), room.join(), room.join()];
    const idOf = (peer: Peer) => itemsOf(peer.items, "welcome")[0]?.presence ?? 0;
    a.send(updateFrame(page, [first]));
    a.send(frameOf({ type: "signal", to: idOf(b), bytes: new Uint8Array([1]) }));
    a.send(frameOf({ type: "signal", to: 0, bytes: new Uint8Array([2]) }));
    const heard = (peer: Peer) => itemsOf(peer.items, "signalled").map(({ from, bytes }) => [from, ...bytes]);
    expect(heard(b)).toEqual([
      [idOf(a), 1],
      [idOf(a), 2],
    ]);
    expect(heard(c)).toEqual([[idOf(a), 2]]);
    expect(heard(a)).toEqual([]);
    expect(room.storage.head()).toBe(1);
  });

  test("RELAY-20: a signal overtakes the turn that gathers", () => {
    const room = createHarness();
    const [a, b] = [room.join(), room.join()];
    room.crowd();
    a.send(updateFrame(page, [first]));
    a.send(frameOf({ type: "signal", to: 0, bytes: new Uint8Array([9]) }));
    expect(b.items.at(-1)).toMatchObject({ type: "signalled", bytes: new Uint8Array([9]) });
    expect(itemsOf(a.items, "acknowledge")).toEqual([]);
  });

  test("RELAY-21: a ping is answered at once", () => {
    const room = createHarness();
    const peer = room.join();
    peer.send(frameOf({ type: "ping" }));
    expect(peer.items.at(-1)).toEqual({ type: "pong" });
  });
});
