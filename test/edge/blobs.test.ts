import { env, SELF } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { sha256Hex, toUtf8 } from "../../src/base/index.ts";
import { maxReferenceBytes, referencesPath } from "../../src/protocol/index.ts";
import { origin } from "./relay-client.ts";

const room = "blobs";
const urlOf = (id: string, inRoom = room) => `${origin}${referencesPath(inRoom)}/${id}`;
let uploads = 0;
const uniqueBytes = () => toUtf8(`upload ${uploads++} ${crypto.randomUUID()}`);

async function put(bytes: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const id = await sha256Hex(bytes);
  return { id, response: await SELF.fetch(urlOf(id), { method: "PUT", body: bytes, headers }) };
}

async function codeOf(response: Response): Promise<unknown> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  return ((await response.json()) as { code: unknown }).code;
}

describe("storing", () => {
  test("BLOB-1: new bytes are 201, the same again 200, and they read back", async () => {
    const bytes = uniqueBytes();
    const first = await put(bytes, { "content-type": "text/csv", "if-none-match": "*" });
    expect(first.response.status).toBe(201);
    expect((await put(bytes)).response.status).toBe(200);
    const read = await SELF.fetch(urlOf(first.id));
    expect(read.headers.get("content-type")).toBe("text/csv");
    expect(new Uint8Array(await read.arrayBuffer())).toEqual(bytes);
  });

  test("BLOB-2: bytes of another hash are refused with 422, and nothing is stored", async () => {
    const id = await sha256Hex(uniqueBytes());
    const response = await SELF.fetch(urlOf(id), { method: "PUT", body: uniqueBytes() });
    expect(response.status).toBe(422);
    expect(await codeOf(response)).toBe("refstore/corrupt");
    expect(await env.BLOBS.head(`${room}/${id}`)).toBeNull();
    expect((await env.BLOBS.list({ prefix: `${room}/${id}` })).objects).toEqual([]);
  });

  test("BLOB-2: a body without a length is hashed as well", async () => {
    const bytes = uniqueBytes();
    const id = await sha256Hex(bytes);
    const streamed = (content: Uint8Array<ArrayBuffer>) =>
      SELF.fetch(urlOf(id), {
        method: "PUT",
        body: new Blob([content]).stream().pipeThrough(new TransformStream()),
      });
    const wrong = await streamed(uniqueBytes());
    expect(wrong.status).toBe(422);
    expect(await codeOf(wrong)).toBe("refstore/corrupt");
    expect(await env.BLOBS.head(`${room}/${id}`)).toBeNull();
    expect((await streamed(bytes)).status).toBe(201);
    expect(await env.BLOBS.head(`${room}/${id}`)).not.toBeNull();
  });

  test("BLOB-2: no bytes are bytes too", async () => {
    const { id, response } = await put(new Uint8Array());
    expect(response.status).toBe(201);
    const read = await SELF.fetch(urlOf(id));
    expect([read.status, (await read.arrayBuffer()).byteLength]).toEqual([200, 0]);
  });

  test("BLOB-3: more than the limit is refused with 413, with its length told or not", async () => {
    const bytes = new Uint8Array(maxReferenceBytes + 1);
    const id = await sha256Hex(bytes);
    for (const body of [bytes, new Blob([bytes]).stream().pipeThrough(new TransformStream())]) {
      const response = await SELF.fetch(urlOf(id), { method: "PUT", body });
      expect(response.status).toBe(413);
      expect(await codeOf(response)).toBe("refstore/too-large");
    }
    expect(await env.BLOBS.head(`${room}/${id}`)).toBeNull();
  });

  test("BLOB-3: the limit itself is accepted", async () => {
    expect((await put(new Uint8Array(maxReferenceBytes))).response.status).toBe(201);
  });

  test.each(["abc", "A".repeat(64), "g".repeat(64), `${"a".repeat(64)}0`])(
    "BLOB-4: the id %s is refused",
    async (id) => {
      for (const method of ["GET", "PUT", "DELETE"]) {
        const response = await SELF.fetch(urlOf(id), { method, ...(method === "PUT" && { body: "x" }) });
        expect(response.status).toBe(400);
        expect(await codeOf(response)).toBe("refstore/invalid-id");
      }
    },
  );

  test("BLOB-4: an invalid room is refused", async () => {
    const response = await SELF.fetch(urlOf("a".repeat(64), "a%20b"));
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe("protocol/invalid-room");
  });

  test("BLOB-5: a content type that is none becomes application/octet-stream", async () => {
    const { id } = await put(uniqueBytes(), { "content-type": "x".repeat(300) });
    const read = await SELF.fetch(urlOf(id), { method: "HEAD" });
    expect(read.headers.get("content-type")).toBe("application/octet-stream");
  });
});

