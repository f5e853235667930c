import { afterEach, describe, expect, test, vi } from "vitest";
import { Awareness, encodeAwarenessUpdate } from "y-protocols/awareness";
import * as Y from "yjs";
import { openPresence } from "../../src/crdt/presence.ts";
import { createSignals, type Signal } from "../../src/crdt/signals.ts";
import { defaultRoomLimits } from "../../src/edge/index.ts";
import { encodeAwareness } from "../../src/edge/room/sockets/awareness.ts";
import { encodeDocumentMessage, encodeSignal, maxPresenceBytes } from "../../src/protocol/index.ts";
import { itemsOf } from "../edge-core/wire.ts";
import { createManualClock } from "../refstore/manual-clock.ts";
import { type Attacker, openThreatRoom, type ThreatRoom, target } from "./threat-room.ts";

let room: ThreatRoom | undefined;

afterEach(() => {
  room?.close();
  room = undefined;
});

/** What a reader was told of presence, last word by id. */
function board(reader: Attacker): Map<number, string | undefined> {
  return new Map(
    itemsOf(reader.items, "presences")
      .flatMap(({ entries }) => entries)
      .map(({ id, state }) => [id, state]),
  );
}

function idOf(attacker: Attacker): number {
  return itemsOf(attacker.items, "welcome")[0]?.presence ?? 0;
}

type AwarenessState = readonly [client: number, clock: number, state: string];

const awarenessOf = (states: readonly AwarenessState[]): Uint8Array =>
  encodeDocumentMessage({
    type: "awareness",
    update: encodeAwareness(states.map(([client, clock, state]) => ({ client, clock, state }))),
  });
const awareness = (...states: AwarenessState[]): Uint8Array => awarenessOf(states);

