import { describe, expect, test } from "vitest";
import { FlockError } from "../../src/base/index.ts";
import { decodeDocumentMessage, encodeDocumentMessage } from "../../src/protocol/index.ts";
import { editedDocument, pageOf, pageUpdates } from "./documents.ts";
import { createHarness, grantOf, type Peer } from "./room-harness.ts";
import { frameOf, itemsOf, updateFrame } from "./wire.ts";

const page = pageOf(7, "alice.planner.x7");
const [first, second] = pageUpdates(7, ["one", "two"]) as [Uint8Array, Uint8Array];
const state = JSON.stringify({ name: "a" });

function editOf(client: number): Uint8Array {
  const source = editedDocument(client);
  source.doc.getText("t").insert(0, "x");
  return source.take()[0] as Uint8Array;
}

const stockUpdate = (update: Uint8Array) => encodeDocumentMessage({ type: "update", update });

function stockTypes(peer: Peer): string[] {
  return peer.raw.map((bytes) => decodeDocumentMessage(bytes).type);
}

describe("what a grant allows", () => {
  test("ACCESS-1: a socket is told whom it speaks for, right after its welcome", () => {
    const room = createHarness();
    const grant = { ...grantOf("alice", "read presence"), expiresAt: 2_000_000 };
    const peer = room.join(undefined, undefined, grant);
    expect(peer.items.slice(0, 2).map(({ type }) => type)).toEqual(["welcome", "granted"]);
    expect(itemsOf(peer.items, "granted")).toEqual([
      { type: "granted", principal: "alice", scopes: ["read", "presence"], expiresAt: 2_000_000 },
    ]);
  });

  test("ACCESS-2: without `read` a socket closes with 4403, a stock client's as well", () => {
    const room = createHarness();
    for (const document of [undefined, "shared"]) {
      const peer = room.connect(document, grantOf("alice", "write:own write:shared presence"));
      expect(peer.closed).toEqual({ code: 4403, reason: "edge/forbidden" });
    }
  });

  test.each([
    ["shared", "read write:own presence", "edge/forbidden"],
    ["shared/report", "read", "edge/forbidden"],
    [page, "read write:shared presence", "edge/forbidden"],
    [pageOf(7, "bob.planner.x7"), "read write:own write:shared", "gate/not-owner"],
  ])(
    "ACCESS-3: an update of %s with the scopes %s is refused, and the socket stays",
    (name, scopes, code) => {
      const room = createHarness();
      const peer = room.join(undefined, undefined, grantOf("alice", scopes));
      peer.send(updateFrame(name, [name.startsWith("shared") ? editOf(5) : first]));
      expect(itemsOf(peer.items, "refuse").map((refusal) => refusal.code)).toEqual([code]);
      expect(itemsOf(peer.items, "acknowledge")).toHaveLength(1);
      expect(peer.closed).toBeUndefined();
      expect(room.storage.head()).toBe(0);
      expect(room.storage.documentCount()).toBe(0);
    },
  );

  test("ACCESS-4: what is known already passes from whoever may only read", () => {
    const room = createHarness();
    const writer = room.join(undefined, undefined, grantOf("alice"));
    const edit = editOf(5);
    writer.send(updateFrame("shared", [edit]));
    const reader = room.join(undefined, undefined, grantOf("bob", "read"));
    reader.send(updateFrame("shared", [edit]));
    expect(itemsOf(reader.items, "refuse")).toEqual([]);
    expect(itemsOf(reader.items, "acknowledge")).toHaveLength(1);
  });

  test("ACCESS-5: presence and signals without their scope are refused on channel 0, and nobody hears of them", () => {
    const room = createHarness();
    const mute = room.join(undefined, undefined, grantOf("alice", "read"));
    const other = room.join();
    const before = other.items.length;
    mute.send(frameOf({ type: "presence", state }, { type: "signal", to: 0, bytes: new Uint8Array([1]) }));
    room.clock.advance(100);
    expect(itemsOf(mute.items, "refuse").map(({ channel, code }) => [channel, code])).toEqual([
      [0, "edge/forbidden"],
      [0, "edge/forbidden"],
    ]);
    expect(mute.closed).toBeUndefined();
    expect(other.items.length).toBe(before);
  });

  test("ACCESS-6: a stock client that may only read is not asked for its edits, and one that edits closes with 4403", () => {
    const room = createHarness();
    const stock = room.connect("shared", grantOf("bob", "read"));
    stock.send(encodeDocumentMessage({ type: "step1", stateVector: new Uint8Array([0]) }));
    expect(stockTypes(stock)).not.toContain("step1");
    expect(stockTypes(stock).at(-1)).toBe("step2");
    stock.send(stockUpdate(editOf(5)));
    expect(stock.closed).toEqual({ code: 4403, reason: "edge/forbidden" });
    expect(room.storage.head()).toBe(0);
  });

  test("ACCESS-6: a stock client that may only read is told what others write", () => {
    const room = createHarness();
    const writer = room.join(undefined, undefined, grantOf("alice"));
    const stock = room.connect("shared/report", grantOf("bob", "read"));
    stock.send(encodeDocumentMessage({ type: "step1", stateVector: new Uint8Array([0]) }));
    expect(room.storage.documentCount()).toBe(0);
    writer.send(updateFrame("shared/report", [editOf(5)]));
    expect(stockTypes(stock).at(-1)).toBe("update");
  });
});

