import { afterEach, describe, expect, test } from "vitest";
import {
  decodeDocumentMessage,
  encodeDocumentMessage,
  laneName,
  registerName,
} from "../../src/protocol/index.ts";
import { grantOf } from "../edge-core/room-harness.ts";
import { itemsOf } from "../edge-core/wire.ts";
import { buildUpdate, content } from "../protocol/gate/build.ts";
import { attackerClient } from "./attacks.ts";
import { type Attacker, openThreatRoom, type ThreatRoom, target } from "./threat-room.ts";

let room: ThreatRoom | undefined;

afterEach(() => {
  room?.close();
  room = undefined;
});

const edit = buildUpdate([
  { client: attackerClient, clock: 0, structs: [{ ...content.string("x"), parent: "t" }] },
]);
const stockEdit = encodeDocumentMessage({ type: "update", update: edit });
const readOnly = "read presence";
const writeOwn = "read write:own presence";

function updatesIn({ items }: Attacker): number {
  return itemsOf(items, "update").length;
}

describe("what a grant does not allow", () => {
  test.each([
    ["a shared document without write:shared", target, readOnly, "edge/forbidden"],
    ["a shared document with write:own alone", target, writeOwn, "edge/forbidden"],
    [
      "another principal's lane",
      laneName("alice.planner.x7", { number: 0, client: 11 }),
      undefined,
      "gate/not-owner",
    ],
    ["another principal's register", registerName("alice.planner.x7"), undefined, "gate/not-owner"],
    [
      "its own lane without write:own",
      laneName("mallory.bot.x1", { number: 0, client: 5 }),
      readOnly,
      "edge/forbidden",
    ],
    ["its own register without write:own", registerName("mallory.bot.x1"), readOnly, "edge/forbidden"],
  ])(
    "THREAT-20 at the relay: %s is not written, and the socket goes on reading",
    (_, document, scopes, code) => {
      room = openThreatRoom();
      const mallory = room.attack(scopes === undefined ? {} : { scopes });
      expect(mallory.offer(document, edit)).toEqual([code]);
      expect(mallory.closed).toBeUndefined();
      const before = updatesIn(mallory);
      expect(room.aftermath()).toEqual([]);
      expect(updatesIn(mallory)).toBeGreaterThan(before);
    },
  );

  test("THREAT-20 at the relay: what is known already passes from a reader in silence", () => {
    room = openThreatRoom();
    room.attack().offer(target, edit);
    expect(room.attack({ scopes: readOnly }).offer(target, edit)).toEqual([]);
    expect(room.aftermath()).toEqual([]);
  });

  test("THREAT-20 at the relay: a stock reader is asked for nothing, and its edit closes 4403", () => {
    room = openThreatRoom();
    const mallory = room.attack({ document: target, scopes: "read" });
    expect(mallory.raw.map((bytes) => decodeDocumentMessage(bytes).type)).not.toContain("step1");
    mallory.send(stockEdit);
    expect(mallory.closed).toEqual({ code: 4403, reason: "edge/forbidden" });
    expect(room.aftermath()).toEqual([]);
  });

  test("THREAT-20 at the relay: presence and signals without the scope reach nobody", () => {
    room = openThreatRoom();
    const reader = room.attack({ principal: "bob" });
    const before = reader.items.length;
    const mallory = room.attack({ scopes: "read write:own write:shared" });
    mallory.sendFrame({ type: "presence", state: '{"name":"mallory"}' });
    mallory.sendFrame({ type: "signal", to: 0, bytes: Uint8Array.of(1) });
    expect(itemsOf(mallory.items, "refuse")).toMatchObject([
      { channel: 0, code: "edge/forbidden" },
      { channel: 0, code: "edge/forbidden" },
    ]);
    room.network.advance(1_000);
    room.network.settle();
    const heard = reader.items
      .slice(before)
      .filter(({ type }) => type === "presences" || type === "signalled");
    expect(heard).toEqual([]);
    expect(room.aftermath()).toEqual([]);
  });

  test.each([undefined, target])(
    "THREAT-20 at the relay: an expired grant writes nothing more (%s)",
    (document) => {
      room = openThreatRoom();
      const expiresAt = room.network.now() + 5_000;
      const mallory = room.attack({ expiresAt, ...(document !== undefined && { document }) });
      room.network.advance(4_000);
      expect(mallory.closed).toBeUndefined();
      room.network.advance(1_000);
      room.network.settle();
      expect(mallory.closed).toEqual({ code: 4401, reason: "edge/token-expired" });
      const reader = room.attack({ principal: "bob" });
      const before = updatesIn(reader);
      if (document === undefined) expect(mallory.offer(target, edit)).toEqual([]);
      else mallory.send(stockEdit);
      expect(updatesIn(reader)).toBe(before);
      expect(room.aftermath()).toEqual([]);
    },
  );

  test.each([
    ["its token", { kind: "token", value: "mallory-1" }],
    ["its principal", { kind: "principal", value: "mallory" }],
  ] as const)(
    "THREAT-20 at the relay: a grant is closed while connected once %s is revoked",
    (_, revocation) => {
      room = openThreatRoom();
      // Only a grant that ends can be revoked: the other kind is that of development mode.
      const expiresAt = room.network.now() + 3_600_000;
      const [mallory, stock] = [room.attack({ expiresAt }), room.attack({ document: target, expiresAt })];
      room.network.administration.revoke(grantOf("admin", "read admin"), revocation);
      room.network.settle();
      for (const each of [mallory, stock])
        expect(each.closed).toEqual({ code: 4401, reason: "edge/token-revoked" });
      expect(room.attack({ expiresAt }).closed).toEqual({ code: 4401, reason: "edge/token-revoked" });
      expect(room.aftermath()).toEqual([]);
    },
  );
});
