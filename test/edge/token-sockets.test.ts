import { env, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { RelayVariables } from "../../src/edge/index.ts";
import {
  closeCodes,
  encodeDocumentMessage,
  registerName,
  roomSubprotocol,
  socketPath,
} from "../../src/protocol/index.ts";
import { RoomObject } from "../../src/worker.ts";
import { editedDocument, pageOf, pageUpdates } from "../edge-core/documents.ts";
import { claims, nowMs, secret, validToken } from "../edge-core/tokens/token-cases.ts";
import { frameOf, itemsOf, joinFrame, updateFrame } from "../edge-core/wire.ts";
import { listen, type RelayClient } from "./relay-client.ts";
import { bearer, problemOf, relayWith } from "./relay-with.ts";

const shared: RelayVariables = { FLOCKSTATE_TOKEN_SECRET: secret };
const relay = relayWith(shared);
const everything = String(claims()["scope"]);
let rooms = 0;

afterEach(() => void vi.useRealTimers());

/** A room whose object has the relay's settings, as in a deployment; the pool's own are those of development mode. */
async function openRoomObject({ reports = true } = {}): Promise<string> {
  const room = `sockets-${rooms++}`;
  const { FLOCKSTATE_DEVELOPMENT: _, METRICS, ...bindings } = env;
  await runInDurableObject(env.ROOMS.getByName(room), (instance, state) => {
    const settings = { ...bindings, ...shared, ...(reports && { METRICS }) };
    Object.assign(instance, new RoomObject(state, settings));
  });
  return room;
}

async function connect(room: string, token: string): Promise<RelayClient> {
  const { webSocket } = await relay.upgrade(socketPath(room), [roomSubprotocol, `bearer.${token}`]);
  if (!webSocket) throw new Error("No WebSocket.");
  return listen(webSocket, true);
}

async function join(room: string, token: string): Promise<RelayClient> {
  const client = await connect(room, token);
  client.send(joinFrame());
  await client.item("joined");
  return client;
}

async function connectStock(room: string, token: string): Promise<RelayClient> {
  const path = `/v1/rooms/${room}/docs/shared`;
  const { webSocket } = await relay.upgrade(path, ["y-websocket", `bearer.${token}`]);
  if (!webSocket) throw new Error("No WebSocket.");
  return listen(webSocket, false);
}

async function closeOf(client: RelayClient): Promise<{ code: number; reason: string } | undefined> {
  await client.until(() => client.closed !== undefined);
  return client.closed;
}

/** Lets an answer to a ping show that everything before it was taken. */
async function settle(client: RelayClient): Promise<void> {
  const from = client.items.length;
  client.send(frameOf({ type: "ping" }));
  await client.item("pong", from);
}

function sharedUpdate(): Uint8Array {
  const edited = editedDocument();
  edited.doc.getMap("m").set("k", 1);
  return edited.take()[0] as Uint8Array;
}

function registerUpdate(): Uint8Array {
  const edited = editedDocument();
  edited.doc.getMap("r").set("v", { version: 1 });
  return edited.take()[0] as Uint8Array;
}

function passTime(ms: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: nowMs + ms });
}