describe("how long a grant holds", () => {
  const until = (expiresAt: number) => ({ ...grantOf("alice"), expiresAt });

  test.each([true, false])(
    "ACCESS-7: the alarm (%s) or a timer closes with 4401 when the token ends",
    (alarm) => {
      const room = createHarness(undefined, { alarm });
      const end = room.clock.now() + 5_000;
      const peer = room.join(undefined, undefined, until(end));
      const stock = room.connect("shared", until(end));
      const other = room.join(undefined, undefined, until(end + 60_000));
      expect(room.clock.waiting).toBe(alarm ? 0 : 1);
      if (alarm) expect(room.alarmAt).toBe(end);
      room.clock.advance(5_000);
      if (alarm) room.core.alarm();
      expect(peer.closed).toEqual({ code: 4401, reason: "edge/token-expired" });
      expect(peer.items.at(-1)).toMatchObject({ type: "problem", code: "edge/token-expired" });
      expect(stock.closed).toEqual({ code: 4401, reason: "edge/token-expired" });
      expect(other.closed).toBeUndefined();
      if (alarm) expect(room.alarmAt).toBe(end + 60_000);
    },
  );

  test("ACCESS-7: an alarm that wakes the room closes as well, and a room without sockets has none", () => {
    const room = createHarness(undefined, { alarm: true });
    const end = room.clock.now() + 5_000;
    const peer = room.join(undefined, undefined, until(end));
    room.wake();
    room.elapse(5_000);
    expect(peer.closed?.code).toBe(4401);
    expect(room.alarmAt).toBeUndefined();
  });

  test("ACCESS-7: an end further ahead than timers reach is no end today", () => {
    for (const alarm of [true, false]) {
      const room = createHarness(undefined, { alarm });
      const end = room.clock.now() + 2 ** 31 + 5_000;
      const peer = room.join(undefined, undefined, until(end));
      if (alarm) expect(room.alarmAt).toBe(end);
      room.elapse(2 ** 31);
      expect(peer.closed).toBeUndefined();
      room.elapse(5_000);
      expect(peer.closed?.code).toBe(4401);
    }
  });

  test("ACCESS-7: an end further ahead than alarms reach is looked at again", () => {
    const room = createHarness(undefined, { alarm: true });
    const latest = Date.UTC(2189, 0);
    const peer = room.join(undefined, undefined, until(latest + 5_000));
    expect(room.alarmAt).toBeLessThan(latest);
    room.elapse((room.alarmAt ?? 0) - room.clock.now());
    expect(peer.closed).toBeUndefined();
  });

  test("ACCESS-7: what wakes the room without a socket sets the alarm again", () => {
    const room = createHarness(undefined, { alarm: true });
    const end = room.clock.now() + 5_000;
    room.join(undefined, undefined, until(end));
    room.wake();
    room.forgetAlarm();
    room.core.wake();
    expect(room.alarmAt).toBe(end);
  });

  test("ACCESS-8: no frame passes after the end, whatever the alarm does", () => {
    const room = createHarness(undefined, { alarm: true });
    const peer = room.join(undefined, undefined, until(room.clock.now() + 5_000));
    room.clock.advance(5_000);
    peer.send(updateFrame(page, [first]));
    expect(peer.closed).toEqual({ code: 4401, reason: "edge/token-expired" });
    expect(room.storage.head()).toBe(0);
  });

  test("ACCESS-9: a revocation closes every socket that it meets at once, and keeps it out", () => {
    const room = createHarness();
    const long = { ...grantOf("alice"), expiresAt: 9_000_000, issuedAt: 500_000 };
    const alice = room.join(undefined, undefined, long);
    const second = room.connect("shared", { ...long, tokenId: "alice-2" });
    const bob = room.join(undefined, undefined, { ...long, principal: "bob", tokenId: "bob-1" });
    const { administration } = room.core;
    const admin = grantOf("root", "read admin");
    administration.revoke(admin, { kind: "token", value: "alice-1" });
    expect(alice.closed).toEqual({ code: 4401, reason: "edge/token-revoked" });
    expect([second.closed, bob.closed]).toEqual([undefined, undefined]);
    expect(room.join(undefined, undefined, long).closed?.reason).toBe("edge/token-revoked");
    administration.revoke(admin, { kind: "principal", value: "alice" });
    expect(second.closed).toEqual({ code: 4401, reason: "edge/token-revoked" });
    expect(bob.closed).toBeUndefined();
    administration.revoke(admin, { kind: "room" });
    expect(bob.closed).toEqual({ code: 4401, reason: "edge/token-revoked" });
    const later = { ...long, tokenId: "alice-3", issuedAt: room.clock.now() + 1_000 };
    expect(room.join(undefined, undefined, later).closed).toBeUndefined();
  });

  test("ACCESS-10: what was sent before the end is stored and acknowledged", () => {
    const room = createHarness();
    const peer = room.join(undefined, undefined, until(room.clock.now() + 10));
    room.crowd();
    peer.send(updateFrame(page, [first]));
    expect(itemsOf(peer.items, "acknowledge")).toEqual([]);
    room.core.administration.revoke(grantOf("root", "read admin"), { kind: "token", value: "alice-1" });
    expect(peer.items.slice(-3).map(({ type }) => type)).toEqual(["acknowledge", "cursor", "problem"]);
  });
});

