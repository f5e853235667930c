import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { createTokenVerifier, type TokenVerifier } from "../../../src/edge/tokens/token-verifier.ts";
import { claims, room } from "./token-cases.ts";

interface IssuerKey {
  alg: string;
  publicKey: JWK;
  privateKey: JWK;
}

async function issuerKey(kid: string, alg = "EdDSA"): Promise<IssuerKey> {
  const pair = await generateKeyPair(alg, { extractable: true });
  const [publicKey, privateKey] = await Promise.all([exportJWK(pair.publicKey), exportJWK(pair.privateKey)]);
  return { alg, publicKey: { ...publicKey, kid, alg, use: "sig" }, privateKey: { ...privateKey, kid } };
}

const [old, next, elliptic] = await Promise.all([
  issuerKey("old"),
  issuerKey("new"),
  issuerKey("elliptic", "ES256"),
]);
let published: JWK[] = [];
let fetches = 0;
let failing = false;
const server = createServer((_, response) => {
  fetches++;
  response.writeHead(failing ? 500 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify({ keys: published }));
});
let verifier: TokenVerifier;

beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => new Promise<void>((resolve) => void server.close(() => resolve())));

beforeEach(() => {
  [published, fetches, failing] = [[old.publicKey, elliptic.publicKey], 0, false];
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys.json`);
  verifier = createTokenVerifier({ key: { kind: "jwks", url } });
});

afterEach(() => void vi.useRealTimers());

function tokenBy({ alg, privateKey }: IssuerKey, kid = privateKey.kid): Promise<string> {
  const token = new SignJWT(claims() as JWTPayload);
  return token.setProtectedHeader({ alg, ...(kid !== undefined && { kid }) }).sign(privateKey);
}

test("TOKEN-3: an issuer's keys are fetched once, and then kept", async () => {
  expect(await verifier.verify(await tokenBy(old), room)).toMatchObject({ principal: "alice" });
  expect(await verifier.verify(await tokenBy(elliptic), room)).toMatchObject({ principal: "alice" });
  expect(fetches).toBe(1);
});

test("TOKEN-3: a key that is not in the set is refused, and not asked for again within 30 s", async () => {
  await verifier.verify(await tokenBy(old), room);
  for (let attempt = 0; attempt < 3; attempt++) {
    await expect(verifier.verify(await tokenBy(next), room)).rejects.toMatchObject({
      code: "edge/token-invalid",
    });
  }
  expect(fetches).toBe(1);
});

test("TOKEN-3: a rotated key is found once the cool-down is over", async () => {
  await verifier.verify(await tokenBy(old), room);
  published = [next.publicKey];
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 31_000 });
  expect(await verifier.verify(await tokenBy(next), room)).toMatchObject({ principal: "alice" });
  await expect(verifier.verify(await tokenBy(old), room)).rejects.toMatchObject({
    code: "edge/token-invalid",
  });
  expect(fetches).toBe(2);
});

test("TOKEN-3: a token by another's key under a name of the set is refused", async () => {
  await expect(verifier.verify(await tokenBy(next, "old"), room)).rejects.toMatchObject({
    code: "edge/token-invalid",
  });
});

test("TOKEN-3: a secret in the set mints nothing: HS256 is not an algorithm of key sets", async () => {
  const k = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";
  published = [{ kty: "oct", k, kid: "shared", alg: "HS256" }];
  const token = await new SignJWT(claims() as JWTPayload)
    .setProtectedHeader({ alg: "HS256", kid: "shared" })
    .sign({ kty: "oct", k });
  await expect(verifier.verify(token, room)).rejects.toMatchObject({ code: "edge/token-invalid" });
  expect(fetches).toBe(0);
});

test("TOKEN-3: while the keys cannot be had nothing is refused for good", async () => {
  failing = true;
  await expect(verifier.verify(await tokenBy(old), room)).rejects.toMatchObject({ code: "edge/unavailable" });
  failing = false;
  expect(await verifier.verify(await tokenBy(old), room)).toMatchObject({ principal: "alice" });
});
