import { env } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { sha256Hex, toUtf8 } from "../../src/base/index.ts";
import {
  auditSchema,
  documentsSchema,
  revocationsSchema,
  statusSchema,
} from "../../src/edge/http/schemas.ts";
import { closeCodes, referencesPath, roomSubprotocol, socketPath } from "../../src/protocol/index.ts";
import { pageOf, pageUpdates } from "../edge-core/documents.ts";
import { secret, validToken } from "../edge-core/tokens/token-cases.ts";
import { itemsOf, joinFrame, updateFrame } from "../edge-core/wire.ts";
import { listen, type RelayClient } from "./relay-client.ts";
import { bearer, problemOf, relayWith } from "./relay-with.ts";

const relay = relayWith({ FLOCKSTATE_TOKEN_SECRET: secret });
let rooms = 0;

interface Administered {
  room: string;
  ask(method: string, path: string, body?: BodyInit): Promise<Response>;
  join(): Promise<RelayClient>;
}

async function administered(): Promise<Administered> {
  const room = `admin-${rooms++}`;
  const admin = bearer(await validToken({ room, sub: "root", scope: "admin", jti: "admins" }));
  const member = await validToken({ room, sub: "alice" });
  return {
    room,
    ask: (method, path, body) =>
      relay.fetch(`/v1/rooms/${room}${path}`, {
        method,
        headers: admin,
        ...(body !== undefined && { body }),
      }),
    async join() {
      const { webSocket } = await relay.upgrade(socketPath(room), [roomSubprotocol, `bearer.${member}`]);
      if (!webSocket) throw new Error("No WebSocket.");
      const client = listen(webSocket, true);
      client.send(joinFrame());
      await client.until(() => itemsOf(client.items, "joined").length > 0 || client.closed !== undefined);
      return client;
    },
  };
}

/** Writes one page, and waits until it is acknowledged. */
async function write(client: RelayClient, page: number): Promise<void> {
  const from = client.items.length;
  client.send(updateFrame(pageOf(page, "alice.planner.x7"), pageUpdates(page, [page]), page));
  await client.item("acknowledge", from);
}

const writtenPages = 5;
async function written(): Promise<Administered & { client: RelayClient }> {
  const one = await administered();
  const client = await one.join();
  for (let page = 1; page <= writtenPages; page++) await write(client, page);
  return { ...one, client };
}

describe("what an administrator sees", () => {
  test("ADMIN-1: how a room stands", async () => {
    const { ask } = await written();
    const status = statusSchema.strict().parse(await (await ask("GET", "/status")).json());
    expect(status).toMatchObject({
      condition: "open",
      documents: writtenPages,
      rows: writtenPages,
      revocations: 0,
    });
    expect(status.bytes).toBeGreaterThan(0);
    expect(status.epoch).toMatch(/^[\w-]+$/);
  });

  test("ADMIN-2: its documents, page by page", async () => {
    const { ask } = await written();
    const names: string[] = [];
    for (let after = 0, more = true; more; ) {
      const response = await ask("GET", `/documents?after=${after}&limit=2`);
      const { documents } = documentsSchema.parse(await response.json());
      expect(documents.length).toBeLessThanOrEqual(2);
      names.push(...documents.map(({ name }) => name));
      more = documents.length > 0;
      after = documents.at(-1)?.id ?? after;
    }
    expect(names).toEqual([1, 2, 3, 4, 5].map((page) => pageOf(page, "alice.planner.x7")));
  });

  test("ADMIN-3: its audit trail, with those who asked", async () => {
    const { ask } = await written();
    await ask("POST", "/halt");
    const { entries } = auditSchema.parse(await (await ask("GET", "/audit?limit=1000")).json());
    expect(entries.filter(({ principal }) => principal === "alice")).toHaveLength(writtenPages);
    expect(entries.at(-1)).toMatchObject({
      principal: "root",
      tokenId: "admins",
      subject: "halt",
      verdict: "accepted",
    });
    const [first, second] = entries;
    const page = auditSchema.parse(await (await ask("GET", `/audit?after=${first?.id}&limit=1`)).json());
    expect(page.entries).toEqual([second]);
  });

  test("ADMIN-4: what was revoked", async () => {
    const { ask } = await administered();
    const empty = revocationsSchema.strict().parse(await (await ask("GET", "/revocations")).json());
    expect(empty).toEqual({ revocations: [] });
    for (const revocation of [
      { kind: "token", value: "the ключ" },
      { kind: "principal", value: "mallory" },
    ]) {
      expect((await ask("POST", "/revocations", JSON.stringify(revocation))).status).toBe(204);
    }
    const { revocations } = revocationsSchema.parse(await (await ask("GET", "/revocations")).json());
    expect(revocations).toHaveLength(2);
    expect(revocations).toEqual(
      expect.arrayContaining([
        { kind: "token", value: "the ключ", before: expect.any(Number) },
        { kind: "principal", value: "mallory", before: expect.any(Number) },
      ]),
    );
  });
});