describe("presence", () => {
  test("THREAT-16 at the relay: a stock client speaks for nobody but itself, with any clock", () => {
    room = openThreatRoom();
    const [victim, reader] = [room.attack({ principal: "alice" }), room.attack({ principal: "bob" })];
    victim.sendFrame({ type: "presence", state: '{"name":"victim"}' });
    const mallory = room.attack({ document: target });
    mallory.send(awareness([idOf(victim), 2 ** 53 - 1, '{"name":"forged"}']));
    mallory.send(awareness([idOf(victim), 2 ** 31, "null"], [777, 2 ** 53 - 1, '{"name":"mallory"}']));
    expect(board(reader).get(idOf(victim))).toBe('{"name":"victim"}');
    victim.sendFrame({ type: "presence", state: '{"name":"still here"}' });
    expect(board(reader).get(idOf(victim))).toBe('{"name":"still here"}');
    expect([...board(reader).values()].filter((state) => state?.includes("forged"))).toEqual([]);
    expect(room.aftermath()).toEqual([]);
  });

  test("THREAT-16 at the relay: 200,000 ids in one message are one at most", () => {
    room = openThreatRoom();
    const reader = room.attack({ principal: "bob" });
    const mallory = room.attack({ document: target });
    const before = board(reader).size;
    const many = Array.from({ length: 200_000 }, (_, id): AwarenessState => [10_000 + id, 1, "{}"]);
    mallory.send(awarenessOf(many.slice(0, 100_000)));
    expect(board(reader).size).toBe(before + 1);
    mallory.send(awarenessOf(many));
    expect(mallory.closed).toMatchObject({ code: 4413 });
    expect(room.aftermath()).toEqual([]);
  });

  test.each([
    ["no JSON", "{"],
    ["no object", "[1]"],
    ["a prototype", '{"__proto__":{"isAdmin":true}}'],
    ["more than its share", JSON.stringify({ x: "x".repeat(maxPresenceBytes) })],
  ])("THREAT-16 at the relay: a state that is %s reaches nobody, and its sender is closed", (_, state) => {
    room = openThreatRoom();
    const reader = room.attack({ principal: "bob" });
    for (const document of [undefined, target]) {
      const mallory = document === undefined ? room.attack() : room.attack({ document });
      const before = board(reader).size;
      if (document === undefined) mallory.sendFrame({ type: "presence", state });
      else mallory.send(awareness([777, 1, state]));
      expect([4400, 4413]).toContain(mallory.closed?.code);
      expect(board(reader).size).toBe(before);
    }
    expect(room.aftermath()).toEqual([]);
  });

  test("THREAT-16 at the relay: a flood of changes is told ten times a second at most, as it last was", () => {
    room = openThreatRoom();
    const [reader, mallory] = [room.attack({ principal: "bob" }), room.attack()];
    const before = itemsOf(reader.items, "presences").length;
    const start = room.network.now();
    for (let change = 0; change < 1_000; change++) {
      mallory.sendFrame({ type: "presence", state: `{"change":${change}}` });
    }
    room.network.advance(1_000);
    const seconds = (room.network.now() - start) / 1_000;
    const told = itemsOf(reader.items, "presences").length - before;
    expect(told).toBeLessThanOrEqual(Math.ceil(seconds * 10) + 1);
    expect(board(reader).get(idOf(mallory))).toBe('{"change":999}');
    expect(room.aftermath()).toEqual([]);
  });

  test("THREAT-16 at the relay: nobody passes for a writer of another, so nobody speaks or is answered as one", () => {
    room = openThreatRoom();
    const [victim, reader] = [room.attack({ principal: "alice" }), room.attack({ principal: "bob" })];
    const claim = (writer: string, session: string) =>
      JSON.stringify({ session, writers: [writer], awareness: null });
    const honest = claim("alice.planner.x7", "abcdefghijk");
    victim.sendFrame({ type: "presence", state: honest });
    const mallory = room.attack();
    mallory.sendFrame({ type: "presence", state: claim("alice.planner.x7", "lmnopqrstuv") });
    mallory.sendFrame({ type: "presence", state: honest });
    expect(itemsOf(mallory.items, "refuse")).toMatchObject([
      { channel: 0, code: "edge/forbidden" },
      { channel: 0, code: "edge/forbidden" },
    ]);
    const stock = room.attack({ document: target });
    stock.send(awareness([777, 1, honest]));
    expect(stock.closed).toEqual({ code: 4403, reason: "edge/forbidden" });
    const speakers = [...board(reader)].filter(([, state]) => state?.includes("alice.planner.x7"));
    expect(speakers).toEqual([[idOf(victim), honest]]);
    expect(room.aftermath()).toEqual([]);
  });

  test("THREAT-16 at the relay: a flood of signals is lost to its sender, and nobody else is held up", () => {
    room = openThreatRoom({ limits: { ...defaultRoomLimits, signalsPerSecond: 5 } });
    const [alice, reader] = [room.attack({ principal: "alice" }), room.attack({ principal: "bob" })];
    const mallory = room.attack();
    const many = Array.from({ length: 2_000 }, () => ({
      type: "signal" as const,
      to: idOf(reader),
      bytes: Uint8Array.of(1),
    }));
    mallory.sendFrame(...many);
    alice.sendFrame({ type: "signal", to: idOf(reader), bytes: Uint8Array.of(2) });
    const heard = itemsOf(reader.items, "signalled");
    expect(heard.length).toBeLessThan(60);
    expect(heard.at(-1)).toEqual({ type: "signalled", from: idOf(alice), bytes: Uint8Array.of(2) });
    expect([mallory.closed, reader.closed]).toEqual([undefined, undefined]);
    expect(room.aftermath()).toEqual([]);
  });

  test("THREAT-16 in clients: nobody is heard as a writer of another", () => {
    const mine = "alice.planner.x7";
    const presence = openPresence({
      session: "abcdefghijk",
      clock: createManualClock(),
      announce: () => undefined,
    });
    const signals = createSignals({
      presence,
      link: undefined,
      tabs: () => undefined,
      isHere: (writer) => writer === mine,
    });
    const heard: Signal[] = [];
    signals.received.on((signal) => heard.push(signal));
    const state = (writer: string) =>
      JSON.stringify({ session: "lmnopqrstuv", writers: [writer], awareness: {} });
    presence.heardRelay([
      { id: 1, clock: 1, state: state("bob.critic.y8") },
      { id: 2, clock: 1, state: state("mallory.agent.z9") },
    ]);
    const forged = encodeSignal({ from: "bob.critic.y8", to: mine, body: "forged" }) as Uint8Array;
    signals.heardRelay(2, forged);
    signals.heardRelay(3, forged);
    signals.heardTab("lmnopqrstuv", forged);
    for (let length = 0; length < forged.length; length++) signals.heardRelay(1, forged.slice(0, length));
    expect(heard).toEqual([]);
    signals.heardRelay(1, encodeSignal({ from: "bob.critic.y8", to: mine, body: "honest" }) as Uint8Array);
    expect(heard.map(({ body }) => body)).toEqual(["honest"]);
    presence.close();
  });

  test("THREAT-16 in clients: what is no state of a replica is shown as nothing, or as plain data", () => {
    const presence = openPresence({
      session: "abcdefghijk",
      clock: createManualClock(),
      announce: () => undefined,
    });
    const states = [
      "{",
      "[1]",
      "null",
      '{"__proto__":{"isAdmin":true}}',
      '{"session":7}',
      JSON.stringify({ session: "abcdefghijk", writers: ["mine"], awareness: { forged: true } }),
      JSON.stringify({ session: "lmnopqrstuv", writers: "x", awareness: {} }),
    ];
    presence.heardRelay(states.map((state, index) => ({ id: index + 1, clock: 2 ** 53 - 1, state })));
    expect(presence.others.get()).toEqual([]);
    for (const state of presence.awareness.getStates().values()) {
      expect((state as { isAdmin?: boolean }).isAdmin).toBeUndefined();
      expect((state as { forged?: boolean }).forged).toBeUndefined();
    }
    const honest = { session: "lmnopqrstuv", writers: [], awareness: { cursor: 1 } };
    presence.heardRelay([{ id: 1, clock: 1, state: JSON.stringify(honest) }]);
    expect(presence.others.get()).toEqual([honest]);
    presence.close();
  });

  test("THREAT-16 control: y-protocols takes a forged clock, and the victim is locked out", () => {
    vi.useFakeTimers();
    const [victim, peer] = [new Awareness(new Y.Doc()), new Awareness(new Y.Doc())];
    const id = victim.clientID;
    expect(encodeAwarenessUpdate(victim, [id]).length).toBeGreaterThan(0);
    peer.meta.set(id, { clock: 2 ** 53 - 1, lastUpdated: 0 });
    victim.setLocalState({ name: "victim" });
    expect(peer.states.has(id)).toBe(false);
    for (const each of [victim, peer]) each.destroy();
    vi.useRealTimers();
  });
});

