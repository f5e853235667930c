import { describe, expect, test } from "vitest";
import { sha256Hex, toUtf8 } from "../../src/base/index.ts";
import { administrationRoutes } from "../../src/edge/http/administration-routes.ts";
import { relayRoutes } from "../../src/edge/http/relay-routes.ts";
import type { Route } from "../../src/edge/http/route.ts";
import { closeCodes, tokenScopes } from "../../src/protocol/index.ts";
import { secret, validToken } from "../edge-core/tokens/token-cases.ts";
import { bearer, closureOf, problemOf, relayWith } from "./relay-with.ts";

const room = "scopes";
const relay = relayWith({ FLOCKSTATE_TOKEN_SECRET: secret });
const content = toUtf8("what the scopes are tried on");
const id = await sha256Hex(content);
const routes = [...Object.values(relayRoutes), ...Object.values(administrationRoutes)] as readonly Route[];

/** Which scope opens which route: said once more, since the declarations are what is tested. */
const expected: Record<string, string | readonly string[] | undefined> = {
  readHealth: undefined,
  readOpenApi: undefined,
  readMetrics: undefined,
  openRoomSocket: "read",
  openStockSocket: "read",
  putReference: "refs:put",
  getReference: "refs:get",
  deleteReference: ["refs:put", "admin"],
  readStatus: "admin",
  listDocuments: "admin",
  exportRoom: "admin",
  importRoom: "admin",
  deleteRoom: "admin",
  haltRoom: "admin",
  releaseRoom: "admin",
  revoke: "admin",
  listRevocations: "admin",
  readAudit: "admin",
};

test("SCOPE-1: every route says which scope it needs", () => {
  expect(Object.fromEntries(routes.map(({ id, needs, or }) => [id, or ? [needs, or] : needs]))).toEqual(
    expected,
  );
});

function addressOf({ path }: Route, of: string): string {
  return path
    .replace(":room", of)
    .replace(":id", id)
    .replace(/:document.*/, "shared");
}

function opens({ needs, or }: Route, scope: string): boolean {
  return scope === needs || scope === or;
}

describe("SCOPE-1: each scope against each route", () => {
  for (const route of routes.filter(({ needs }) => needs !== undefined)) {
    test.each(tokenScopes)(`${route.id} with %s`, async (scope) => {
      // A room of each route's own, since some of them end it.
      const of = `scopes-${route.id}`;
      const token = await validToken({ room: of, scope });
      if (route.upgrade) {
        const closure = await closureOf(
          await relay.upgrade(addressOf(route, of), ["flockstate.v1", `bearer.${token}`]),
        );
        const refused = { code: closeCodes.forbidden, reason: "edge/forbidden" };
        expect(closure).toEqual(opens(route, scope) ? undefined : refused);
        return;
      }
      const response = await relay.fetch(addressOf(route, of), {
        method: route.method,
        headers: bearer(token),
        ...(route.id === "putReference" && { body: content }),
      });
      if (opens(route, scope)) {
        expect([401, 403]).not.toContain(response.status);
        await response.body?.cancel();
        return;
      }
      expect(response.status).toBe(403);
      expect(response.headers.get("www-authenticate")).toBe('Bearer error="insufficient_scope"');
      const problem = await problemOf(response);
      expect(problem).toMatchObject({
        code: "edge/forbidden",
        detail: expect.stringContaining(String(route.needs)),
      });
    });
  }
});

test("SCOPE-2: a refused body is not stored, and HEAD needs what GET needs", async () => {
  const other = toUtf8("never stored");
  const address = `/v1/rooms/${room}/refs/${await sha256Hex(other)}`;
  const readOnly = bearer(await validToken({ room, scope: "read refs:get" }));
  const refused = await relay.fetch(address, { method: "PUT", headers: readOnly, body: other });
  expect(refused.status).toBe(403);
  expect((await relay.fetch(address, { method: "HEAD", headers: readOnly })).status).toBe(404);
  const writeOnly = bearer(await validToken({ room, scope: "refs:put" }));
  expect((await relay.fetch(address, { method: "HEAD", headers: writeOnly })).status).toBe(403);
});

test("SCOPE-3: another room's token opens nothing, and does not tell what that room has", async () => {
  const put = await validToken({ room, scope: "refs:put refs:get" });
  const path = `/v1/rooms/${room}/refs/${id}`;
  const stored = await relay.fetch(path, { method: "PUT", headers: bearer(put), body: content });
  expect(stored.ok).toBe(true);
  const other = bearer(await validToken({ room: "elsewhere", scope: "refs:get admin" }));
  const present = await problemOf(await relay.fetch(path, { headers: other }));
  const absent = await problemOf(await relay.fetch(path.replace(id, "b".repeat(64)), { headers: other }));
  expect(present).toMatchObject({ code: "edge/forbidden" });
  expect({ ...present, instance: "" }).toEqual({ ...absent, instance: "" });
  // Under its own room the same id is simply not there.
  const own = await relay.fetch(path.replace(room, "elsewhere"), { headers: other });
  expect(await problemOf(own)).toMatchObject({ code: "refstore/not-found" });
});
