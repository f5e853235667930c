import * as decoding from "lib0/decoding";
import { describe, expect, test } from "vitest";
import { encodeAwareness } from "../../src/edge/room/sockets/awareness.ts";
import { decodeDocumentMessage, encodeDocumentMessage, maxPresenceBytes } from "../../src/protocol/index.ts";
import { createHarness, type Peer } from "./room-harness.ts";
import { frameOf, itemsOf } from "./wire.ts";

const state = (name: string) => JSON.stringify({ name });

function entriesOf(peer: Peer) {
  return itemsOf(peer.items, "presences").flatMap(({ entries }) => entries);
}

function idOf(peer: Peer): number {
  return itemsOf(peer.items, "welcome")[0]?.presence ?? 0;
}

function announce(peer: Peer, name: string): void {
  peer.send(frameOf({ type: "presence", state: state(name) }));
}

/** What a stock client was told, one list of entries for each awareness message. */
function awarenessOf(peer: Peer): [client: number, clock: number, state: string][][] {
  return peer.raw.flatMap((bytes) => {
    const message = decodeDocumentMessage(bytes);
    if (message.type !== "awareness") return [];
    const decoder = decoding.createDecoder(message.update);
    return [
      Array.from({ length: decoding.readVarUint(decoder) }, (): [number, number, string] => [
        decoding.readVarUint(decoder),
        decoding.readVarUint(decoder),
        decoding.readVarString(decoder),
      ]),
    ];
  });
}

function announceStock(peer: Peer, ...entries: [client: number, clock: number, state: string][]): void {
  const states = entries.map(([client, clock, text]) => ({ client, clock, state: text }));
  peer.send(encodeDocumentMessage({ type: "awareness", update: encodeAwareness(states) }));
}

describe("room sockets", () => {
  test("PRES-4: changes within a few tens of milliseconds are told once, as they last were", () => {
    const room = createHarness();
    const [a, b, reader] = [room.join(), room.join(), room.join()];
    const before = reader.frames.length;
    for (let round = 0; round < 10; round++) announce(a, `a${round}`);
    announce(b, "b");
    expect(reader.frames.length).toBe(before);
    room.clock.advance(60);
    expect(reader.frames.length).toBe(before + 1);
    expect(entriesOf(reader)).toEqual([
      { id: idOf(a), clock: 10, state: state("a9") },
      { id: idOf(b), clock: 1, state: state("b") },
    ]);
    expect(entriesOf(a)).toEqual([{ id: idOf(b), clock: 1, state: state("b") }]);
    expect(room.clock.waiting).toBe(0);
  });

  test("PRES-5: a departure is told at once, and only where there was a state", () => {
    const room = createHarness();
    const [a, silent, reader] = [room.join(), room.join(), room.join()];
    announce(a, "a");
    room.clock.advance(60);
    silent.leave();
    const before = reader.items.length;
    a.leave();
    expect(reader.items.slice(before)).toEqual([
      { type: "presences", entries: [{ id: idOf(a), clock: 2, state: undefined }] },
    ]);
  });

  test("PRES-6: a state that is withdrawn is gone for others and for joiners", () => {
    const room = createHarness();
    const [a, reader] = [room.join(), room.join()];
    announce(a, "a");
    room.clock.advance(60);
    a.send(frameOf({ type: "presence", state: undefined }));
    room.clock.advance(60);
    expect(entriesOf(reader).at(-1)).toEqual({ id: idOf(a), clock: 2, state: undefined });
    expect(entriesOf(room.join())).toEqual([]);
  });

  test("PRES-7: a close that wakes the room still removes exactly that one", () => {
    const room = createHarness();
    const [a, b, reader] = [room.join(), room.join(), room.join()];
    announce(a, "a");
    announce(b, "b");
    room.clock.advance(60);
    a.vanish();
    room.wake();
    const before = reader.items.length;
    room.core.drop(a.socket);
    expect(reader.items.slice(before)).toEqual([
      { type: "presences", entries: [{ id: idOf(a), clock: 2, state: undefined }] },
    ]);
    room.core.drop(a.socket);
    expect(reader.items.length).toBe(before + 1);
    expect(entriesOf(room.join()).map((entry) => entry.state)).toEqual([state("b")]);
  });

  test("PRES-8: an id is never given twice, not even after a sleep", () => {
    const room = createHarness();
    const ids = new Set<number>();
    for (let round = 0; round < 200; round++) {
      const peer = room.join();
      ids.add(idOf(peer));
      peer.leave();
      if (round % 50 === 49) room.wake();
    }
    expect(ids.size).toBe(200);
    expect(Math.max(...ids)).toBeLessThan(2 ** 31);
  });

  test("PRES-9: states of the limit itself are told, in several frames where one cannot hold them", () => {
    const room = createHarness();
    const text = JSON.stringify({ x: "x".repeat(maxPresenceBytes - 8) });
    expect(text).toHaveLength(maxPresenceBytes);
    const peers = Array.from({ length: 100 }, () => room.join());
    for (const peer of peers) peer.send(frameOf({ type: "presence", state: text }));
    room.clock.advance(60);
    const reader = room.join();
    room.drain(...peers, reader);
    expect(entriesOf(reader)).toHaveLength(100);
    expect(reader.raw.length).toBeGreaterThan(1);
  });

  test("PRES-10: a __proto__ key in a state is refused", () => {
    const room = createHarness();
    const [bad, reader] = [room.join(), room.join()];
    bad.send(frameOf({ type: "presence", state: '{"__proto__":{"isAdmin":true}}' }));
    room.clock.advance(60);
    expect(bad.closed?.code).toBe(4400);
    expect(entriesOf(reader)).toEqual([]);
  });
});