describe("what a token says, on the socket", () => {
  test("TOKEN-9: is told after the welcome", async () => {
    const room = await openRoomObject();
    const client = await join(room, await validToken({ room, sub: "alice", scope: "read presence" }));
    expect(await client.item("granted")).toEqual({
      type: "granted",
      principal: "alice",
      scopes: ["read", "presence"],
      expiresAt: Number(claims()["exp"]) * 1000,
    });
  });

  test("TOKEN-10: read without a scope to write takes nothing, and the socket stays", async () => {
    const room = await openRoomObject();
    const client = await join(room, await validToken({ room, scope: "read" }));
    for (const [name, update] of [
      ["shared", sharedUpdate()],
      [registerName("alice.planner.x7"), registerUpdate()],
      [pageOf(7, "alice.planner.x7"), pageUpdates(7, [1])[0] as Uint8Array],
    ] as const) {
      const from = client.items.length;
      client.send(updateFrame(name, [update]));
      expect(await client.item("refuse", from)).toMatchObject({ code: "edge/forbidden" });
    }
    const from = client.items.length;
    client.send(frameOf({ type: "presence", state: "{}" }));
    expect(await client.item("refuse", from)).toMatchObject({ channel: 0, code: "edge/forbidden" });
    client.send(frameOf({ type: "signal", to: 0, bytes: new Uint8Array([1]) }));
    await client.until(() => itemsOf(client.items, "refuse").length === 5);
    expect(itemsOf(client.items, "refuse").at(-1)).toMatchObject({ channel: 0, code: "edge/forbidden" });
    await settle(client);
    expect(client.closed).toBeUndefined();
    const reader = await join(room, await validToken({ room, sub: "bob" }));
    expect(itemsOf(reader.items, "update")).toEqual([]);
    expect(itemsOf(reader.items, "presences").flatMap(({ entries }) => entries)).toEqual([]);
  });

  test("SIG-6: a presence names the token's own writers, and no token makes another's its own", async () => {
    const room = await openRoomObject();
    const [alice, bob] = [
      await join(room, await validToken({ room, sub: "alice" })),
      await join(room, await validToken({ room, sub: "bob" })),
    ];
    const state = (writer: string) =>
      JSON.stringify({ session: "AAAAAAAAAAA", writers: [writer], awareness: null });
    alice.send(frameOf({ type: "presence", state: state("alice.planner.x7") }));
    await bob.until(() => itemsOf(bob.items, "presences").some(({ entries }) => entries.length > 0));
    const from = alice.items.length;
    alice.send(frameOf({ type: "presence", state: state("bob.critic.y8") }));
    expect(await alice.item("refuse", from)).toMatchObject({ channel: 0, code: "edge/forbidden" });
    const { presence } = await alice.item("welcome");
    const late = await join(room, await validToken({ room, sub: "carol" }));
    const told = itemsOf(late.items, "presences").flatMap(({ entries }) => entries);
    expect(told).toEqual([{ id: presence, clock: 1, state: state("alice.planner.x7") }]);
    alice.send(frameOf({ type: "token", token: await validToken({ room, sub: "bob" }) }));
    expect(await closeOf(alice)).toEqual({ code: closeCodes.forbidden, reason: "edge/forbidden" });
  });

  test("TOKEN-10: a stock client that may only read is closed at its first edit, and shown to nobody", async () => {
    const room = await openRoomObject();
    const stock = await connectStock(room, await validToken({ room, scope: "read" }));
    stock.send(encodeDocumentMessage({ type: "update", update: sharedUpdate() }));
    expect(await closeOf(stock)).toEqual({ code: closeCodes.forbidden, reason: "edge/forbidden" });
  });

  test("TOKEN-10: another principal's register and lanes are not written", async () => {
    const room = await openRoomObject();
    const client = await join(room, await validToken({ room, sub: "bob", scope: everything }));
    client.send(updateFrame(pageOf(7, "alice.planner.x7"), [pageUpdates(7, [1])[0] as Uint8Array]));
    expect(await client.item("refuse")).toMatchObject({ code: "gate/not-owner" });
  });
});

describe("a token that ends while its socket is open", () => {
  test("TOKEN-11: expiry closes an idle socket, by the room's alarm", async () => {
    const room = await openRoomObject();
    const client = await join(room, await validToken({ room }));
    passTime(601_000);
    await runDurableObjectAlarm(env.ROOMS.getByName(room));
    expect(await closeOf(client)).toEqual({ code: closeCodes.unauthorized, reason: "edge/token-expired" });
    expect(itemsOf(client.items, "problem")).toMatchObject([{ code: "edge/token-expired" }]);
  });

  test("TOKEN-11: an end past the last alarm that the platform takes is no fault", async () => {
    // Reports would come first, and be all that the alarm is set for.
    const room = await openRoomObject({ reports: false });
    const client = await join(room, await validToken({ room, exp: nowMs + 3_600_000 }));
    expect(itemsOf(client.items, "granted")[0]?.expiresAt).toBe((nowMs + 3_600_000) * 1_000);
    expect(client.closed).toBeUndefined();
  });

  test("TOKEN-11: expiry is noticed at the next frame, before what it brings is taken", async () => {
    const room = await openRoomObject();
    const client = await join(room, await validToken({ room }));
    passTime(601_000);
    client.send(updateFrame("shared", [sharedUpdate()]));
    expect(await closeOf(client)).toEqual({ code: closeCodes.unauthorized, reason: "edge/token-expired" });
    vi.useRealTimers();
    const reader = await join(room, await validToken({ room }));
    expect(itemsOf(reader.items, "update")).toEqual([]);
  });

  test("TOKEN-11: a stock client's socket ends likewise", async () => {
    const room = await openRoomObject();
    const stock = await connectStock(room, await validToken({ room }));
    await stock.until(() => stock.raw.length > 0);
    passTime(601_000);
    await runDurableObjectAlarm(env.ROOMS.getByName(room));
    expect(await closeOf(stock)).toEqual({ code: closeCodes.unauthorized, reason: "edge/token-expired" });
  });

  test("TOKEN-12: a renewed socket outlives its first token", async () => {
    const room = await openRoomObject();
    const client = await join(room, await validToken({ room }));
    const from = client.items.length;
    const exp = Math.floor(nowMs / 1000) + 1_200;
    client.send(
      frameOf({ type: "token", token: await validToken({ room, exp, jti: "second", scope: "read" }) }),
    );
    expect(await client.item("granted", from)).toMatchObject({ scopes: ["read"], expiresAt: exp * 1000 });
    passTime(601_000);
    await runDurableObjectAlarm(env.ROOMS.getByName(room));
    await settle(client);
    expect(client.closed).toBeUndefined();
    const before = client.items.length;
    client.send(updateFrame("shared", [sharedUpdate()]));
    expect(await client.item("refuse", before)).toMatchObject({ code: "edge/forbidden" });
    passTime(1_201_000);
    await runDurableObjectAlarm(env.ROOMS.getByName(room));
    expect(await closeOf(client)).toMatchObject({ reason: "edge/token-expired" });
  });

  test.each([
    ["garbage", { code: 4401, reason: "edge/token-invalid" }, async () => "garbage"],
    [
      "one that has expired",
      { code: 4401, reason: "edge/token-expired" },
      (room: string) => validToken({ room, exp: 1 }),
    ],
    ["another room's", { code: 4403, reason: "edge/forbidden" }, () => validToken({ room: "elsewhere" })],
    [
      "another principal's",
      { code: 4403, reason: "edge/forbidden" },
      (room: string) => validToken({ room, sub: "mallory" }),
    ],
    [
      "one without read",
      { code: 4403, reason: "edge/forbidden" },
      (room: string) => validToken({ room, scope: "admin" }),
    ],
  ] as const)("TOKEN-12: renewal with %s closes the socket", async (_, closure, renewal) => {
    const room = await openRoomObject();
    const client = await join(room, await validToken({ room }));
    client.send(frameOf({ type: "token", token: await renewal(room) }));
    expect(await closeOf(client)).toEqual(closure);
  });
});

