import { SELF } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { secret, validToken } from "../edge-core/tokens/token-cases.ts";
import { origin, upgrade } from "./relay-client.ts";
import { bearer, problemOf, relayWith } from "./relay-with.ts";

test("HTTP-4: /health says that the relay is up, and its version", async () => {
  const response = await SELF.fetch(`${origin}/health`);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: "ok", version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
});

test.each([
  ["a foreign host", "http://relay.example.com/health", {}],
  ["a host that only begins like this machine", "http://localhost.example.com/health", {}],
  ["a foreign origin", `${origin}/health`, { origin: "https://example.com" }],
  ["an opaque origin", `${origin}/v1/rooms/a/socket`, { origin: "null", upgrade: "websocket" }],
])("HTTP-5: %s is refused with 403", async (_, url, headers) => {
  const response = await SELF.fetch(url, { headers: headers as Record<string, string> });
  expect(response.status).toBe(403);
  expect(await problemOf(response)).toMatchObject({
    code: "edge/not-local",
    detail: expect.stringContaining("localhost"),
  });
});

test.each([
  ["http://localhost:1234/health", undefined],
  ["http://127.0.0.1:8787/health", "http://localhost:5173"],
  ["http://[::1]:8787/health", "http://[::1]:3000"],
])("HTTP-5: %s with origin %s is served", async (url, from) => {
  const response = await SELF.fetch(url, from ? { headers: { origin: from } } : {});
  expect(response.status).toBe(200);
  await response.body?.cancel();
});

test("HTTP-5: a socket from a foreign origin is refused before any room wakes", async () => {
  const response = await upgrade("/v1/rooms/a/socket", ["flockstate.v1"], { origin: "https://example.com" });
  expect(response.status).toBe(403);
  expect(response.webSocket).toBeNull();
  await response.body?.cancel();
});

test.each(["GET", "POST", "PATCH"])(
  "HTTP-6: what the relay does not have is a 404 with a code, by %s",
  async (method) => {
    const response = await SELF.fetch(`${origin}/v1/nothing`, { method });
    expect(response.status).toBe(404);
    expect(await problemOf(response)).toMatchObject({ code: "edge/not-found" });
  },
);

describe("problems", () => {
  test("HTTP-7: are RFC 9457, and name the request", async () => {
    const response = await SELF.fetch(`${origin}/v1/rooms/a%20b/refs/x`, {
      headers: { "x-request-id": "mine-1" },
    });
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await problemOf(response)).toEqual({
      type: "about:blank",
      title: "Bad Request",
      status: 400,
      detail: expect.any(String),
      instance: "mine-1",
      code: "protocol/invalid-room",
    });
  });

  test("HTTP-7: of a request that does not follow its schema name the field", async () => {
    const relay = relayWith({ FLOCKSTATE_TOKEN_SECRET: secret });
    const headers = bearer(await validToken({ room: "problems", scope: "admin" }));
    for (const query of ["after=-1", "after=x", "limit=0", "limit=1001", "more=1"]) {
      const response = await relay.fetch(`/v1/rooms/problems/audit?${query}`, { headers });
      expect(response.status).toBe(400);
      expect(await problemOf(response)).toMatchObject({ code: "edge/invalid-request" });
    }
    for (const body of [
      "",
      "{",
      "[]",
      '{"kind":"token"}',
      '{"kind":"room","value":"x"}',
      '{"kind":"token","value":""}',
      "x".repeat(20_000),
    ]) {
      const response = await relay.fetch("/v1/rooms/problems/revocations", { method: "POST", headers, body });
      expect(response.status).toBe(400);
      expect(await problemOf(response)).toMatchObject({ code: "edge/invalid-request" });
    }
  });
});

describe("X-Request-ID", () => {
  test.each(["a", "0b9d2c1e-8f8c-4d8f-9a55-111111111111", "x".repeat(64)])(
    "HTTP-8: %s is returned as it came",
    async (id) => {
      const response = await SELF.fetch(`${origin}/health`, { headers: { "x-request-id": id } });
      expect(response.headers.get("x-request-id")).toBe(id);
      await response.body?.cancel();
    },
  );

  test.each(["x".repeat(65), "a b", "<script>", ""])(
    "HTTP-8: in place of %j comes one of the relay's",
    async (id) => {
      const response = await SELF.fetch(`${origin}/health`, { headers: { "x-request-id": id } });
      expect(response.headers.get("x-request-id")).toMatch(/^[\w-]{22}$/);
      await response.body?.cancel();
    },
  );

  test("HTTP-8: every answer has one, upgrades and preflights too", async () => {
    const ids = new Set<string | null>();
    const socket = await upgrade("/v1/rooms/ids/socket", ["flockstate.v1"]);
    socket.webSocket?.accept();
    socket.webSocket?.close(1000);
    ids.add(socket.headers.get("x-request-id"));
    for (const [path, method] of [
      ["/health", "GET"],
      ["/nothing", "GET"],
      [`/v1/rooms/ids/refs/${"a".repeat(64)}`, "HEAD"],
      [`/v1/rooms/ids/refs/${"a".repeat(64)}`, "OPTIONS"],
    ] as const) {
      const headers = { origin: "http://localhost:1", "access-control-request-method": "PUT" };
      const response = await SELF.fetch(origin + path, { method, headers });
      ids.add(response.headers.get("x-request-id"));
      await response.body?.cancel();
    }
    expect(ids.size).toBe(5);
    expect(ids).not.toContain(null);
  });
});