describe("small questions with large answers", () => {
  const bytesOf = ({ raw }: Attacker): number => raw.reduce((sum, { length }) => sum + length, 0);
  const ask = encodeDocumentMessage({ type: "step1", stateVector: Uint8Array.of(0) });

  /** A document of about a megabyte. */
  function fill(threat: ThreatRoom): number {
    const { doc } = threat.members[1] as ThreatRoom["members"][number];
    for (let index = 0; index < 10; index++) doc.getMap("m").set(`big${index}`, "x".repeat(100_000));
    threat.members[1]?.flush();
    threat.network.settle();
    return 1_000_000;
  }

  test("THREAT-17 at the relay: a stock client is sent the rows once a connection, however often it asks", () => {
    room = openThreatRoom();
    const size = fill(room);
    const mallory = room.attack({ document: target });
    for (let request = 0; request < 100; request++) mallory.send(ask);
    expect(bytesOf(mallory)).toBeGreaterThan(size);
    expect(bytesOf(mallory)).toBeLessThan(size * 1.2);
    expect(room.aftermath()).toEqual([]);
  });

  test("THREAT-17 at the relay: a room socket's questions are answered with clocks alone, once a turn", () => {
    room = openThreatRoom();
    const size = fill(room);
    const mallory = room.attack();
    const joined = bytesOf(mallory);
    const question = { channel: 900, message: { type: "step1" as const, stateVector: Uint8Array.of(0) } };
    for (let request = 0; request < 100; request++) {
      mallory.sendFrame({ type: "name", channel: 900, name: target }, question, question, question);
    }
    expect(bytesOf(mallory) - joined).toBeLessThan(size / 10);
    expect(room.aftermath()).toEqual([]);
  });

  test("THREAT-17 at the relay: two hundred sockets that join and take nothing hold up nobody else", () => {
    room = openThreatRoom();
    fill(room);
    const mallories = Array.from({ length: 200 }, () => room?.attack());
    expect(
      mallories.filter((each) => each && itemsOf(each.items, "joined").length > 0).length,
    ).toBeGreaterThan(0);
    expect(
      mallories.filter((each) => each && itemsOf(each.items, "joined").length === 0).length,
    ).toBeGreaterThan(0);
    expect(mallories.filter((each) => each?.closed)).toEqual([]);
    const start = room.network.now();
    expect(room.aftermath()).toEqual([]);
    // Not by closing them, which takes a minute.
    expect(room.network.now() - start).toBeLessThan(30_000);
    expect(mallories.filter((each) => each?.closed)).toEqual([]);
  });

  test("THREAT-17 at the relay: joining again and again is served at a rate, and others go on", () => {
    const bytesOutPerSecond = 1_000_000;
    room = openThreatRoom({ limits: { ...defaultRoomLimits, bytesOutPerSecond } });
    const size = fill(room);
    const start = room.network.now();
    const rounds = 400;
    let sent = 0;
    for (let round = 0; round < rounds; round++) {
      const mallory = room.attack(round % 2 === 0 ? {} : { document: target });
      if (round % 2 === 1) mallory.send(ask);
      sent += bytesOf(mallory);
      mallory.leave();
    }
    const seconds = 10 + (room.network.now() - start) / 1_000;
    expect(sent).toBeLessThan((seconds + 1) * bytesOutPerSecond + size);
    expect(sent).toBeLessThan((rounds * size) / 2);
    expect(room.aftermath()).toEqual([]);
  });
});
