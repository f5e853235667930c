import { describe, expect, test } from "vitest";
import { createInMemoryStorage, type RoomStorage, type StoredRow } from "../../src/edge/index.ts";
import { budgetBytes, windowBytes } from "../../src/edge/room/pacing/outflow.ts";
import {
  closeCodes,
  emptyUpdate,
  encodeDocumentMessage,
  encodeFrame,
  maxFrameBytes,
} from "../../src/protocol/index.ts";
import { editedDocument, pageOf, pageUpdates, readPage } from "./documents.ts";
import { createHarness, grantOf, type Harness, type Peer } from "./room-harness.ts";
import { frameOf, itemsOf, joinFrame, updateFrame } from "./wire.ts";

const kilobyte = 1_024;

/** The part of a row whose update is empty but for its size: what a reader is sent is not looked at. */
function partOf(document: number, bytes: number): Uint8Array {
  const update = new Uint8Array(bytes);
  update.set(emptyUpdate);
  return encodeFrame([{ channel: document, payload: encodeDocumentMessage({ type: "update", update }) }]);
}

/** A room that holds many rows of one size and no memory for them: each read makes them anew. */
function storageOf({
  rows,
  bytes,
  pieces = 1,
  onRead = () => {},
}: {
  rows: number;
  bytes: number;
  pieces?: number;
  onRead?: () => void;
}): RoomStorage {
  const storage = createInMemoryStorage();
  storage.commit({ documents: [{ id: 1, name: "shared", day: 0 }] });
  const parts = partOf(1, bytes);
  function* after(sequence: number): Iterable<StoredRow> {
    for (let next = sequence + 1; next <= rows; next++) {
      for (let piece = 0; piece < pieces; piece++) {
        onRead();
        yield { sequence: next, piece, document: 1, parts };
      }
    }
    yield* storage.rowsAfter(Math.max(sequence, rows));
  }
  return {
    ...storage,
    head: () => Math.max(rows, storage.head()),
    size: (document) =>
      document === undefined ? { rows, bytes: rows * pieces * parts.length } : storage.size(document),
    rowsAfter: after,
    rowsOf: (_, sequence = 0) => after(sequence),
  };
}

function updatesOf(peer: Peer): Uint8Array[] {
  return itemsOf(peer.items, "update").map(({ update }) => update);
}

function cursorsOf(peer: Peer): number[] {
  return itemsOf(peer.items, "cursor").map(({ sequence }) => sequence);
}

/** Writes rows of about so many bytes, one a turn. */
function createBulkWriter(room: Harness, client = 5) {
  const peer = room.join(undefined, undefined, grantOf("writer"));
  const source = editedDocument(client);
  let mark = 0;
  return {
    peer,
    source,
    write(bytes: number, count = 1) {
      for (let round = 0; round < count; round++) {
        source.doc.getMap("m").set(`k${mark}`, "x".repeat(bytes));
        room.clock.advance(1);
        peer.send(updateFrame("shared", source.take(), ++mark));
        peer.credit();
      }
    },
  };
}

