import { base64url, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import type { ErrorCode } from "../../../src/base/index.ts";
import type { RelayVariables } from "../../../src/edge/http/settings.ts";

/** The moment at which the cases are judged. */
export const nowMs = Date.now();
const now = Math.floor(nowMs / 1000);

export const room = "team-42";
export const secret = "a secret of exactly 32 bytes, ok";
const otherSecret = "another secret of 32 bytes, well";

/** The claims of a token that holds, unless some are replaced or, undefined, left out. */
export function claims(replaced: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    aud: "flockstate",
    room,
    sub: "alice",
    scope: "read write:own write:shared presence refs:get refs:put",
    iat: now,
    exp: now + 600,
    jti: "token-1",
    ...replaced,
  };
}

type Key = Uint8Array | JWK;

function sign(
  payload: Record<string, unknown>,
  key: Key = bytes(secret),
  header: Record<string, unknown> = {},
) {
  return new SignJWT(payload as JWTPayload).setProtectedHeader({ alg: "HS256", ...header }).sign(key);
}

/** A token whose parts are written by hand. */
function handmade(header: unknown, payload: unknown, signature = ""): string {
  const encode = (value: unknown) => base64url.encode(JSON.stringify(value));
  return `${encode(header)}.${encode(payload)}.${signature}`;
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function keyPair(alg: string): Promise<{ publicKey: JWK; privateKey: JWK }> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { publicKey: await exportJWK(publicKey), privateKey: await exportJWK(privateKey) };
}

/** An issuer's keys. */
export interface Issuer {
  publicKey: JWK;
  privateKey: JWK;
}

/** One token, the relay that judges it, and the verdict. */
export interface TokenCase {
  title: string;
  settings: RelayVariables;
  token: () => Promise<string> | string;
  /** The code of the refusal; undefined where the token holds. */
  code?: ErrorCode;
  /** What the refusal says, in part. */
  says?: string;
  /** What a token that holds comes to, in part. */
  grant?: Record<string, unknown>;
}

const shared: RelayVariables = { FLOCKSTATE_TOKEN_SECRET: secret };

/** Tokens at relays that share a secret with whoever mints. */
function secretCases(other: Issuer): TokenCase[] {
  const holds = (
    title: string,
    token: TokenCase["token"],
    grant: Record<string, unknown> = {},
  ): TokenCase => ({
    title,
    settings: shared,
    token,
    grant,
  });
  const refused = (title: string, code: ErrorCode, token: TokenCase["token"]): TokenCase => ({
    title,
    settings: shared,
    token,
    code,
  });
  const invalid = (title: string, replaced: Record<string, unknown>) =>
    refused(title, "edge/token-invalid", () => sign(claims(replaced)));
  const withIssuer = { ...shared, FLOCKSTATE_ISSUER: "https://issuer.example.com" };
  return [
    holds("every claim", () => sign(claims()), {
      principal: "alice",
      scopes: ["read", "write:own", "write:shared", "presence", "refs:get", "refs:put"],
      expiresAt: (now + 600) * 1000,
      tokenId: "token-1",
      issuedAt: now * 1000,
    }),
    holds("a subject outside the grammar of ids", () => sign(claims({ sub: "alice@example.com" })), {
      principal: "_42YGfwOEr8NJIkuRZh-JJ",
    }),
    holds("words that are no scopes", () => sign(claims({ scope: "openid read refs:get *" })), {
      scopes: ["read", "refs:get"],
    }),
    holds("several audiences", () => sign(claims({ aud: ["other", "flockstate"] }))),
    holds("no iat", () => sign(claims({ iat: undefined })), { issuedAt: 0 }),
    holds("nbf just ahead", () => sign(claims({ nbf: now + 4 }))),
    holds("iat just ahead", () => sign(claims({ iat: now + 4 }))),
    holds("an exp with a fraction", () => sign(claims({ exp: now + 600.5 })), {
      expiresAt: (now + 600.5) * 1000,
    }),
    holds("an id with any characters", () => sign(claims({ jti: "ключ" })), { tokenId: "ключ" }),
    refused("expired", "edge/token-expired", () => sign(claims({ exp: now - 60 }))),
    refused("expired within the tolerance for nbf", "edge/token-expired", () =>
      sign(claims({ exp: now - 1 })),
    ),
    ...["aud", "room", "sub", "scope", "exp", "jti"].map((claim) => ({
      ...invalid(`no ${claim}`, { [claim]: undefined }),
      says: `lacks the claim ${claim}`,
    })),
    invalid("exp as text", { exp: String(now + 600) }),
    invalid("exp past the last moment", { exp: 1e300 }),
    invalid("a room that is no id", { room: "team 42" }),
    invalid("a list of rooms", { room: [room] }),
    invalid("a scope of ours nowhere", { scope: "openid email" }),
    invalid("a list of scopes", { scope: ["read"] }),
    invalid("an empty subject", { sub: "" }),
    invalid("a subject that is a number", { sub: 7 }),
    invalid("an empty id", { jti: "" }),
    invalid("an id of 65 characters", { jti: "x".repeat(65) }),
    invalid("another audience", { aud: "other" }),
    invalid("audiences without ours", { aud: ["other", "another"] }),
    invalid("nbf in the future", { nbf: now + 60 }),
    invalid("iat in the future", { iat: now + 60 }),
    refused("another room", "edge/forbidden", () => sign(claims({ room: "team-43" }))),
    refused("another secret", "edge/token-invalid", () => sign(claims(), bytes(otherSecret))),
    refused("HS384 with the right secret", "edge/token-invalid", () =>
      sign(claims(), bytes(secret.repeat(2)), { alg: "HS384" }),
    ),
    refused("EdDSA where a secret is set", "edge/token-invalid", () =>
      sign(claims(), other.privateKey, { alg: "EdDSA" }),
    ),
    refused("a key of its own in the header", "edge/token-invalid", () =>
      sign(claims(), other.privateKey, { alg: "EdDSA", jwk: other.publicKey }),
    ),
    refused("algorithm none", "edge/token-invalid", () => handmade({ alg: "none" }, claims())),
    refused("algorithm none in other letters", "edge/token-invalid", () =>
      handmade({ alg: "nOnE" }, claims()),
    ),
    refused("no algorithm", "edge/token-invalid", () => handmade({ typ: "JWT" }, claims(), "c2ln")),
    refused("a signature removed", "edge/token-invalid", async () =>
      (await sign(claims())).replace(/[^.]*$/, ""),
    ),
    refused("claims altered after signing", "edge/token-invalid", async () => {
      const [header, , signature] = (await sign(claims())).split(".");
      return `${header}.${base64url.encode(JSON.stringify(claims({ scope: "admin" })))}.${signature}`;
    }),
    refused("an extension that must be understood", "edge/token-invalid", () =>
      handmade({ alg: "HS256", crit: ["exp"], exp: 1 }, claims(), "c2ln"),
    ),
    refused("claims that are a list", "edge/token-invalid", async () => {
      const signed = handmade({ alg: "HS256" }, [claims()]);
      const key = await crypto.subtle.importKey(
        "raw",
        bytes(secret) as Uint8Array<ArrayBuffer>,
        { name: "HMAC", hash: "SHA-256" },
        false,
        ["sign"],
      );
      const signature = await crypto.subtle.sign(
        "HMAC",
        key,
        bytes(signed.slice(0, -1)) as Uint8Array<ArrayBuffer>,
      );
      return signed + base64url.encode(new Uint8Array(signature));
    }),
    refused("garbage", "edge/token-invalid", () => "garbage"),
    refused("three empty parts", "edge/token-invalid", () => ".."),
    refused("five parts", "edge/token-invalid", () => "a.b.c.d.e"),
    refused("longer than 4,096 characters", "edge/token-invalid", () =>
      sign(claims({ note: "x".repeat(4_096) })),
    ),
    {
      title: "the issuer that is asked for",
      settings: withIssuer,
      token: () => sign(claims({ iss: "https://issuer.example.com" })),
    },
    {
      title: "another issuer",
      settings: withIssuer,
      token: () => sign(claims({ iss: "https://issuer.example.org" })),
      code: "edge/token-invalid",
    },
    {
      title: "no issuer where one is asked for",
      settings: withIssuer,
      token: () => sign(claims()),
      code: "edge/token-invalid",
    },
    {
      title: "the audience of a relay that has its own",
      settings: { ...shared, FLOCKSTATE_AUDIENCE: "ours" },
      token: () => sign(claims({ aud: "ours" })),
    },
    {
      title: "the default audience at a relay that has its own",
      settings: { ...shared, FLOCKSTATE_AUDIENCE: "ours" },
      token: () => sign(claims()),
      code: "edge/token-invalid",
    },
  ];
}

