import { describe, expect, test } from "vitest";
import type { Grant } from "../../src/edge/index.ts";
import { closureOf } from "../../src/edge/room/condition.ts";
import { isRevoked, issuerAheadMs, maxRevocations } from "../../src/edge/room/revocations.ts";
import { clockToleranceMs } from "../../src/edge/tokens/token-verifier.ts";
import { admin, administeredRoom, codeOf, collect, inChunks } from "./administered-room.ts";
import { editedDocument, pageOf, pageUpdates } from "./documents.ts";
import { grantOf } from "./room-harness.ts";

function writtenRoom() {
  const room = administeredRoom();
  room.write(pageOf(7), pageUpdates(7, ["one", "two"]));
  const text = editedDocument(1);
  text.doc.getText("t").insert(0, "text");
  room.write("shared", text.take(), "alice");
  return room;
}

const trail = (room: ReturnType<typeof administeredRoom>) =>
  room.administration
    .audit(0, 1_000)
    .filter(({ principal }) => principal === admin.principal)
    .map(({ subject, verdict }) => `${subject} ${verdict}`);

describe("looking at a room", () => {
  test("ADMIN-1: its documents with their sizes, by number, and how it stands", () => {
    const { administration, storage } = writtenRoom();
    const [first, second] = administration.documents(0, 10);
    expect(first).toEqual({ id: 1, name: pageOf(7), rows: 1, bytes: storage.size(1).bytes });
    expect(administration.documents(0, 1)).toEqual([first]);
    expect(administration.documents(1, 10)).toEqual([second]);
    expect(administration.documents(2, 10)).toEqual([]);
    expect(administration.status()).toEqual({
      condition: "open",
      head: 2,
      documents: 2,
      rows: 2,
      bytes: (first?.bytes ?? 0) + (second?.bytes ?? 0),
      revocations: 0,
    });
  });
});

describe("deleting", () => {
  test("ADMIN-2: everything goes but the audit trail and the revocations, and every socket is told why", () => {
    const room = writtenRoom();
    const { administration, storage } = room;
    administration.revoke(admin, { kind: "principal", value: "mallory" });
    administration.revoke(admin, { kind: "room" });
    administration.revoke(admin, { kind: "token", value: "t-1" });
    administration.halt(admin);
    const revoked = administration.revocations();
    const entries = administration.audit(0, 100).length;
    administration.deleteRoom(admin);
    expect(administration.status()).toEqual({
      condition: "deleted",
      head: 0,
      documents: 0,
      rows: 0,
      bytes: 0,
      revocations: 1,
      revokedBefore: room.clock.now(),
    });
    expect(administration.revocations()).toEqual(revoked);
    expect([...storage.clocks(1)]).toEqual([]);
    expect(administration.audit(0, 100)).toHaveLength(entries + 1);
    expect(room.asked.slice(-2)).toEqual(["close edge/room-deleted", "reload"]);
    expect(closureOf(storage)?.code).toBe("edge/room-deleted");
  });

  test("ADMIN-2: deleting twice changes nothing, and a deleted room takes neither halt nor export", async () => {
    const room = writtenRoom();
    room.administration.deleteRoom(admin);
    const entries = trail(room);
    room.administration.deleteRoom(admin);
    expect(trail(room)).toEqual(entries);
    for (const action of [
      () => room.administration.halt(admin),
      () => room.administration.release(admin),
      () => room.administration.exportRoom(admin, "team"),
    ]) {
      expect(await codeOf(action)).toBe("edge/room-deleted");
    }
    expect(trail(room)).toEqual(entries);
  });

  test("ADMIN-2: what was staged when the room is deleted is not written after it", async () => {
    const source = writtenRoom();
    const archive = await collect(source.administration.exportRoom(admin, "team"));
    source.administration.deleteRoom(admin);
    await source.administration.importRoom(inChunks(archive), admin);
    expect(source.administration.status()).toMatchObject({ condition: "open", documents: 2, rows: 2 });
    expect(source.administration.documents(0, 9).map(({ id }) => id)).toEqual([1, 2]);
  });
});

describe("halting", () => {
  test("ADMIN-3: halt and release are told once each, and keep across a wake", () => {
    const room = writtenRoom();
    room.administration.halt(admin);
    room.administration.halt(admin);
    expect(room.administration.status().condition).toBe("halted");
    expect(administeredRoom(room.storage).administration.status().condition).toBe("halted");
    room.administration.release(admin);
    room.administration.release(admin);
    expect(room.administration.status().condition).toBe("open");
    expect(room.asked).toEqual(["halted true", "halted false"]);
    expect(trail(room)).toEqual(["halt accepted", "release accepted"]);
  });

  test("ADMIN-3: a halted room takes registers, and nothing else, until it is released", async () => {
    const room = writtenRoom();
    room.administration.halt(admin);
    const [, , third] = pageUpdates(7, ["one", "two", "three"]) as [Uint8Array, Uint8Array, Uint8Array];
    expect(await codeOf(() => room.write(pageOf(7), [third]))).toBe("edge/halted");
    room.administration.release(admin);
    room.write(pageOf(7), [third]);
    expect(room.storage.head()).toBe(3);
  });
});