describe("credit", () => {
  test("FLOW-1: a reader that says nothing is sent no rows past its window, and the rest once it says what it took", () => {
    const room = createHarness();
    const writer = createBulkWriter(room);
    const reader = room.join();
    writer.write(100 * kilobyte, 30);
    expect(reader.sentBytes).toBeGreaterThan(windowBytes / 2);
    expect(reader.sentBytes).toBeLessThan(windowBytes + 128 * kilobyte);
    const told = updatesOf(reader).length;
    expect(told).toBeLessThan(30);
    room.drain(reader);
    expect(updatesOf(reader)).toHaveLength(30);
    expect(cursorsOf(reader).at(-1)).toBe(30);
    // Told live again, with the very next row.
    writer.write(10);
    expect(updatesOf(reader)).toHaveLength(31);
  });

  test("FLOW-2: rows come in order, none is missing and none comes twice, however credit comes", () => {
    const room = createHarness();
    const writer = room.join();
    const reader = room.join();
    const pages = Array.from({ length: 20 }, (_, page) =>
      Array.from({ length: 10 }, (_, index) => `${page}.${index}${"x".repeat(20 * kilobyte)}`),
    );
    let sent = 0;
    pages.forEach((values, page) => {
      for (const update of pageUpdates(page + 1, values)) {
        writer.send(updateFrame(pageOf(page + 1), [update], ++sent));
        writer.credit();
        room.clock.advance(1);
        if (sent % 40 === 39) reader.credit();
      }
    });
    room.drain(reader);
    expect(updatesOf(reader)).toHaveLength(200);
    for (const [page, values] of pages.entries()) {
      const own = itemsOf(reader.items, "update").filter(({ name }) => name === pageOf(page + 1));
      expect(readPage(own.map(({ update }) => update))).toEqual(values);
    }
    const cursors = cursorsOf(reader);
    expect(cursors).toEqual([...cursors].sort((a, b) => a - b));
  });

  test("FLOW-3: signals, pongs, acknowledgements and refusals reach a reader whose window is full", () => {
    const room = createHarness();
    const writer = createBulkWriter(room);
    const reader = room.join(undefined, undefined, grantOf("anon"));
    writer.write(100 * kilobyte, 20);
    room.clock.advance(1);
    const before = reader.items.length;
    writer.peer.send(frameOf({ type: "signal", to: 0, bytes: new Uint8Array([1]) }));
    reader.send(frameOf({ type: "ping" }));
    reader.send(updateFrame(pageOf(8), pageUpdates(8, ["a"])));
    reader.send(updateFrame(pageOf(9, "bob.a.b"), pageUpdates(9, ["a"]), 2));
    room.clock.advance(1);
    expect(reader.items.slice(before).map(({ type }) => type)).toEqual([
      "signalled",
      "pong",
      "acknowledge",
      "refuse",
      "acknowledge",
    ]);
  });

  test("FLOW-4: presence waits for a reader whose window is full, and then says the latest of each", () => {
    const room = createHarness();
    const writer = createBulkWriter(room);
    const [a, b, reader] = [room.join(), room.join(), room.join()];
    const state = (name: string) => frameOf({ type: "presence", state: JSON.stringify({ name }) });
    b.send(state("b"));
    room.clock.advance(50);
    writer.write(100 * kilobyte, 20);
    const before = reader.items.length;
    for (let round = 0; round < 5; round++) {
      a.send(state(`a${round}`));
      b.send(state(`b${round}`));
      room.clock.advance(50);
    }
    b.leave();
    expect(itemsOf(reader.items.slice(before), "presences")).toEqual([]);
    room.drain(reader);
    const told = itemsOf(reader.items.slice(before), "presences").flatMap(({ entries }) => entries);
    expect(told.map((entry) => entry.state)).toEqual([JSON.stringify({ name: "a4" }), undefined]);
  });

  test.each([1, 2 ** 40])("FLOW-5: credit for %i bytes more than was sent closes with 4400", (more) => {
    const room = createHarness();
    const peer = room.join();
    peer.send(frameOf({ type: "credit", bytes: peer.sentBytes + more }));
    expect(peer.closed).toEqual({ code: 4400, reason: "protocol/malformed-frame" });
  });

  test("FLOW-5: credit that falls behind what was said is ignored", () => {
    const room = createHarness();
    const writer = createBulkWriter(room);
    const reader = room.join();
    writer.write(100 * kilobyte, 5);
    reader.credit();
    reader.send(frameOf({ type: "credit", bytes: 0 }));
    writer.write(100 * kilobyte, 8);
    expect(updatesOf(reader)).toHaveLength(13);
    expect(reader.closed).toBeUndefined();
  });
});

