import { exportJWK, generateKeyPair } from "jose";
import { afterEach, describe, expect, test, vi } from "vitest";
import { mintToken, type RelayVariables } from "../../src/edge/index.ts";
import {
  closeCodeOf,
  closeCodes,
  referencesPath,
  roomSubprotocol,
  socketPath,
} from "../../src/protocol/index.ts";
import { room, secret, tokenCases, validToken } from "../edge-core/tokens/token-cases.ts";
import { bearer, closureOf, problemOf, relayWith } from "./relay-with.ts";

const shared: RelayVariables = { FLOCKSTATE_TOKEN_SECRET: secret };
const reference = `${referencesPath(room)}/${"a".repeat(64)}`;
const stockPath = `/v1/rooms/${room}/docs/shared`;
const cases = await tokenCases();

describe("TOKEN-1: a token is judged before its room wakes", () => {
  for (const { title, settings, token, code } of cases) {
    test(`${title}: ${code ?? "holds"}`, async () => {
      const relay = relayWith(settings);
      const presented = await token();
      const response = await relay.fetch(reference, { headers: bearer(presented) });
      const socket = await relay.upgrade(socketPath(room), [roomSubprotocol, `bearer.${presented}`]);
      expect(socket.headers.get("sec-websocket-protocol")).toBe(roomSubprotocol);
      const closure = await closureOf(socket);
      const problem = await problemOf(response);
      if (code === undefined) {
        expect(problem).toMatchObject({ code: "refstore/not-found" });
        expect(closure).toBeUndefined();
        // What is handed on is the grant, never the token.
        expect(relay.handed).toHaveLength(2);
        for (const headers of relay.handed) expect(JSON.stringify([...headers])).not.toContain(presented);
        return;
      }
      expect(problem).toMatchObject({ code, status: code === "edge/forbidden" ? 403 : 401 });
      expect(response.headers.get("www-authenticate")).toMatch(/^Bearer error=/);
      expect(JSON.stringify([problem, ...response.headers, ...socket.headers])).not.toContain(presented);
      expect(closure).toEqual({ code: closeCodeOf(code), reason: code });
      expect(relay.handed).toHaveLength(0);
    });
  }
});

describe("where a token is looked for", () => {
  test("TOKEN-2: without one everything but health and the API's description is refused", async () => {
    const relay = relayWith(shared);
    const response = await relay.fetch(reference);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect(await problemOf(response)).toMatchObject({ code: "edge/token-required" });
    for (const [path, protocol] of [
      [socketPath(room), roomSubprotocol],
      [stockPath, "y-websocket"],
    ] as const) {
      expect(await closureOf(await relay.upgrade(path, [protocol]))).toEqual({
        code: closeCodes.unauthorized,
        reason: "edge/token-required",
      });
    }
    for (const path of ["/health", "/openapi.json"]) expect((await relay.fetch(path)).status).toBe(200);
    expect(relay.handed).toHaveLength(0);
  });

  test.each(["access_token", "token", "auth"])(
    "TOKEN-6: a token in the URL as %s is ignored",
    async (name) => {
      const relay = relayWith(shared);
      const query = `?${name}=${await validToken()}`;
      expect(await problemOf(await relay.fetch(reference + query))).toMatchObject({
        code: "edge/token-required",
      });
      expect(await closureOf(await relay.upgrade(socketPath(room) + query, [roomSubprotocol]))).toMatchObject(
        {
          reason: "edge/token-required",
        },
      );
    },
  );

  test("TOKEN-6: a socket's token is not taken from Authorization, nor a request's from a cookie", async () => {
    const relay = relayWith(shared);
    const token = await validToken();
    const socket = await relay.upgrade(socketPath(room), [roomSubprotocol], bearer(token));
    expect(await closureOf(socket)).toMatchObject({ reason: "edge/token-required" });
    const response = await relay.fetch(reference, { headers: { cookie: `token=${token}` } });
    expect(await problemOf(response)).toMatchObject({ code: "edge/token-required" });
  });

  test.each([
    ["Bearer TOKEN", "refstore/not-found"],
    ["bearer TOKEN", "refstore/not-found"],
    ["Bearer  TOKEN", "refstore/not-found"],
    ["Basic TOKEN", "edge/token-required"],
    ["TOKEN", "edge/token-required"],
    ["Bearer", "edge/token-required"],
    ["Bearer TOKEN TOKEN", "edge/token-required"],
  ])("TOKEN-6: Authorization: %s is %s", async (header, code) => {
    const relay = relayWith(shared);
    const authorization = header.replaceAll("TOKEN", await validToken());
    expect(await problemOf(await relay.fetch(reference, { headers: { authorization } }))).toMatchObject({
      code,
    });
  });

  test("TOKEN-7: a stock client brings it beside y-websocket, and only that is echoed", async () => {
    const relay = relayWith(shared);
    const token = await validToken();
    for (const offer of [
      ["y-websocket", `bearer.${token}`],
      [`bearer.${token}`, "y-websocket"],
    ]) {
      const socket = await relay.upgrade(stockPath, offer);
      expect(socket.headers.get("sec-websocket-protocol")).toBe("y-websocket");
      expect(await closureOf(socket)).toBeUndefined();
    }
  });

  test("TOKEN-7: a token that is offered alone is not echoed", async () => {
    const relay = relayWith(shared);
    const token = await validToken();
    for (const path of [stockPath, socketPath(room)]) {
      const socket = await relay.upgrade(path, [`bearer.${token}`]);
      expect(socket.headers.get("sec-websocket-protocol")).toBeNull();
      expect(JSON.stringify([...socket.headers])).not.toContain(token);
      socket.webSocket?.accept();
      socket.webSocket?.close(1000);
    }
  });
});