describe("crowds", () => {
  const crowd = (room: ReturnType<typeof createHarness>, size: number) =>
    Array.from({ length: size }, () => room.join());

  test("PRES-11: N clients that change within a window cost each reader one frame", () => {
    const room = createHarness();
    const peers = crowd(room, 60);
    const before = peers.map(({ raw }) => raw.length);
    for (const [index, peer] of peers.entries()) announce(peer, String(index));
    room.clock.advance(60);
    expect(peers.map(({ raw }, index) => raw.length - (before[index] ?? 0))).toEqual(peers.map(() => 1));
    for (const peer of peers) expect(entriesOf(peer)).toHaveLength(59);
  });

  test("PRES-12: the first of a crowd that leaves is told at once, the others together", () => {
    const room = createHarness();
    const peers = crowd(room, 50);
    const reader = room.join();
    for (const [index, peer] of peers.entries()) announce(peer, String(index));
    room.clock.advance(60);
    const before = reader.raw.length;
    const told = entriesOf(reader).length;
    for (const peer of peers) peer.leave();
    expect(reader.raw.length - before).toBe(1);
    room.clock.advance(60);
    // More than one message of 32 entries, in one frame.
    expect(reader.raw.length - before).toBe(2);
    const gone = entriesOf(reader).slice(told);
    expect(gone).toHaveLength(50);
    expect(gone.every((entry) => entry.state === undefined)).toBe(true);
    expect(room.clock.waiting).toBe(0);
  });

  test("PRES-13: a flood of changes is told at its rate, and ends with the last", () => {
    const room = createHarness();
    const [loud, reader] = [room.join(), room.join()];
    const before = reader.raw.length;
    for (let change = 0; change < 3_000; change++) {
      announce(loud, String(change));
      room.clock.advance(10);
    }
    room.clock.advance(1_000);
    // Thirty seconds at ten a second, and ten seconds' worth at first.
    expect(reader.raw.length - before).toBeLessThan(420);
    expect(entriesOf(reader).at(-1)?.state).toBe(state("2999"));
    expect(loud.closed).toBeUndefined();
  });

  test("PRES-14: renewals of N stock clients cost each of them an answer, and nobody else hears of them", () => {
    const room = createHarness();
    const stocks = Array.from({ length: 40 }, () => room.connect("shared"));
    const ours = room.join();
    for (const [index, stock] of stocks.entries()) announceStock(stock, [700 + index, 1, state(`${index}`)]);
    room.clock.advance(100);
    const heard = ours.raw.length;
    const before = stocks.map(({ raw }) => raw.length);
    room.clock.advance(15_000);
    for (const [index, stock] of stocks.entries()) announceStock(stock, [700 + index, 2, state(`${index}`)]);
    // As y-websocket does, each sends back what it is told.
    for (const stock of stocks) announceStock(stock, ...(awarenessOf(stock).at(-1) ?? []));
    room.clock.advance(100);
    expect(stocks.map(({ raw }, index) => raw.length - (before[index] ?? 0))).toEqual(stocks.map(() => 1));
    expect(ours.raw.length).toBe(heard);
    expect(room.clock.waiting).toBe(0);
  });
});