describe("a token that is revoked", () => {
  async function revoke(room: string, revocation: unknown): Promise<number> {
    const admin = await validToken({ room, sub: "root", scope: "admin" });
    const response = await relay.fetch(`/v1/rooms/${room}/revocations`, {
      method: "POST",
      headers: bearer(admin),
      body: JSON.stringify(revocation),
    });
    return response.status;
  }
  const reference = (room: string) => `/v1/rooms/${room}/refs/${"a".repeat(64)}`;

  test.each([
    ["by its id", { kind: "token", value: "hers" }],
    ["by its principal", { kind: "principal", value: "alice" }],
  ])("TOKEN-13: %s closes its sockets and opens none, and leaves all others", async (_, revocation) => {
    const room = await openRoomObject();
    const hers = await validToken({ room, jti: "hers" });
    const his = await validToken({ room, sub: "bob", jti: "his" });
    const [client, stock, other] = [
      await join(room, hers),
      await connectStock(room, hers),
      await join(room, his),
    ];
    expect(await revoke(room, revocation)).toBe(204);
    const closure = { code: closeCodes.unauthorized, reason: "edge/token-revoked" };
    expect(await closeOf(client)).toEqual(closure);
    expect(await closeOf(stock)).toEqual(closure);
    expect(await closeOf(await connect(room, hers))).toEqual(closure);
    expect(await problemOf(await relay.fetch(reference(room), { headers: bearer(hers) }))).toMatchObject({
      code: "edge/token-revoked",
      status: 401,
    });
    await settle(other);
    expect(other.closed).toBeUndefined();
    expect(await problemOf(await relay.fetch(reference(room), { headers: bearer(his) }))).toMatchObject({
      code: "refstore/not-found",
    });
  });

  test("TOKEN-13: the whole room's, those that revoke included", async () => {
    const room = await openRoomObject();
    const [one, other] = [
      await join(room, await validToken({ room })),
      await join(room, await validToken({ room, sub: "bob" })),
    ];
    const admin = bearer(await validToken({ room, sub: "root", scope: "admin" }));
    const path = `/v1/rooms/${room}/revocations`;
    const body = JSON.stringify({ kind: "room" });
    expect((await relay.fetch(path, { method: "POST", headers: admin, body })).status).toBe(204);
    for (const client of [one, other])
      expect(await closeOf(client)).toMatchObject({ reason: "edge/token-revoked" });
    expect(await problemOf(await relay.fetch(path, { headers: admin }))).toMatchObject({
      code: "edge/token-revoked",
    });
    // Of the moment of the revocation, which this file may have come to late.
    const revokedMs = Date.now();
    passTime(revokedMs + 5_000 - nowMs);
    const later = await validToken({ room, iat: Math.floor(revokedMs / 1000) + 4, jti: "later" });
    const back = await join(room, later);
    expect(back.closed).toBeUndefined();
  });

  test("TOKEN-13: a renewal with a revoked token closes the socket", async () => {
    const room = await openRoomObject();
    const client = await join(room, await validToken({ room, jti: "first" }));
    expect(await revoke(room, { kind: "token", value: "second" })).toBe(204);
    client.send(frameOf({ type: "token", token: await validToken({ room, jti: "second" }) }));
    expect(await closeOf(client)).toEqual({ code: closeCodes.unauthorized, reason: "edge/token-revoked" });
  });
});
