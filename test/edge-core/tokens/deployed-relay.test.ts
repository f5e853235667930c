import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type RelayProcess, startRelay } from "../../../scripts/lib/relay-process.mjs";
import { toUtf8 } from "../../../src/base/index.ts";
import { mintToken } from "../../../src/edge/index.ts";
import { referencesPath, roomSubprotocol, socketPath } from "../../../src/protocol/index.ts";
import { createHttpStore } from "../../../src/refstore/index.ts";

const room = "deployed";
const persistDir = mkdtempSync(join(tmpdir(), "flockstate-deployed-"));
const pair = await generateKeyPair("EdDSA", { extractable: true });
const [publicKey, privateKey] = await Promise.all([exportJWK(pair.publicKey), exportJWK(pair.privateKey)]);
const kid = "of-the-issuer";
const issuer = createServer((_, response) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ keys: [{ ...publicKey, kid, alg: "EdDSA", use: "sig" }] }));
});
const printed: string[] = [];
let relay: RelayProcess;

beforeAll(async () => {
  await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
  const { port } = issuer.address() as AddressInfo;
  relay = await startRelay({
    persistDir,
    variables: { FLOCKSTATE_JWKS_URL: `http://127.0.0.1:${port}/keys`, FLOCKSTATE_ISSUER: "issuer" },
    log: (line) => printed.push(line),
  });
});

afterAll(async () => {
  await relay.kill();
  issuer.close();
  rmSync(persistDir, { recursive: true, force: true });
});

function mint(subject: string, replaced: { issuer?: string } = {}): Promise<string> {
  return mintToken({
    privateKey: { ...privateKey, kid },
    issuer: "issuer",
    room,
    subject,
    scopes: ["read", "refs:get", "refs:put"],
    ...replaced,
  });
}

function storeWith(token: string) {
  const baseUrl = `${relay.url}${referencesPath(room)}`;
  return createHttpStore({ baseUrl, headers: () => ({ authorization: `Bearer ${token}` }) });
}

/** Opens a socket until the relay speaks or closes it. */
function knock(token: string): Promise<{ protocol: string; close?: string }> {
  return new Promise((resolve, reject) => {
    const protocols = [roomSubprotocol, `bearer.${token}`];
    const socket = new WebSocket(`ws://localhost:${relay.port}${socketPath(room)}`, protocols);
    socket.once("error", reject);
    socket.once("open", () => socket.ping());
    socket.once("pong", () => {
      resolve({ protocol: socket.protocol });
      socket.close();
    });
    socket.once("close", (code, reason) =>
      resolve({ protocol: socket.protocol, close: `${code} ${reason}` }),
    );
  });
}

test("TOKEN-14: a relay over an issuer's published keys takes its tokens, and no others", async () => {
  const token = await mint("alice");
  const reference = await storeWith(token).put(toUtf8("checked by a key that was fetched"));
  expect(await storeWith(token).has(reference.id)).toBe(true);
  const other = await mint("alice", { issuer: "other" });
  await expect(storeWith(other).get(reference)).rejects.toMatchObject({
    code: "refstore/refused",
    details: { status: 401, code: "edge/token-invalid" },
  });
  expect(await knock(token)).toEqual({ protocol: roomSubprotocol });
  expect(await knock(other)).toEqual({ protocol: roomSubprotocol, close: "4401 edge/token-invalid" });
});

test("TOKEN-14: outside of development mode nobody is served without a token, not even this machine", async () => {
  await expect(storeWith("").has("a".repeat(64))).rejects.toMatchObject({ code: "refstore/refused" });
  expect((await fetch(`${relay.url}/health`)).status).toBe(200);
});

test("TOKEN-14: no token is printed", async () => {
  const token = await mint("mallory", { issuer: "other" });
  await knock(token);
  await storeWith(token)
    .has("a".repeat(64))
    .catch(() => {});
  await relay.kill();
  expect(printed.join("\n")).not.toContain(token);
  expect(printed.join("\n")).not.toContain(token.split(".")[1]);
});