describe("an issuer that publishes its keys", () => {
  afterEach(() => void vi.restoreAllMocks());

  test("TOKEN-3: is asked once for all requests under the same settings", async () => {
    const { publicKey, privateKey } = await generateKeyPair("EdDSA", { extractable: true });
    const keys = [{ ...(await exportJWK(publicKey)), kid: "one", alg: "EdDSA" }];
    const asked = vi.spyOn(globalThis, "fetch").mockImplementation(async () => Response.json({ keys }));
    const relay = relayWith({ FLOCKSTATE_JWKS_URL: "https://issuer.example.com/keys" });
    const jwk = { ...(await exportJWK(privateKey)), kid: "one" };
    const token = await mintToken({ privateKey: jwk, room, subject: "alice", scopes: ["refs:get"] });
    for (let request = 0; request < 3; request++) {
      const response = await relay.fetch(reference, { headers: bearer(token) });
      expect(await problemOf(response)).toMatchObject({ code: "refstore/not-found" });
    }
    expect(asked.mock.calls.map(([url]) => url)).toEqual(["https://issuer.example.com/keys"]);
  });

  test("TOKEN-3: that cannot be reached is no verdict: 503, and a close that clients come back from", async () => {
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("unreachable"));
    const relay = relayWith({ FLOCKSTATE_JWKS_URL: "https://issuer.example.com/keys" });
    const { privateKey } = await generateKeyPair("EdDSA", { extractable: true });
    const token = await mintToken({
      privateKey: await exportJWK(privateKey),
      room,
      subject: "alice",
      scopes: ["read", "refs:get"],
    });
    const response = await relay.fetch(reference, { headers: bearer(token) });
    expect(await problemOf(response)).toMatchObject({ code: "edge/unavailable", status: 503 });
    expect(
      await closureOf(await relay.upgrade(socketPath(room), [roomSubprotocol, `bearer.${token}`])),
    ).toEqual({
      code: closeCodes.unavailable,
      reason: "edge/unavailable",
    });
  });
});

describe("a relay without a key", () => {
  test("TOKEN-8: refuses everything but health, with or without a token", async () => {
    const relay = relayWith({});
    for (const headers of [{}, bearer(await validToken())]) {
      const response = await relay.fetch(reference, { headers });
      expect(response.status).toBe(503);
      expect(await problemOf(response)).toMatchObject({ code: "edge/not-configured" });
    }
    for (const offer of [[roomSubprotocol], [roomSubprotocol, `bearer.${await validToken()}`]]) {
      expect(await closureOf(await relay.upgrade(socketPath(room), offer))).toEqual({
        code: closeCodes.forbidden,
        reason: "edge/not-configured",
      });
    }
    expect((await relay.fetch("/health")).status).toBe(200);
    expect(relay.handed).toHaveLength(0);
  });

  test("TOKEN-8: is in development mode by its setting alone, and then for its own machine alone", async () => {
    const relay = relayWith({ FLOCKSTATE_DEVELOPMENT: "1" });
    expect(await problemOf(await relay.fetch(reference))).toMatchObject({ code: "refstore/not-found" });
    const remote = `https://relay.example.com${reference}`;
    expect(await problemOf(await relay.fetch(remote))).toMatchObject({ code: "edge/not-local" });
    const rebound = await relay.fetch(reference, { headers: { host: "relay.example.com" } });
    expect(await problemOf(rebound)).toMatchObject({ code: "edge/not-local" });
    const foreign = await relay.upgrade(socketPath(room), [roomSubprotocol], {
      origin: "https://example.com",
    });
    expect(await problemOf(foreign)).toMatchObject({ code: "edge/not-local" });
  });

  test("SETTINGS-3: serves nothing at all while a setting is wrong", async () => {
    const relay = relayWith({ FLOCKSTATE_TOKEN_SECRET: "short" });
    for (const path of ["/health", reference]) {
      const response = await relay.fetch(path, { headers: bearer(await validToken()) });
      expect(response.status).toBe(503);
      expect(await problemOf(response)).toMatchObject({ code: "edge/invalid-settings" });
    }
    // Who sets it right again need not tell every client: they come again by themselves.
    expect(await closureOf(await relay.upgrade(socketPath(room), [roomSubprotocol]))).toEqual({
      code: closeCodes.unavailable,
      reason: "edge/invalid-settings",
    });
  });
});