describe("revoking", () => {
  const grant = (principal: string, issuedAt: number, tokenId = `${principal}-1`): Grant => ({
    ...grantOf(principal),
    expiresAt: 9_000_000,
    issuedAt,
    tokenId,
  });

  test("ADMIN-4: a token by its id, a principal's tokens, or everybody's issued up to now", () => {
    const { administration, storage, clock, asked } = administeredRoom();
    const now = clock.now();
    const alice = grant("alice", now);
    const late = grant("alice", now + 1);
    const bob = grant("bob", now);
    administration.revoke(admin, { kind: "token", value: "alice-1" });
    expect([alice, late, bob].map((each) => isRevoked(storage, each))).toEqual([true, true, false]);
    administration.revoke(admin, { kind: "principal", value: "bob" });
    expect(isRevoked(storage, bob)).toBe(true);
    expect(isRevoked(storage, grant("bob", now + 1))).toBe(false);
    clock.advance(issuerAheadMs);
    const later = clock.now();
    administration.revoke(admin, { kind: "room" });
    expect(isRevoked(storage, grant("carol", later))).toBe(true);
    expect(isRevoked(storage, grant("carol", 0))).toBe(true);
    expect(isRevoked(storage, grant("carol", later + 1))).toBe(false);
    expect(asked).toEqual(["recheck", "recheck", "recheck"]);
    expect(administration.revocations()).toEqual({ revokedBefore: later, revocations: [] });
  });

  test("ADMIN-4: the grant of development mode, which nobody could mint again, is never revoked", () => {
    const { administration, storage } = administeredRoom();
    const { expiresAt: _, ...endless } = grant("anon", 0);
    administration.revoke(admin, { kind: "room" });
    expect(isRevoked(storage, endless)).toBe(false);
    expect(isRevoked(storage, { ...endless, expiresAt: 9_000_000 })).toBe(true);
  });

  test("ADMIN-5: the list is bounded, and revoking the whole room empties it", async () => {
    const { administration, storage, clock, asked } = administeredRoom();
    storage.commit({
      revocations: Array.from({ length: maxRevocations - 1 }, (_, index) => ({
        kind: "token" as const,
        value: `t-${index}`,
        before: 1,
      })),
    });
    administration.revoke(admin, { kind: "token", value: "the last" });
    const full = () => administration.revoke(admin, { kind: "token", value: "one more" });
    expect(await codeOf(full)).toBe("edge/too-many-revocations");
    administration.revoke(admin, { kind: "token", value: "t-5" });
    expect(asked).toEqual(["recheck", "recheck"]);
    clock.advance(issuerAheadMs);
    administration.revoke(admin, { kind: "room" });
    expect(administration.revocations().revocations).toEqual([]);
    full();
    expect(administration.revocations().revocations).toHaveLength(1);
  });

  test("ADMIN-5: a token whose issuer's clock runs ahead stays revoked when the whole room is", () => {
    expect(issuerAheadMs).toBe(clockToleranceMs);
    const { administration, storage, clock } = administeredRoom();
    const ahead = grant("alice", clock.now() + issuerAheadMs, "ahead");
    administration.revoke(admin, { kind: "token", value: "ahead" });
    administration.revoke(admin, { kind: "principal", value: "bob" });
    clock.advance(issuerAheadMs - 1);
    administration.revoke(admin, { kind: "room" });
    expect(isRevoked(storage, ahead)).toBe(true);
    expect(administration.revocations().revocations.map(({ value }) => value)).toEqual(["ahead"]);
    clock.advance(1);
    administration.revoke(admin, { kind: "room" });
    expect(administration.revocations().revocations).toEqual([]);
    expect(isRevoked(storage, ahead)).toBe(true);
  });
});

describe("the audit trail", () => {
  test("ADMIN-6: every action leaves its entry, with who and by which token, in its own transaction", async () => {
    const room = writtenRoom();
    const commits: number[] = [];
    const { commit } = room.storage;
    room.storage.commit = (changes) => {
      commits.push(changes.audit?.length ?? 0);
      commit(changes);
    };
    const { administration } = room;
    administration.halt(admin);
    administration.release(admin);
    administration.revoke(admin, { kind: "token", value: "t-1" });
    administration.revoke(admin, { kind: "principal", value: "bob" });
    administration.revoke(admin, { kind: "room" });
    expect(commits).toEqual([1, 1, 1, 1, 1]);
    const archive = await collect(administration.exportRoom(admin, "team"));
    administration.deleteRoom(admin);
    await administration.importRoom(inChunks(archive), admin);
    expect(trail(room)).toEqual([
      "halt accepted",
      "release accepted",
      "revoke/token/t-1 accepted",
      "revoke/principal/bob accepted",
      "revoke/room accepted",
      "export accepted",
      "delete accepted",
      "import accepted",
    ]);
    const [last] = administration.audit(0, 1_000).slice(-1);
    expect(last).toMatchObject({
      principal: admin.principal,
      tokenId: admin.tokenId,
      at: room.clock.now(),
      bytes: archive.length,
    });
  });
});