describe("what an administrator does", () => {
  test("ADMIN-5: a halt is told to every socket, and ends with a release", async () => {
    const { ask, client } = await written();
    for (const [path, halted] of [
      ["/halt", true],
      ["/release", false],
    ] as const) {
      const from = client.items.length;
      expect((await ask("POST", path)).status).toBe(204);
      expect(await client.item("halted", from)).toEqual({ type: "halted", halted });
      expect(await (await ask("GET", "/status")).json()).toMatchObject({
        condition: halted ? "halted" : "open",
      });
    }
    await write(client, 9);
    expect(itemsOf(client.items, "refuse")).toEqual([]);
  });

  test("ADMIN-6: a deleted room closes its sockets, and keeps neither documents nor references", async () => {
    const { room, ask, client, join } = await written();
    const content = toUtf8("a reference of a room that goes");
    const id = await sha256Hex(content);
    const reference = `${referencesPath(room)}/${id}`;
    const headers = bearer(await validToken({ room }));
    expect((await relay.fetch(reference, { method: "PUT", headers, body: content })).status).toBe(201);
    const neighbour = `${room}0/${id}`;
    await env.BLOBS.put(neighbour, content);

    expect((await ask("DELETE", "")).status).toBe(204);
    await client.until(() => client.closed !== undefined);
    expect(client.closed).toEqual({ code: closeCodes.deleted, reason: "edge/room-deleted" });
    expect((await join()).closed).toEqual({ code: closeCodes.deleted, reason: "edge/room-deleted" });
    expect((await env.BLOBS.list({ prefix: `${room}/` })).objects).toEqual([]);
    expect(await env.BLOBS.head(neighbour)).not.toBeNull();
    for (const method of ["GET", "PUT"]) {
      const response = await relay.fetch(reference, {
        method,
        headers,
        ...(method === "PUT" && { body: content }),
      });
      expect(await problemOf(response)).toMatchObject({ code: "edge/room-deleted", status: 410 });
    }
    expect(await problemOf(await ask("GET", "/export"))).toMatchObject({ code: "edge/room-deleted" });
    expect(await problemOf(await ask("POST", "/halt"))).toMatchObject({ code: "edge/room-deleted" });
    expect(await (await ask("GET", "/status")).json()).toMatchObject({
      condition: "deleted",
      documents: 0,
      rows: 0,
    });
    const { entries } = auditSchema.parse(await (await ask("GET", "/audit?limit=1000")).json());
    expect(entries.at(-1)).toMatchObject({ principal: "root", subject: "delete" });
  });

  test("ADMIN-7: an export is a file, and what is none is not imported", async () => {
    const { room, ask } = await written();
    const archive = await ask("GET", "/export");
    expect(archive.headers.get("content-type")).toBe("application/vnd.flockstate.room");
    expect(archive.headers.get("content-disposition")).toBe(`attachment; filename="${room}.flockstate"`);
    expect(archive.headers.get("cache-control")).toBe("no-store");
    const bytes = await archive.arrayBuffer();
    const taken = await ask("PUT", "/import", bytes);
    expect(await problemOf(taken)).toMatchObject({ code: "edge/room-not-empty", status: 409 });
    const other = await administered();
    expect(await problemOf(await other.ask("PUT", "/import", "no archive"))).toMatchObject({
      code: "edge/invalid-archive",
      status: 422,
    });
    const imported = await other.ask("PUT", "/import", bytes);
    expect(imported.status).toBe(200);
    expect(await imported.json()).toMatchObject({ documents: writtenPages });
    expect((await other.join()).items.filter(({ type }) => type === "update")).toHaveLength(writtenPages);
  });
});

test("ADMIN-8: the question that the Worker asks a room is no route of the relay", async () => {
  const { ask } = await administered();
  expect(await problemOf(await ask("GET", "/admission"))).toMatchObject({ code: "edge/not-found" });
});

test("ADMIN-8: nobody says from outside what only the Worker may", async () => {
  const { room } = await administered();
  const grant = { principal: "root", scopes: ["admin"], tokenId: "x", issuedAt: 0 };
  const checked = encodeURIComponent(JSON.stringify({ room, grant, requestId: "x" }));
  const forged = { "x-flockstate-checked": checked };
  const path = `/v1/rooms/${room}/status`;
  expect(await problemOf(await relay.fetch(path, { headers: forged }))).toMatchObject({
    code: "edge/token-required",
  });
  const token = await validToken({ room, scope: "read" });
  const both = await relay.fetch(path, { headers: { ...forged, ...bearer(token) } });
  expect(await problemOf(both)).toMatchObject({ code: "edge/forbidden" });
});
