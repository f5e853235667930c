import { exportJWK, generateKeyPair } from "jose";
import { expect, test } from "vitest";
import { parseSettings, type RelayVariables } from "../../../src/edge/http/settings.ts";
import { defaultRoomLimits } from "../../../src/edge/index.ts";
import { secret } from "./token-cases.ts";

const { publicKey, privateKey } = await generateKeyPair("EdDSA", { extractable: true });
const [publicJwk, privateJwk] = await Promise.all([exportJWK(publicKey), exportJWK(privateKey)]);

test("SETTINGS-1: without any variable nobody is let in, and the limits are the defaults", () => {
  expect(parseSettings({})).toEqual({
    key: undefined,
    audience: "flockstate",
    issuer: undefined,
    origins: [],
    limits: defaultRoomLimits,
    retentionDays: 90,
    development: false,
    metricsToken: undefined,
    logLevel: "info",
  });
});

test("SETTINGS-1: what is set is read", () => {
  const settings = parseSettings({
    FLOCKSTATE_TOKEN_PUBLIC_KEY: JSON.stringify({ ...publicJwk, kid: "1", use: "sig", alg: "EdDSA" }),
    FLOCKSTATE_AUDIENCE: "ours",
    FLOCKSTATE_ISSUER: "https://issuer.example.com",
    FLOCKSTATE_ORIGINS: "https://app.example.com, http://localhost:5173",
    FLOCKSTATE_LIMITS: JSON.stringify({ documents: 7, connections: 3 }),
    FLOCKSTATE_RETENTION_DAYS: "0",
    FLOCKSTATE_METRICS_TOKEN: "m".repeat(32),
    FLOCKSTATE_LOG_LEVEL: "warn",
  });
  expect(settings).toEqual({
    key: { kind: "public-key", publicKey: publicJwk },
    audience: "ours",
    issuer: "https://issuer.example.com",
    origins: ["https://app.example.com", "http://localhost:5173"],
    limits: { ...defaultRoomLimits, documents: 7, connections: 3 },
    retentionDays: 0,
    development: false,
    metricsToken: "m".repeat(32),
    logLevel: "warn",
  });
});

test("SETTINGS-1: every origin is only served where that is said", () => {
  expect(parseSettings({ FLOCKSTATE_ORIGINS: "*" }).origins).toBe("*");
  expect(parseSettings({ FLOCKSTATE_ORIGINS: " " }).origins).toEqual([]);
});

test("SETTINGS-1: keys are fetched over https, or from this machine", () => {
  for (const url of ["https://issuer.example.com/keys", "http://localhost:9999/keys"]) {
    expect(parseSettings({ FLOCKSTATE_JWKS_URL: url }).key).toEqual({ kind: "jwks", url: new URL(url) });
  }
});

const wrong: [string, Record<string, unknown>][] = [
  ["a short secret", { FLOCKSTATE_TOKEN_SECRET: "x".repeat(31) }],
  ["two keys", { FLOCKSTATE_TOKEN_SECRET: secret, FLOCKSTATE_JWKS_URL: "https://issuer.example.com" }],
  ["a public key that is no JSON", { FLOCKSTATE_TOKEN_PUBLIC_KEY: "{" }],
  ["a private key in place of the public one", { FLOCKSTATE_TOKEN_PUBLIC_KEY: JSON.stringify(privateJwk) }],
  ["a key of another kind", { FLOCKSTATE_TOKEN_PUBLIC_KEY: '{"kty":"oct","k":"c2VjcmV0"}' }],
  ["a key for another use", { FLOCKSTATE_TOKEN_PUBLIC_KEY: JSON.stringify({ ...publicJwk, alg: "ES256" }) }],
  ["keys over http", { FLOCKSTATE_JWKS_URL: "http://issuer.example.com/keys" }],
  ["keys at no URL", { FLOCKSTATE_JWKS_URL: "issuer" }],
  ["an origin with a path", { FLOCKSTATE_ORIGINS: "https://app.example.com/" }],
  ["every origin beside one", { FLOCKSTATE_ORIGINS: "*,https://app.example.com" }],
  ["the opaque origin", { FLOCKSTATE_ORIGINS: "null" }],
  ["limits that are no JSON", { FLOCKSTATE_LIMITS: "documents=7" }],
  ["an unknown limit", { FLOCKSTATE_LIMITS: '{"document":7}' }],
  ["a limit of nothing", { FLOCKSTATE_LIMITS: '{"documents":0}' }],
  ["a limit that is text", { FLOCKSTATE_LIMITS: '{"documents":"7"}' }],
  ["updates larger than frames", { FLOCKSTATE_LIMITS: '{"updateBytes":1048576}' }],
  ["limits as an object", { FLOCKSTATE_LIMITS: { documents: 7 } }],
  ["days that are none", { FLOCKSTATE_RETENTION_DAYS: "-1" }],
  ["half a day", { FLOCKSTATE_RETENTION_DAYS: "0.5" }],
  ["more days than a century", { FLOCKSTATE_RETENTION_DAYS: "36501" }],
  ["development mode that is not 1", { FLOCKSTATE_DEVELOPMENT: "true" }],
  ["development mode with a key", { FLOCKSTATE_DEVELOPMENT: "1", FLOCKSTATE_TOKEN_SECRET: secret }],
  ["a short token for the metrics", { FLOCKSTATE_METRICS_TOKEN: "m".repeat(31) }],
  ["a level that the log does not have", { FLOCKSTATE_LOG_LEVEL: "loud" }],
  ["a variable that is none", { FLOCKSTATE_ORIGIN: "https://app.example.com" }],
];
test.each(wrong)(
  "SETTINGS-2: %s is edge/invalid-settings, which names the variable and not its value",
  (_, variables) => {
    let refusal: unknown;
    try {
      parseSettings(variables as RelayVariables);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({ code: "edge/invalid-settings" });
    expect(String(refusal)).toMatch(/FLOCKSTATE_/);
    expect(String(refusal)).not.toContain(secret);
    expect(String(refusal)).not.toContain(String(privateJwk.d));
  },
);
