import { SELF } from "cloudflare:test";
import { expect, test } from "vitest";
import { origin, upgrade } from "./relay-client.ts";

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
  expect(await response.json()).toEqual({
    code: "edge/not-local",
    message: expect.stringContaining("localhost"),
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

test("HTTP-6: what the relay does not have is a 404 with a code", async () => {
  const response = await SELF.fetch(`${origin}/v1/nothing`);
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ code: "edge/not-found" });
});
