import { env } from "cloudflare:test";
import { expect, test } from "vitest";
import { sha256Hex, toUtf8 } from "../../src/base/index.ts";
import { referencesPath, sealContentType } from "../../src/protocol/index.ts";
import { secret, validToken } from "../edge-core/tokens/token-cases.ts";
import { bearer, problemOf, relayWith } from "./relay-with.ts";

const room = "seals";
const relay = relayWith({ FLOCKSTATE_TOKEN_SECRET: secret });
const everyday = "read write:own write:shared refs:get refs:put";
let seals = 0;

/** What a principal does with the references of the room. */
async function as(sub: string, scope = everyday) {
  const headers = bearer(await validToken({ room, sub, scope }));
  const address = async (bytes: Uint8Array<ArrayBuffer>) =>
    `${referencesPath(room)}/${await sha256Hex(bytes)}`;
  return {
    async put(bytes: Uint8Array<ArrayBuffer>, contentType = sealContentType): Promise<number> {
      const init = { method: "PUT", headers: { ...headers, "content-type": contentType }, body: bytes };
      return (await relay.fetch(await address(bytes), init)).status;
    },
    remove: async (bytes: Uint8Array<ArrayBuffer>) =>
      relay.fetch(await address(bytes), { method: "DELETE", headers }),
    read: async (bytes: Uint8Array<ArrayBuffer>) => relay.fetch(await address(bytes), { headers }),
    has: async (bytes: Uint8Array<ArrayBuffer>) =>
      (await relay.fetch(await address(bytes), { method: "HEAD", headers })).status,
  };
}

const newSeal = () => toUtf8(`seal ${seals++} ${crypto.randomUUID()}`);

test("BLOB-11: a principal removes the sealed pages that it alone has put; nobody else but admin does", async () => {
  const [alice, bob, admin] = [await as("alice"), await as("bob"), await as("root", "admin")];
  const [one, other] = [newSeal(), newSeal()];
  for (const seal of [one, other]) expect(await alice.put(seal)).toBe(201);
  const refused = await bob.remove(one);
  expect([refused.status, await problemOf(refused)]).toMatchObject([403, { code: "edge/forbidden" }]);
  expect(await alice.put(one)).toBe(200);
  expect((await alice.remove(one)).status).toBe(204);
  expect((await alice.remove(one)).status).toBe(404);
  expect((await admin.remove(other)).status).toBe(204);
});

test("BLOB-11: whoever may not put removes nothing", async () => {
  const seal = newSeal();
  expect(await (await as("alice")).put(seal)).toBe(201);
  expect((await (await as("alice", "read refs:get write:own")).remove(seal)).status).toBe(403);
});

test("BLOB-12: any other reference is for admin alone to remove, whoever put it", async () => {
  const [alice, admin] = [await as("alice"), await as("root", "admin")];
  const bytes = newSeal();
  expect(await alice.put(bytes, "text/csv")).toBe(201);
  expect(await alice.put(bytes)).toBe(200);
  expect((await alice.remove(bytes)).status).toBe(403);
  expect((await admin.remove(bytes)).status).toBe(204);
});

test("BLOB-13: one that put a victim's sealed page first cannot remove it once the victim has put it", async () => {
  const [alice, mallory, admin] = [await as("alice"), await as("mallory"), await as("root", "admin")];
  const seal = newSeal();
  expect(await mallory.put(seal)).toBe(201);
  expect(await alice.put(seal)).toBe(200);
  for (const each of [mallory, alice]) expect((await each.remove(seal)).status).toBe(403);
  expect(new Uint8Array(await (await alice.read(seal)).arrayBuffer())).toEqual(seal);
  expect((await alice.read(seal)).headers.get("content-type")).toBe(sealContentType);
  expect((await admin.remove(seal)).status).toBe(204);
});

test("BLOB-13: nor does a claim with other bytes than the hash make it nobody's", async () => {
  const [alice, mallory] = [await as("alice"), await as("mallory")];
  const seal = newSeal();
  await alice.put(seal);
  const claim = await relay.fetch(`${referencesPath(room)}/${await sha256Hex(seal)}`, {
    method: "PUT",
    headers: { ...bearer(await validToken({ room, sub: "mallory", scope: everyday })) },
    body: newSeal(),
  });
  expect(claim.status).toBe(422);
  expect((await mallory.remove(seal)).status).toBe(403);
  expect((await env.BLOBS.head(`${room}/${await sha256Hex(seal)}`))?.customMetadata).toEqual({
    owner: "alice",
  });
  expect((await alice.remove(seal)).status).toBe(204);
});

test("BLOB-14: whoever asks whether the relay has something is not told of what another alone may remove", async () => {
  const [alice, mallory] = [await as("alice"), await as("mallory")];
  const bytes = newSeal();
  expect(await mallory.put(bytes)).toBe(201);
  expect([await mallory.has(bytes), await alice.has(bytes)]).toEqual([200, 404]);
  expect(await alice.put(bytes, "text/csv")).toBe(200);
  expect([await mallory.has(bytes), await alice.has(bytes)]).toEqual([200, 200]);
  expect((await mallory.remove(bytes)).status).toBe(403);
});