describe("serving", () => {
  test.each(["GET", "HEAD"])("BLOB-6: %s answers with headers under which nothing runs", async (method) => {
    const bytes = toUtf8(`<script>alert(${uploads++})</script>`);
    const { id } = await put(bytes, { "content-type": "text/html" });
    const response = await SELF.fetch(urlOf(id), { method });
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/html",
      "content-length": String(bytes.length),
      "content-disposition": "attachment",
      "content-security-policy": "sandbox; default-src 'none'",
      "x-content-type-options": "nosniff",
      "cache-control": "private, max-age=31536000, immutable",
      etag: `"${id}"`,
    });
    expect((await response.arrayBuffer()).byteLength).toBe(method === "HEAD" ? 0 : bytes.length);
  });

  test("BLOB-7: what a cache holds is not sent again", async () => {
    const { id } = await put(uniqueBytes());
    const response = await SELF.fetch(urlOf(id), { headers: { "if-none-match": `"${id}"` } });
    expect(response.status).toBe(304);
  });

  test("BLOB-8: a room has only its own references", async () => {
    const { id } = await put(uniqueBytes());
    for (const method of ["GET", "DELETE"]) {
      const response = await SELF.fetch(urlOf(id, "other"), { method });
      expect(response.status).toBe(404);
      expect(await codeOf(response)).toBe("refstore/not-found");
    }
    expect((await SELF.fetch(urlOf(id, "other"), { method: "HEAD" })).status).toBe(404);
    expect((await SELF.fetch(urlOf(id), { method: "HEAD" })).status).toBe(200);
  });

  test("BLOB-9: a deletion is 204, and what is gone is 404", async () => {
    const { id } = await put(uniqueBytes());
    expect((await SELF.fetch(urlOf(id), { method: "DELETE" })).status).toBe(204);
    expect((await SELF.fetch(urlOf(id), { method: "DELETE" })).status).toBe(404);
    const response = await SELF.fetch(urlOf(id));
    expect(response.status).toBe(404);
    expect(await codeOf(response)).toBe("refstore/not-found");
  });
});

describe("other origins", () => {
  test("BLOB-10: a preflight from this machine is answered, and reads are allowed to it", async () => {
    const { id } = await put(uniqueBytes());
    const from = { origin: "http://localhost:5173" };
    const preflight = await SELF.fetch(urlOf(id), {
      method: "OPTIONS",
      headers: {
        ...from,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type,if-none-match",
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe(from.origin);
    expect(preflight.headers.get("access-control-allow-methods")).toContain("PUT");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("if-none-match");
    const read = await SELF.fetch(urlOf(id), { headers: from });
    expect(read.headers.get("access-control-allow-origin")).toBe(from.origin);
    await read.body?.cancel();
  });

  test("BLOB-10: a foreign origin gets nothing", async () => {
    const response = await SELF.fetch(urlOf("a".repeat(64)), {
      method: "OPTIONS",
      headers: { origin: "https://example.com" },
    });
    expect(response.status).toBe(403);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    await response.body?.cancel();
  });
});