describe("the budget of a room", () => {
  test("FLOW-6: a hundred MiB and hundreds of readers that take nothing: what is in flight stays within the budget and a frame", () => {
    const rows = 1_600;
    const room = createHarness(storageOf({ rows, bytes: 64 * kilobyte }), {
      keep: false,
      limits: { connectionsPerPrincipal: 1_000 },
    });
    const peers = Array.from({ length: 400 }, (_, number) =>
      room.join(undefined, undefined, grantOf(`principal-${number % 8}`)),
    );
    const inFlight = () => peers.reduce((sum, peer) => sum + peer.sentBytes, 0);
    for (let round = 0; round < 50; round++) {
      room.clock.advance(1);
      expect(inFlight()).toBeLessThanOrEqual(budgetBytes + maxFrameBytes);
    }
    expect(inFlight()).toBeGreaterThan(budgetBytes / 3);
    // Those who take what they are sent get all of it, although the others hold the budget.
    const [slow, ...others] = peers;
    for (const peer of others) peer.leave();
    room.drain(slow as Peer);
    expect(slow?.sentBytes).toBeGreaterThan(rows * 64 * kilobyte);
  });

  test("FLOW-7: whoever takes what it is sent is told live, although the others hold the budget", () => {
    const room = createHarness(storageOf({ rows: 200, bytes: 64 * kilobyte }), {
      limits: { connectionsPerPrincipal: 1_000 },
    });
    const writer = room.join("", 200, grantOf("writer"));
    const { epoch } = itemsOf(writer.items, "welcome")[0] ?? { epoch: "" };
    const reader = room.join(epoch, 200);
    for (let peer = 0; peer < 100; peer++) room.join();
    room.clock.advance(10);
    const idle = reader.items.length;
    for (const update of pageUpdates(7, Array.from({ length: 50 }, String))) {
      writer.send(updateFrame(pageOf(7, "writer.planner.x7"), [update]));
      room.clock.advance(1);
      writer.credit();
      reader.credit();
    }
    expect(itemsOf(reader.items.slice(idle), "update")).toHaveLength(50);
  });

  test("FLOW-8: who asks on and takes nothing is closed with 4529, and nobody is for what others signal", () => {
    const room = createHarness(undefined, { keep: false, limits: { messagesPerSecond: 1_000_000 } });
    const [deaf, loud] = [room.join(), room.join()];
    for (let round = 0; round < 300; round++) {
      loud.send(frameOf({ type: "signal", to: 0, bytes: new Uint8Array(16 * kilobyte) }));
    }
    expect(deaf.sentBytes).toBeGreaterThan(windowBytes);
    expect(deaf.sentBytes).toBeLessThan(3 * windowBytes);
    expect(deaf.closed).toBeUndefined();
    deaf.send(frameOf({ type: "ping" }));
    expect(deaf.closed).toEqual({ code: 4529, reason: "edge/rate-limited" });
  });

  test.each([true, false])(
    "FLOW-9: a reader that owes for a minute what others wait for is closed with 4529 (alarm: %s)",
    (alarm) => {
      const room = createHarness(undefined, { alarm });
      const writer = createBulkWriter(room);
      const [silent, slow] = [room.join(), room.join()];
      writer.write(100 * kilobyte, 20);
      for (let taken = 0; taken < 3; taken++) {
        room.elapse(25_000);
        slow.send(frameOf({ type: "credit", bytes: (taken + 1) * 1_000 }));
      }
      room.elapse(59_000);
      expect(silent.closed).toEqual({ code: 4529, reason: "edge/rate-limited" });
      expect(slow.closed).toBeUndefined();
      expect(writer.peer.closed).toBeUndefined();
    },
  );

  test("FLOW-10: a room at rest runs no timer and has no alarm, whatever its readers owe", () => {
    const room = createHarness(undefined, { alarm: true });
    const writer = createBulkWriter(room);
    room.join();
    writer.write(10, 5);
    room.clock.advance(100);
    expect([room.clock.waiting, room.alarmAt]).toEqual([0, undefined]);
    writer.write(100 * kilobyte, 20);
    room.clock.advance(100);
    expect(room.clock.waiting).toBe(0);
    expect(room.alarmAt).toBeDefined();
  });
});