/** Tokens at relays that know an issuer's public key. */
function publicKeyCases(issuer: Issuer, other: Issuer, elliptic: Issuer): TokenCase[] {
  const settings = { FLOCKSTATE_TOKEN_PUBLIC_KEY: JSON.stringify(issuer.publicKey) };
  const { x = "" } = issuer.publicKey;
  const confusions: [string, string | Uint8Array][] = [
    ["as JSON", JSON.stringify(issuer.publicKey)],
    ["as text", x],
    ["as bytes", base64url.decode(x)],
  ];
  return [
    {
      title: "EdDSA",
      settings,
      token: () => sign(claims(), issuer.privateKey, { alg: "EdDSA" }),
      grant: { principal: "alice", tokenId: "token-1" },
    },
    {
      title: "EdDSA under its newer name",
      settings,
      token: () => sign(claims(), issuer.privateKey, { alg: "Ed25519" }),
    },
    {
      title: "EdDSA, expired",
      settings,
      token: () => sign(claims({ exp: now - 60 }), issuer.privateKey, { alg: "EdDSA" }),
      code: "edge/token-expired",
    },
    {
      title: "EdDSA by another key",
      settings,
      token: () => sign(claims(), other.privateKey, { alg: "EdDSA" }),
      code: "edge/token-invalid",
    },
    {
      title: "ES256 where EdDSA is pinned",
      settings,
      token: () => sign(claims(), elliptic.privateKey, { alg: "ES256" }),
      code: "edge/token-invalid",
    },
    ...confusions.map(
      ([how, key]): TokenCase => ({
        title: `HS256 with the public key ${how} for a secret`,
        settings,
        token: () => sign(claims(), typeof key === "string" ? bytes(key) : key),
        code: "edge/token-invalid",
      }),
    ),
  ];
}

/** Every case, over keys of its own. */
export async function tokenCases(): Promise<TokenCase[]> {
  const [issuer, other, elliptic] = await Promise.all([
    keyPair("Ed25519"),
    keyPair("Ed25519"),
    keyPair("ES256"),
  ]);
  return [...secretCases(other), ...publicKeyCases(issuer, other, elliptic)];
}

/** A token that holds at a relay with the shared secret. */
export function validToken(replaced: Record<string, unknown> = {}): Promise<string> {
  return sign(claims(replaced));
}