describe("another token on the open socket", () => {
  /** Checks tokens of the form `principal scopes…`, when the test lets it. */
  function tokens() {
    const waiting: { token: string; answer: (outcome: "ok" | FlockError | Error) => Promise<void> }[] = [];
    const verifyToken = (token: string) =>
      new Promise<ReturnType<typeof grantOf>>((resolve, reject) => {
        const [principal = "", ...scopes] = token.split(" ");
        waiting.push({
          token,
          async answer(outcome) {
            if (outcome === "ok") {
              const grant = grantOf(principal, scopes.join(" "));
              resolve({ ...grant, tokenId: token, issuedAt: 900_000, expiresAt: 3_000_000 });
            } else reject(outcome);
            await Promise.resolve();
            await Promise.resolve();
          },
        });
      });
    return { waiting, verifyToken };
  }

  const old = { ...grantOf("alice", "read write:own"), expiresAt: 1_010_000, issuedAt: 900_000 };

  test("ACCESS-11: it is told `granted`, and the new end holds", async () => {
    const { waiting, verifyToken } = tokens();
    const room = createHarness(undefined, { verifyToken, alarm: true });
    const peer = room.join(undefined, undefined, old);
    peer.send(frameOf({ type: "token", token: "alice read write:own" }));
    peer.send(updateFrame(page, [first]));
    expect(itemsOf(peer.items, "acknowledge")).toHaveLength(1);
    expect(itemsOf(peer.items, "granted")).toHaveLength(1);
    await waiting[0]?.answer("ok");
    expect(itemsOf(peer.items, "granted").at(-1)).toMatchObject({ principal: "alice", expiresAt: 3_000_000 });
    expect(room.alarmAt).toBe(3_000_000);
    room.clock.advance(20_000);
    room.wake();
    peer.send(updateFrame(page, [second], 2));
    expect(peer.closed).toBeUndefined();
    expect(itemsOf(peer.items, "acknowledge")).toHaveLength(2);
  });

  test("ACCESS-12: scopes that it has no more are gone, and its presence with them", async () => {
    const { waiting, verifyToken } = tokens();
    const room = createHarness(undefined, { verifyToken });
    const peer = room.join(undefined, undefined, { ...old, scopes: ["read", "write:own", "presence"] });
    const other = room.join();
    peer.send(frameOf({ type: "presence", state }));
    room.clock.advance(60);
    peer.send(frameOf({ type: "token", token: "alice read" }));
    await waiting[0]?.answer("ok");
    room.clock.advance(60);
    expect(itemsOf(other.items, "presences").at(-1)?.entries).toMatchObject([{ state: undefined }]);
    peer.send(updateFrame(page, [first]));
    expect(itemsOf(peer.items, "refuse").map(({ code }) => code)).toEqual(["edge/forbidden"]);
  });

  test.each([
    ["of another principal", "bob read", "ok" as const, 4403, "edge/forbidden"],
    ["without `read`", "alice write:own", "ok" as const, 4403, "edge/forbidden"],
    ["that does not hold", "x", new FlockError("edge/token-invalid", "no"), 4401, "edge/token-invalid"],
    ["that cannot be checked", "x", new Error("no network"), 4503, "edge/unavailable"],
  ])("ACCESS-13: a token %s closes the socket", async (_, token, outcome, code, reason) => {
    const { waiting, verifyToken } = tokens();
    const room = createHarness(undefined, { verifyToken });
    const peer = room.join(undefined, undefined, old);
    peer.send(frameOf({ type: "token", token }));
    await waiting[0]?.answer(outcome);
    expect(peer.closed).toEqual({ code, reason });
    expect(room.failures).toEqual([]);
  });

  test("ACCESS-14: one is checked at a time, and of those that come meanwhile only the last", async () => {
    const { waiting, verifyToken } = tokens();
    const room = createHarness(undefined, { verifyToken });
    const peer = room.join(undefined, undefined, old);
    for (const token of ["alice read", "bob read", "alice read presence"]) {
      peer.send(frameOf({ type: "token", token }));
    }
    expect(waiting).toHaveLength(1);
    await waiting[0]?.answer("ok");
    expect(waiting.map(({ token }) => token)).toEqual(["alice read", "alice read presence"]);
    await waiting[1]?.answer("ok");
    expect(itemsOf(peer.items, "granted").map(({ scopes }) => scopes)).toEqual([
      ["read", "write:own"],
      ["read", "presence"],
    ]);
  });

  test("ACCESS-14: what is checked after the socket has gone changes nothing", async () => {
    const { waiting, verifyToken } = tokens();
    const room = createHarness(undefined, { verifyToken });
    const peer = room.join(undefined, undefined, old);
    peer.send(frameOf({ type: "token", token: "alice read" }));
    peer.leave();
    await waiting[0]?.answer("ok");
    expect(room.failures).toEqual([]);
  });

  test("ACCESS-15: where there are no tokens the grant stays, and says so", () => {
    const room = createHarness();
    const peer = room.join();
    peer.send(frameOf({ type: "token", token: "whatever" }));
    expect(itemsOf(peer.items, "granted").map(({ principal }) => principal)).toEqual(["anon", "anon"]);
  });
});

