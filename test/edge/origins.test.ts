import { describe, expect, test } from "vitest";
import { closeCodes, referencesPath, roomSubprotocol, socketPath } from "../../src/protocol/index.ts";
import { room, secret, validToken } from "../edge-core/tokens/token-cases.ts";
import { bearer, closureOf, problemOf, relayWith } from "./relay-with.ts";

const listed = "https://app.example.com";
const foreign = "https://evil.example.com";
const relay = relayWith({
  FLOCKSTATE_TOKEN_SECRET: secret,
  FLOCKSTATE_ORIGINS: `${listed},https://two.example.com`,
});
const reference = `${referencesPath(room)}/${"a".repeat(64)}`;
const socketFrom = async (origin: string, at = relay) =>
  closureOf(
    await at.upgrade(socketPath(room), [roomSubprotocol, `bearer.${await validToken()}`], { origin }),
  );
const fetchFrom = async (origin: string, at = relay) =>
  at.fetch(reference, { headers: { ...bearer(await validToken()), origin } });

describe("a page's origin", () => {
  test("ORIGIN-1: one that is listed is served, and may read problems too", async () => {
    const response = await fetchFrom(listed);
    expect(response.status).toBe(404);
    expect(response.headers.get("access-control-allow-origin")).toBe(listed);
    expect(response.headers.get("access-control-expose-headers")).toContain("x-request-id");
    expect(response.headers.get("vary")).toBe("Origin");
    const refused = await relay.fetch(reference, { headers: { origin: listed } });
    expect(refused.status).toBe(401);
    expect(refused.headers.get("access-control-allow-origin")).toBe(listed);
    expect(
      (await relay.fetch("/nothing", { headers: { origin: listed } })).headers.get(
        "access-control-allow-origin",
      ),
    ).toBe(listed);
    expect(await socketFrom(listed)).toBeUndefined();
  });

  test("ORIGIN-1: the relay's own is always served, and so is whoever has none", async () => {
    expect((await fetchFrom("http://localhost:8787")).status).toBe(404);
    expect(await socketFrom("http://localhost:8787")).toBeUndefined();
    const bare = await relay.fetch(reference, { headers: bearer(await validToken()) });
    expect(bare.status).toBe(404);
    expect(bare.headers.get("access-control-allow-origin")).toBeNull();
    expect(bare.headers.get("vary")).toBe("Origin");
  });

  test.each([
    ["a foreign origin", foreign],
    ["the opaque origin", "null"],
    ["another scheme", "http://app.example.com"],
    ["another port", "https://app.example.com:8443"],
    ["a domain below", "https://x.app.example.com"],
    ["a name that begins alike", "https://app.example.com.evil.example"],
    ["other letters", "https://APP.example.com"],
    ["this machine, outside of development", "http://localhost:5173"],
  ])("ORIGIN-2: %s is refused, whatever its token", async (_, origin) => {
    const before = relay.handed.length;
    const response = await fetchFrom(origin);
    expect(response.status).toBe(403);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(await problemOf(response)).toMatchObject({ code: "edge/origin-refused" });
    expect(await socketFrom(origin)).toEqual({ code: closeCodes.forbidden, reason: "edge/origin-refused" });
    expect(relay.handed.length).toBe(before);
  });

  test("ORIGIN-3: every origin is served only where that is set", async () => {
    const open = relayWith({ FLOCKSTATE_TOKEN_SECRET: secret, FLOCKSTATE_ORIGINS: "*" });
    const response = await fetchFrom(foreign, open);
    expect(response.status).toBe(404);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(await socketFrom(foreign, open)).toBeUndefined();
  });
});

describe("preflights", () => {
  const ask = (origin: string, method: string) =>
    relay.fetch(reference, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type,x-request-id",
      },
    });

  test.each(["GET", "PUT", "DELETE", "POST"])(
    "ORIGIN-4: %s is allowed to a listed origin, without a token",
    async (method) => {
      const response = await ask(listed, method);
      expect(response.status).toBe(204);
      expect(response.headers.get("access-control-allow-origin")).toBe(listed);
      expect(response.headers.get("access-control-allow-methods")).toContain(method);
      for (const header of ["authorization", "content-type", "if-none-match", "x-request-id"]) {
        expect(response.headers.get("access-control-allow-headers")).toContain(header);
      }
      expect(response.headers.get("access-control-allow-credentials")).toBeNull();
    },
  );

  test("ORIGIN-4: a foreign origin is allowed nothing", async () => {
    const response = await ask(foreign, "PUT");
    expect(response.status).toBe(403);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("access-control-allow-methods")).toBeNull();
  });
});