describe("joins", () => {
  test("JOIN-1: a join is welcomed at once, reads at its own pace, and has joined once it has caught up", () => {
    const room = createHarness(storageOf({ rows: 100, bytes: 50 * kilobyte }));
    const joiner = room.join();
    expect(joiner.items.slice(0, 2).map(({ type }) => type)).toEqual(["welcome", "granted"]);
    expect(itemsOf(joiner.items, "joined")).toEqual([]);
    expect(joiner.sentBytes).toBeLessThan(windowBytes + 300 * kilobyte);
    const writer = room.join("", 0);
    room.drain(writer);
    writer.send(updateFrame(pageOf(7), pageUpdates(7, ["live"])));
    room.drain(joiner);
    expect(updatesOf(joiner)).toHaveLength(101);
    expect(joiner.items.slice(-3).map(({ type }) => type)).toEqual(["cursor", "joined", "presences"]);
    expect(cursorsOf(joiner).at(-1)).toBe(101);
  });

  test("JOIN-2: a storm takes turns: everybody has a part before anybody has all, and the room goes on meanwhile", () => {
    const rows = 40;
    let read = 0;
    const room = createHarness(storageOf({ rows, bytes: 32 * kilobyte, onRead: () => void read++ }));
    const writer = room.join("", 0);
    room.drain(writer);
    read = 0;
    const peers = Array.from({ length: 50 }, () => room.join());
    // One join alone reads more than this: work is bounded each turn.
    expect(read).toBeLessThan(50 * rows);
    const before = read;
    writer.send(updateFrame(pageOf(7), pageUpdates(7, ["meanwhile"])));
    expect(itemsOf(writer.items, "acknowledge")).toHaveLength(1);
    expect(read - before).toBeLessThan(10);
    room.drain(...peers);
    for (const peer of peers) {
      expect(updatesOf(peer)).toHaveLength(rows + 1);
      expect(itemsOf(peer.items, "joined")).toHaveLength(1);
    }
  });

  test("JOIN-3: a cursor is told only after the last piece of its sequence", () => {
    const room = createHarness(storageOf({ rows: 2, bytes: 200 * kilobyte, pieces: 5 }));
    const joiner = room.join();
    room.drain(joiner);
    expect(updatesOf(joiner)).toHaveLength(10);
    let told = 0;
    for (const item of joiner.items) {
      if (item.type === "update") told++;
      if (item.type === "cursor") expect(told).toBe(item.sequence * 5);
    }
    expect(cursorsOf(joiner)).toEqual(expect.arrayContaining([1, 2]));
  });

  test("JOIN-4: what was compacted while a reader lagged is in what it reads next", () => {
    const storage = createInMemoryStorage();
    const room = createHarness(storage);
    const writer = createBulkWriter(room);
    writer.write(100 * kilobyte, 15);
    const joiner = room.join();
    const told = cursorsOf(joiner).at(-1) ?? 0;
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThan(15);
    const snapshot = partOf(1, 300 * kilobyte);
    storage.commit({
      removeRows: [{ document: 1, upTo: 15 }],
      rows: [0, 1, 2].map((piece) => ({ sequence: 15, piece, document: 1, parts: snapshot })),
    });
    const before = updatesOf(joiner).length;
    room.drain(joiner);
    expect(updatesOf(joiner)).toHaveLength(before + 3);
    expect(cursorsOf(joiner).at(-1)).toBe(15);
    expect(itemsOf(joiner.items, "joined")).toHaveLength(1);
  });

  test("JOIN-5: a principal that joins again and again is sent its first windows at a rate", () => {
    const limits = { bytesOutPerSecond: 200 * kilobyte, connectionsPerPrincipal: 1_000, connections: 1_000 };
    const room = createHarness(storageOf({ rows: 20, bytes: 50 * kilobyte }), { limits, keep: false });
    let sent = 0;
    for (let round = 0; round < 20; round++) {
      const peer = room.join(undefined, undefined, grantOf("mallory"));
      room.clock.advance(10);
      peer.leave();
      sent += peer.sentBytes;
    }
    expect(sent).toBeLessThan(4 * 1_000 * kilobyte);
    const other = room.join(undefined, undefined, grantOf("alice"));
    room.drain(other);
    expect(other.sentBytes).toBeGreaterThan(1_000 * kilobyte);
  });
});