describe("stock clients", () => {
  test("STOCK-11: only the client that a connection announced first is its own", () => {
    const room = createHarness();
    const [stock, reader] = [room.connect("shared"), room.join()];
    announceStock(stock, [777, 1, state("own")]);
    announceStock(stock, [888, 99, state("somebody else")], [777, 2, state("own again")]);
    room.clock.advance(60);
    expect(entriesOf(reader).map((entry) => entry.state)).toEqual([state("own again")]);
    announceStock(stock, [777, 3, "null"]);
    room.clock.advance(60);
    expect(entriesOf(reader).at(-1)?.state).toBeUndefined();
  });

  test("STOCK-11: what it re-sends of others is never taken for its own", () => {
    const room = createHarness();
    const other = room.join();
    announce(other, "other");
    room.clock.advance(60);
    const stock = room.connect("shared");
    const told = awarenessOf(stock).flat();
    expect(told.map(([client]) => client)).toEqual([idOf(other)]);
    announceStock(stock, ...told);
    room.clock.advance(60);
    expect(entriesOf(room.join())).toEqual([{ id: idOf(other), clock: 1, state: state("other") }]);
  });

  test("STOCK-12: others are told anew, with a later clock, before an awareness forgets them in 30 s", () => {
    const room = createHarness();
    const other = room.join();
    announce(other, "other");
    room.clock.advance(60);
    const stock = room.connect("shared");
    announceStock(stock, [777, 1, state("own")]);
    for (let renewal = 1; renewal <= 4; renewal++) {
      room.clock.advance(15_000);
      if (renewal === 3) room.wake();
      announceStock(stock, [777, 1 + renewal, state("own")]);
    }
    const told = awarenessOf(stock);
    expect(told).toHaveLength(5);
    const clocks = told.map(([entry]) => entry?.[1] ?? 0);
    expect(clocks).toEqual([...clocks].sort((a, b) => a - b));
    expect(new Set(clocks).size).toBe(5);
    expect(told.every((entries) => entries.length === 1 && entries[0]?.[2] === state("other"))).toBe(true);
    // Its own renewals are no news to the others.
    expect(entriesOf(other)).toHaveLength(1);
  });

  test("STOCK-12: a client that is alone is answered as well, or it would take the relay for dead", () => {
    const room = createHarness();
    const stock = room.connect("shared");
    announceStock(stock, [777, 1, state("own")]);
    room.clock.advance(15_000);
    const before = stock.raw.length;
    announceStock(stock, [777, 2, state("own")]);
    expect(awarenessOf(stock).at(-1)).toEqual([]);
    expect(stock.raw.length).toBe(before + 1);
  });

  test("STOCK-13: a second sync step 1 of one connection is answered with the empty step 2 alone", () => {
    const room = createHarness();
    const stock = room.connect("shared");
    const ask = encodeDocumentMessage({ type: "step1", stateVector: new Uint8Array([0]) });
    stock.send(ask);
    const before = stock.raw.length;
    stock.send(ask);
    expect(stock.raw.slice(before).map((bytes) => decodeDocumentMessage(bytes).type)).toEqual(["step2"]);
  });
});