describe("how the room stands", () => {
  const admin = grantOf("root", "read admin");

  test("ACCESS-16: who joins a halted room is told so, and everybody at each change", () => {
    const room = createHarness();
    const early = room.join();
    room.core.administration.halt(admin);
    const late = room.join();
    expect(late.items.map(({ type }) => type).slice(0, 3)).toEqual(["welcome", "granted", "halted"]);
    room.core.administration.release(admin);
    for (const [peer, told] of [
      [early, [true, false]],
      [late, [true, false]],
    ] as const) {
      expect(itemsOf(peer.items, "halted").map(({ halted }) => halted)).toEqual(told);
    }
    expect(itemsOf(room.join().items, "halted")).toEqual([]);
  });

  test("ACCESS-17: while it is halted, shared documents and lanes are refused, and a stock client that edits is to come again", () => {
    const room = createHarness();
    const peer = room.join();
    const stock = room.connect("shared");
    room.core.administration.halt(admin);
    peer.send(updateFrame("shared", [editOf(5)]));
    expect(itemsOf(peer.items, "refuse").map(({ code }) => code)).toEqual(["edge/halted"]);
    stock.send(stockUpdate(editOf(6)));
    expect(stock.closed).toEqual({ code: 4503, reason: "edge/halted" });
    room.core.administration.release(admin);
    peer.send(updateFrame("shared", [editOf(5)], 2));
    expect(room.storage.head()).toBe(1);
  });

  test("ACCESS-18: a room that is deleted closes every socket with 4410, and takes none", () => {
    const room = createHarness();
    const peer = room.join();
    const stock = room.connect("shared");
    room.core.administration.deleteRoom(admin);
    expect(peer.closed).toEqual({ code: 4410, reason: "edge/room-deleted" });
    expect(stock.closed).toEqual({ code: 4410, reason: "edge/room-deleted" });
    expect(room.join().closed).toEqual({ code: 4410, reason: "edge/room-deleted" });
    expect(room.storage.documentCount()).toBe(0);
  });
});