describe("stock clients", () => {
  const step1 = encodeDocumentMessage({ type: "step1", stateVector: new Uint8Array([0]) });
  const answered = encodeDocumentMessage({ type: "step2", update: emptyUpdate });

  /** Whether a message asks for sync step 2. */
  const isQuestion = (bytes: Uint8Array) => bytes[0] === 0 && bytes[1] === 0;

  /** Answers every question that was not answered yet, as y-websocket does. */
  function answerAll(room: Harness, peer: Peer): void {
    for (let seen = 0; seen < peer.raw.length; seen++) {
      if (isQuestion(peer.raw[seen] as Uint8Array)) peer.send(answered);
      room.clock.advance(0);
    }
  }

  test("STOCK-15: a stock client is asked how far it has read, and is sent the rest when it answers", () => {
    const room = createHarness(storageOf({ rows: 100, bytes: 50 * kilobyte }));
    const stock = room.connect("shared");
    stock.send(answered);
    stock.send(step1);
    expect(stock.sentBytes).toBeLessThan(windowBytes + 300 * kilobyte);
    const head = room.storage.head();
    answerAll(room, stock);
    expect(stock.sentBytes).toBeGreaterThan(100 * 50 * kilobyte);
    expect(stock.raw.filter(isQuestion).length).toBeGreaterThan(10);
    expect(room.storage.head()).toBe(head);
  });

  test("STOCK-16: one that does not read is sent no more than its window, live updates included", () => {
    const room = createHarness();
    const writer = createBulkWriter(room);
    const stock = room.connect("shared");
    stock.send(step1);
    writer.write(100 * kilobyte, 30);
    expect(stock.sentBytes).toBeLessThan(windowBytes + 300 * kilobyte);
    answerAll(room, stock);
    expect(stock.sentBytes).toBeGreaterThan(30 * 100 * kilobyte);
  });

  test("STOCK-17: what a client has that the relay lacks is taken from any answer", () => {
    const room = createHarness(storageOf({ rows: 100, bytes: 50 * kilobyte }));
    const stock = room.connect("shared");
    stock.send(answered);
    stock.send(step1);
    const source = editedDocument(77);
    source.doc.getText("t").insert(0, "x");
    stock.send(encodeDocumentMessage({ type: "step2", update: source.take()[0] as Uint8Array }));
    expect(room.storage.head()).toBe(101);
  });

  test("STOCK-18: a flood of one-byte questions costs the rate of its principal at most (THREATS 17)", () => {
    const limits = { bytesOutPerSecond: 100 * kilobyte, messagesPerSecond: 1_000_000 };
    const room = createHarness(storageOf({ rows: 20, bytes: 50 * kilobyte }), { limits, keep: false });
    let sent = 0;
    for (let round = 0; round < 100; round++) {
      const stock = room.connect("shared", grantOf("mallory"));
      for (let flood = 0; flood < 100; flood++) stock.send(step1);
      stock.leave();
      sent += stock.sentBytes;
    }
    // Ten seconds' worth and what passes whole, where plain rows would be a hundred times a thousand kB.
    expect(sent).toBeLessThan(2_000 * kilobyte);
  });

  test("STOCK-18: a flood for clocks on a room socket ends with 4529", () => {
    const limits = { bytesOutPerSecond: 100, messagesPerSecond: 1_000_000 };
    const room = createHarness(undefined, { limits });
    const peer = room.join();
    const source = Array.from({ length: 40 }, (_, client) => editedDocument(1_000 + client));
    for (const { doc, take } of source) {
      doc.getText("t").insert(0, "x");
      peer.send(updateFrame("shared", take()));
      room.clock.advance(1);
      peer.credit();
    }
    let asked = 0;
    const ask = frameOf(
      { type: "name", channel: 1, name: "shared" },
      { channel: 1, message: { type: "step1", stateVector: new Uint8Array([0]) } },
    );
    for (; asked < 1_000 && !peer.closed; asked++) {
      peer.send(ask);
      peer.credit();
    }
    expect(peer.closed).toEqual({ code: 4529, reason: "edge/rate-limited" });
    expect(asked).toBeLessThan(20);
  });
});

