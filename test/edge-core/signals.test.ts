import { describe, expect, test } from "vitest";
import { encodeAwareness } from "../../src/edge/room/sockets/awareness.ts";
import { encodeDocumentMessage } from "../../src/protocol/index.ts";
import { createHarness, grantOf, type Harness, type Peer } from "./room-harness.ts";
import { frameOf, itemsOf } from "./wire.ts";

const mallory = grantOf("mallory");
const alice = grantOf("alice");
const own = "mallory.agent.x7";
const foreign = "alice.planner.x7";

const stateOf = (writers: unknown, session = "AAAAAAAAAAA") =>
  JSON.stringify({ session, writers, awareness: null });
const joinAs = (room: Harness, grant = mallory): Peer => room.join(undefined, undefined, grant);
const show = (peer: Peer, state: string) => peer.send(frameOf({ type: "presence", state }));
const signal = (to: number, value = 1) => ({ type: "signal", to, bytes: Uint8Array.of(value) }) as const;
const idOf = (peer: Peer) => itemsOf(peer.items, "welcome")[0]?.presence ?? 0;
const heardBy = (peer: Peer) => itemsOf(peer.items, "signalled").length;
const codesOf = (peer: Peer) => itemsOf(peer.items, "refuse").map(({ channel, code }) => [channel, code]);
const statesFor = (peer: Peer) =>
  itemsOf(peer.items, "presences").flatMap(({ entries }) => entries.map(({ state }) => state));

describe("whom a presence speaks for", () => {
  test("SIG-6: one that names its principal's writers is told", () => {
    const room = createHarness();
    const [peer, reader] = [joinAs(room), joinAs(room, alice)];
    show(peer, stateOf([own, "mallory.other.y8"]));
    room.clock.advance(60);
    expect(statesFor(reader)).toEqual([stateOf([own, "mallory.other.y8"])]);
    expect(codesOf(peer)).toEqual([]);
  });

  test.each<[string, string]>([
    ["another principal's writer", foreign],
    ["what is no writer", "planner"],
    ["a writer of a principal that begins alike", "mallory2.planner.x7"],
    ["nobody's writer", ""],
  ])("SIG-6: one that names %s is refused on channel 0, and what it said before holds", (_, writer) => {
    const room = createHarness();
    const [peer, reader] = [joinAs(room), joinAs(room, alice)];
    show(peer, stateOf([own]));
    room.clock.advance(60);
    show(peer, stateOf([own, writer]));
    room.clock.advance(60);
    expect(codesOf(peer)).toEqual([[0, "edge/forbidden"]]);
    expect(peer.closed).toBeUndefined();
    expect([statesFor(reader), statesFor(joinAs(room, alice))]).toEqual([[stateOf([own])], [stateOf([own])]]);
    show(peer, stateOf([]));
    room.clock.advance(60);
    expect(statesFor(reader).at(-1)).toBe(stateOf([]));
  });

  test("SIG-6: no scope lets it name others, and who keeps on is closed with 4529", () => {
    const room = createHarness();
    const administrator = joinAs(room, grantOf("root", "read write:own write:shared presence admin"));
    show(administrator, stateOf([foreign]));
    expect(codesOf(administrator)).toEqual([[0, "edge/forbidden"]]);
    for (let sent = 0; sent < 100; sent++) show(administrator, stateOf([foreign]));
    expect(administrator.closed).toEqual({ code: 4529, reason: "edge/rate-limited" });
  });

  test("SIG-6: what is no state of a replica names nobody", () => {
    const room = createHarness();
    const [peer, reader] = [joinAs(room), joinAs(room, alice)];
    const states = [
      JSON.stringify({ writers: [foreign] }),
      stateOf([foreign], "short"),
      stateOf(foreign),
      JSON.stringify({ name: foreign }),
    ];
    for (const state of states) {
      show(peer, state);
      room.clock.advance(60);
    }
    expect([statesFor(reader), codesOf(peer)]).toEqual([states, []]);
  });

  test("SIG-6: a stock client that passes for a replica of another closes with 4403, and nobody hears of it", () => {
    const room = createHarness();
    const reader = joinAs(room, alice);
    const announce = (state: string) => {
      const stock = room.connect("shared", mallory);
      const update = encodeAwareness([{ client: 70_000, clock: 1, state }]);
      stock.send(encodeDocumentMessage({ type: "awareness", update }));
      room.clock.advance(100);
      return stock.closed;
    };
    expect(announce(stateOf([foreign]))).toEqual({ code: 4403, reason: "edge/forbidden" });
    expect(statesFor(reader)).toEqual([]);
    expect(announce(JSON.stringify({ writers: [foreign] }))).toBeUndefined();
  });

  test("SIG-6: a token of another principal closes the socket, and with it what its presence named", async () => {
    const room = createHarness(undefined, { verifyToken: async (token) => grantOf(token) });
    const [peer, reader] = [joinAs(room), joinAs(room, alice)];
    show(peer, stateOf([own]));
    room.clock.advance(60);
    peer.send(frameOf({ type: "token", token: "bob" }));
    await new Promise((resume) => setImmediate(resume));
    expect(peer.closed).toEqual({ code: 4403, reason: "edge/forbidden" });
    room.clock.advance(60);
    expect(statesFor(reader)).toEqual([stateOf([own]), undefined]);
  });
});