describe("rates and numbers", () => {
  test("RATE-1: past ten seconds' worth of frames the socket closes with 4529, and what came before is kept", () => {
    const room = createHarness(undefined, { limits: { messagesPerSecond: 10 } });
    const peer = room.join();
    const other = room.join(undefined, undefined, grantOf("bob"));
    peer.send(updateFrame(pageOf(7), [first]));
    for (let sent = 2; sent < 101; sent++) peer.send(frameOf({ type: "ping" }));
    expect(peer.closed).toBeUndefined();
    peer.send(frameOf({ type: "ping" }));
    peer.send(frameOf({ type: "ping" }));
    expect(peer.closed).toEqual({ code: 4529, reason: "edge/rate-limited" });
    expect(peer.items.at(-1)).toMatchObject({ type: "problem", code: "edge/rate-limited" });
    expect(itemsOf(peer.items, "acknowledge")).toHaveLength(1);
    expect(other.closed).toBeUndefined();
  });

  test("RATE-1: who keeps to the rate goes on for ever", () => {
    const room = createHarness(undefined, { limits: { messagesPerSecond: 10 } });
    const peer = room.join();
    for (let sent = 0; sent < 1_000; sent++) {
      room.clock.advance(100);
      peer.send(frameOf({ type: "ping" }));
    }
    expect(peer.closed).toBeUndefined();
  });

  test("RATE-2: past ten seconds' worth of bytes the socket closes with 4529; one large message passes whole", () => {
    const room = createHarness(undefined, { limits: { bytesInPerSecond: 100 } });
    const peer = room.join();
    room.clock.advance(10_000);
    const source = editedDocument(5);
    source.doc.getText("t").insert(0, "x".repeat(5_000));
    peer.send(updateFrame("shared", source.take()));
    expect(room.storage.head()).toBe(1);
    expect(peer.closed).toBeUndefined();
    peer.send(frameOf({ type: "ping" }));
    expect(peer.closed?.reason).toBe("edge/rate-limited");
  });

  test("RATE-2: a stock client's socket has the same rates", () => {
    const room = createHarness(undefined, { limits: { messagesPerSecond: 1 } });
    const stock = room.connect("shared");
    for (let sent = 0; sent < 20; sent++) {
      stock.send(encodeDocumentMessage({ type: "step1", stateVector: new Uint8Array([0]) }));
    }
    expect(stock.closed).toEqual({ code: 4529, reason: "edge/rate-limited" });
  });

  test("RATE-3: the room and each principal have so many connections, of both kinds; who comes past that may come again", () => {
    const room = createHarness(undefined, { limits: { connections: 3, connectionsPerPrincipal: 2 } });
    const full = { code: 4529, reason: "edge/too-many-connections" };
    const peers = [
      room.join(undefined, undefined, grantOf("alice")),
      room.connect("shared", grantOf("alice")),
    ];
    expect(room.join(undefined, undefined, grantOf("alice")).closed).toEqual(full);
    peers.push(room.join(undefined, undefined, grantOf("bob")));
    expect(room.join(undefined, undefined, grantOf("carol")).closed).toEqual(full);
    for (const peer of peers) expect(peer.closed).toBeUndefined();
    peers[0]?.leave();
    room.wake();
    expect(room.join(undefined, undefined, grantOf("carol")).closed).toBeUndefined();
  });

  test("RATE-4: a document past the room's number of them is refused, and the socket stays", () => {
    const room = createHarness(undefined, { limits: { documents: 1 } });
    const peer = room.join();
    peer.send(updateFrame(pageOf(7), [first]));
    peer.send(updateFrame(pageOf(8), pageUpdates(8, ["more"]), 2));
    expect(itemsOf(peer.items, "refuse").map(({ code }) => code)).toEqual(["edge/too-many-documents"]);
    expect(itemsOf(peer.items, "acknowledge")).toHaveLength(2);
    expect(peer.closed).toBeUndefined();
  });
});