describe("sleep", () => {
  test("SLEEP-1: a reader that lags goes on where it was, without a join", () => {
    const room = createHarness();
    const writer = createBulkWriter(room);
    const reader = room.join();
    writer.write(100 * kilobyte, 30);
    const told = updatesOf(reader).length;
    room.wake();
    const atWake = reader.sentBytes;
    reader.credit();
    expect(reader.sentBytes - atWake).toBeLessThan(windowBytes + 300 * kilobyte);
    room.drain(reader);
    expect(updatesOf(reader).length).toBeGreaterThanOrEqual(30);
    expect(updatesOf(reader).length).toBeLessThanOrEqual(30 + told);
    expect(new Set(updatesOf(reader).map(String)).size).toBe(30);
    expect(itemsOf(reader.items, "joined")).toHaveLength(1);
    expect(cursorsOf(reader).at(-1)).toBe(30);
    writer.write(10);
    expect(cursorsOf(reader).at(-1)).toBe(31);
  });

  test("SLEEP-2: a joiner that was reading when the room fell asleep is told `joined` once, and everybody's presence", () => {
    const room = createHarness();
    const writer = createBulkWriter(room);
    writer.peer.send(frameOf({ type: "presence", state: JSON.stringify({ name: "w" }) }));
    room.clock.advance(100);
    writer.write(100 * kilobyte, 30);
    const joiner = room.join();
    room.wake();
    room.drain(joiner);
    expect(itemsOf(joiner.items, "joined")).toHaveLength(1);
    expect(itemsOf(joiner.items, "presences").flatMap(({ entries }) => entries)).toHaveLength(1);
    expect(new Set(updatesOf(joiner).map(String)).size).toBe(30);
  });

  test("SLEEP-3: presence that was held back is told after a sleep", () => {
    const room = createHarness();
    const writer = createBulkWriter(room);
    const reader = room.join();
    writer.write(100 * kilobyte, 20);
    writer.peer.send(frameOf({ type: "presence", state: JSON.stringify({ name: "w" }) }));
    room.clock.advance(100);
    expect(itemsOf(reader.items, "presences").flatMap(({ entries }) => entries)).toEqual([]);
    room.wake();
    room.drain(reader);
    expect(itemsOf(reader.items, "presences").flatMap(({ entries }) => entries)).toMatchObject([
      { clock: 1 },
    ]);
  });

  test("SLEEP-4: a lagging reader that leaves while the room sleeps is gone", () => {
    const room = createHarness(undefined, { alarm: true });
    const writer = createBulkWriter(room);
    const reader = room.join();
    writer.write(100 * kilobyte, 20);
    reader.vanish();
    room.wake();
    room.core.drop(reader.socket);
    const sent = reader.sentBytes;
    writer.write(10);
    expect(reader.sentBytes).toBe(sent);
  });

  test("SLEEP-5: an update before the sleep and its mark after it are acknowledged", () => {
    const room = createHarness();
    const writer = room.join();
    room.crowd();
    writer.send(updateFrame(pageOf(7), pageUpdates(7, ["lost in the sleep"])));
    expect(itemsOf(writer.items, "acknowledge")).toEqual([]);
    room.wake();
    // Nothing staged outlives the core: what was not acknowledged is sent again, as after a crash.
    writer.send(updateFrame(pageOf(7), pageUpdates(7, ["lost in the sleep"]), 2));
    expect(itemsOf(writer.items, "acknowledge").map(({ number }) => number)).toEqual([2]);
    expect(room.join().items.filter(({ type }) => type === "update").length).toBeGreaterThan(0);
  });

  test("SLEEP-6: after a sleep any credit is taken for what it says", () => {
    const room = createHarness();
    const writer = createBulkWriter(room);
    const reader = room.join();
    writer.write(100 * kilobyte, 8);
    room.wake();
    reader.credit();
    reader.send(frameOf({ type: "credit", bytes: 2 ** 40 }));
    expect(reader.closed).toBeUndefined();
    // It has spoilt only its own account.
    writer.write(100 * kilobyte, 30);
    expect(updatesOf(reader).length).toBeLessThan(38);
  });

  test("SLEEP-10: a sleep forgives nothing: whoever takes nothing is sent no more at each wake, and is closed in time", () => {
    const room = createHarness(undefined, { alarm: true });
    const writer = createBulkWriter(room);
    const dead = room.join();
    writer.write(100 * kilobyte, 30);
    const before = dead.sentBytes;
    for (let waking = 0; waking < 10 && !dead.closed; waking++) {
      room.wake();
      room.elapse(20_000);
      if (dead.closed) break;
      writer.peer.send(frameOf({ type: "ping" }));
      writer.peer.credit();
    }
    expect(dead.sentBytes - before).toBeLessThan(kilobyte);
    expect(dead.closed).toEqual({ code: closeCodes.overloaded, reason: "edge/rate-limited" });
  });

  test("SLEEP-10: a joiner that others keep waiting is served once they are closed, however often the room sleeps", () => {
    const room = createHarness(undefined, { alarm: true });
    const writer = createBulkWriter(room);
    writer.write(100 * kilobyte, 20);
    for (let hog = 0; hog < 40; hog++) room.join(undefined, undefined, grantOf(`hog${hog}`));
    room.clock.advance(5_000);
    const joiner = room.join(undefined, undefined, grantOf("honest"));
    for (let waking = 0; waking < 20; waking++) {
      room.wake();
      room.elapse(20_000);
      joiner.send(frameOf({ type: "ping" }));
      joiner.credit();
    }
    room.drain(joiner);
    expect(itemsOf(joiner.items, "joined")).toHaveLength(1);
  });

  test("SLEEP-7: a stock client that lags goes on after a sleep, and is synced once", () => {
    const room = createHarness();
    const writer = createBulkWriter(room);
    writer.write(100 * kilobyte, 30);
    const stock = room.connect("shared");
    stock.send(encodeDocumentMessage({ type: "step1", stateVector: new Uint8Array([0]) }));
    room.wake();
    for (let round = 0; round < 20; round++) {
      stock.send(encodeDocumentMessage({ type: "step2", update: emptyUpdate }));
      room.clock.advance(1);
    }
    expect(stock.sentBytes).toBeGreaterThan(30 * 100 * kilobyte);
    const synced = stock.raw.filter((bytes) => bytes[0] === 0 && bytes[1] === 1);
    expect(synced).toHaveLength(1);
  });
});

test("FLOW-11: the control: a join that is not paced would send the whole room at once", () => {
  const room = createHarness(storageOf({ rows: 100, bytes: 50 * kilobyte }), { keep: false });
  const joiner = room.connect();
  joiner.send(joinFrame());
  const first = joiner.sentBytes;
  room.drain(joiner);
  expect(joiner.sentBytes).toBeGreaterThan(3 * first);
});
