import { decodeJwt, exportJWK, generateKeyPair } from "jose";
import { expect, test } from "vitest";
import { createAccess } from "../../../src/edge/http/access.ts";
import { parseSettings, type RelayVariables } from "../../../src/edge/http/settings.ts";
import { type MintTokenOptions, mintShareLink, mintToken } from "../../../src/edge/index.ts";
import { readShareLink } from "../../../src/protocol/index.ts";
import { room, secret } from "./token-cases.ts";

const terms = { room, subject: "alice", scopes: ["read", "write:own"] as const };

function judge(variables: RelayVariables, token: string) {
  return createAccess(parseSettings(variables)).tokens.verify(token, room);
}

test("TOKEN-4: what is minted with the relay's secret holds there, for an hour", async () => {
  const nowMs = Math.floor(Date.now() / 1000) * 1000;
  const token = await mintToken({ secret, ...terms, clock: { now: () => nowMs } });
  expect(await judge({ FLOCKSTATE_TOKEN_SECRET: secret }, token)).toEqual({
    principal: "alice",
    scopes: ["read", "write:own"],
    expiresAt: nowMs + 3_600_000,
    issuedAt: nowMs,
    tokenId: expect.stringMatching(/^[\w-]{22}$/),
  });
});

test("TOKEN-4: what is minted with an issuer's private key holds at relays that know its public half", async () => {
  const pair = await generateKeyPair("EdDSA", { extractable: true });
  const token = await mintToken({ privateKey: await exportJWK(pair.privateKey), ...terms, id: "mine" });
  const publicKey = JSON.stringify(await exportJWK(pair.publicKey));
  const grant = await judge({ FLOCKSTATE_TOKEN_PUBLIC_KEY: publicKey }, token);
  expect(grant).toMatchObject({ principal: "alice", tokenId: "mine" });
});

test("TOKEN-4: every token has an id of its own, and says audience and issuer where they are given", async () => {
  const mint = () => mintToken({ secret, ...terms, audience: "ours", issuer: "us" });
  const [one, other] = [decodeJwt(await mint()), decodeJwt(await mint())];
  expect(one.jti).not.toBe(other.jti);
  expect(one).toMatchObject({ aud: "ours", iss: "us", room });
});

const cannot: [string, Partial<MintTokenOptions>, string][] = [
  ["a secret of 31 bytes", { secret: "x".repeat(31) }, "edge/invalid-settings"],
  ["a room that is no id", { room: "a b" }, "protocol/invalid-room"],
  ["no scope", { scopes: [] }, "edge/token-invalid"],
  ["a word that is no scope", { scopes: ["write" as "read"] }, "edge/token-invalid"],
  ["no subject", { subject: "" }, "edge/token-invalid"],
  ["an id of 65 characters", { id: "x".repeat(65) }, "edge/token-invalid"],
  ["an end past the last moment", { expiresInMs: Number.POSITIVE_INFINITY }, "edge/token-invalid"],
];
test.each(cannot)("TOKEN-4: nothing is minted with %s", async (_, replaced, code) => {
  const options = { secret, ...terms, ...replaced } as MintTokenOptions;
  await expect(mintToken(options)).rejects.toMatchObject({ code });
});

test("TOKEN-4: an RSA key mints nothing", async () => {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  await expect(mintToken({ privateKey: await exportJWK(privateKey), ...terms })).rejects.toMatchObject({
    code: "edge/invalid-settings",
  });
});

test("TOKEN-5: a share link carries a token that only reads, and only in its fragment", async () => {
  const link = await mintShareLink({ secret, room, page: "https://app.example.com/board?view=1#old" });
  expect(link).toMatch(/^https:\/\/app\.example\.com\/board\?view=1#/);
  const shared = readShareLink(link);
  expect(shared).toMatchObject({ room, principal: expect.stringMatching(/^guest-/) });
  const [address] = link.split("#");
  expect(address).not.toContain(shared?.token);
  expect(await judge({ FLOCKSTATE_TOKEN_SECRET: secret }, shared?.token ?? "")).toMatchObject({
    principal: shared?.principal,
    scopes: ["read", "refs:get"],
  });
});

test("TOKEN-5: a share link may let its readers be seen", async () => {
  const link = await mintShareLink({ secret, room, page: "https://app.example.com", presence: true });
  const { token = "" } = readShareLink(link) ?? {};
  expect((await judge({ FLOCKSTATE_TOKEN_SECRET: secret }, token)).scopes).toEqual([
    "read",
    "presence",
    "refs:get",
  ]);
});

test.each([
  "https://app.example.com/board",
  "https://app.example.com/board#section",
  "https://app.example.com/board#room=team-42",
  "https://app.example.com/board#room=team%2042&principal=guest&token=x",
  "https://app.example.com/board?room=team-42&principal=guest&token=x",
])("TOKEN-5: %s is no share link", (url) => {
  expect(readShareLink(url)).toBeUndefined();
});