describe("how much a principal signals", () => {
  const limits = { signalsPerSecond: 10 };

  /** Sends frames of so many signals each until so many were sent. */
  function flood(peer: Peer, to: number, { signals = 1_000, perFrame = 1 } = {}): void {
    for (let sent = 0; sent < signals; sent += perFrame) {
      peer.send(frameOf(...Array.from({ length: perFrame }, () => signal(to))));
    }
  }

  test.each([1, 500])(
    "SIG-7: past ten seconds' worth they are lost, %i to a frame, and nobody is closed",
    (perFrame) => {
      const room = createHarness(undefined, { limits });
      const [loud, reader] = [joinAs(room), joinAs(room, alice)];
      flood(loud, idOf(reader), { perFrame });
      expect(heardBy(reader)).toBe(101);
      expect([loud.closed, reader.closed]).toEqual([undefined, undefined]);
      room.clock.advance(1_000);
      flood(loud, idOf(reader), { perFrame });
      expect(heardBy(reader)).toBe(111);
    },
  );

  test("SIG-7: one to everybody counts for each who hears it, and one to nobody counts too", () => {
    const room = createHarness(undefined, { limits });
    const readers = Array.from({ length: 10 }, () => joinAs(room, alice));
    const loud = joinAs(room);
    flood(loud, 0);
    expect(readers.map(heardBy)).toEqual(readers.map(() => 11));
    const quiet = createHarness(undefined, { limits });
    const [lost, reader] = [joinAs(quiet), joinAs(quiet, alice)];
    flood(lost, 77, { signals: 101 });
    flood(lost, idOf(reader));
    expect(heardBy(reader)).toBe(0);
  });

  test("SIG-7: another socket of the principal brings no new rate; other principals keep theirs", () => {
    const room = createHarness(undefined, { limits });
    const [loud, second, honest, reader] = [
      joinAs(room),
      joinAs(room),
      joinAs(room, alice),
      joinAs(room, grantOf("bob")),
    ];
    flood(loud, idOf(reader));
    const before = heardBy(reader);
    second.send(frameOf(signal(idOf(reader))));
    expect(heardBy(reader)).toBe(before);
    honest.send(frameOf(signal(idOf(reader))));
    expect(heardBy(reader)).toBe(before + 1);
  });

  test("SIG-7 control: with a rate that is never reached all of them pass", () => {
    const room = createHarness(undefined, { limits: { signalsPerSecond: 1_000_000 } });
    const [loud, reader] = [joinAs(room), joinAs(room, alice)];
    flood(loud, idOf(reader), { perFrame: 500 });
    expect(heardBy(reader)).toBe(1_000);
  });
});
