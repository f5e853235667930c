import { zValidator } from "@hono/zod-validator";
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { z } from "zod";
import { isId } from "../../base/index.ts";
import { isReferenceId, maxReferenceBytes } from "../../protocol/index.ts";
import { collectUpload, streamUpload } from "./blob-upload.ts";
import { isLocal } from "./local-only.ts";
import { problem } from "./problem.ts";

/** What is known of a stored blob. */
export interface BlobHead {
  readonly size: number;
  readonly httpMetadata?: { readonly contentType?: string };
}

/** A stored blob with its bytes. */
export interface BlobBody extends BlobHead {
  readonly body: ReadableStream<Uint8Array>;
}

/** What the relay uses of an R2 bucket. */
export interface BlobBucket {
  head(key: string): Promise<BlobHead | null>;
  get(key: string): Promise<BlobBody | null>;
  /** Stores nothing, and throws, where the bytes do not have the checksum. */
  put(
    key: string,
    value: ReadableStream<Uint8Array> | Uint8Array,
    options: { sha256: string; httpMetadata: { contentType: string } },
  ): Promise<unknown>;
  delete(key: string): Promise<void>;
}

/** What the blob routes need of the Worker's environment. */
export interface BlobBindings {
  BLOBS: BlobBucket;
}

type BlobContext = Context<{ Bindings: BlobBindings }>;

const fallbackType = "application/octet-stream";
const contentTypePattern = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+( ?;[ -~]*)?$/;

const address = zValidator(
  "param",
  z.object({ room: z.string().refine(isId), id: z.string().refine(isReferenceId) }),
  (result) => {
    if (result.success) return undefined;
    return result.error.issues.some(({ path }) => path[0] === "room")
      ? problem(400, "protocol/invalid-room", "The room id is not valid: use 1-64 characters of A-Za-z0-9_-.")
      : problem(400, "refstore/invalid-id", "The id of a reference is 64 lower-case hexadecimal digits.");
  },
);

/**
 * The routes of a room's references, by the SHA-256 of their bytes. What does not have its hash is never stored;
 * what is served can neither run nor be sniffed.
 */
export function createBlobRoutes(): Hono<{ Bindings: BlobBindings }> {
  const path = "/v1/rooms/:room/refs/:id";
  return new Hono<{ Bindings: BlobBindings }>()
    .use(
      path,
      cors({
        origin: (origin) => (isLocal(origin) ? origin : null),
        allowMethods: ["GET", "HEAD", "PUT", "DELETE"],
        allowHeaders: ["content-type", "if-none-match"],
        exposeHeaders: ["content-length", "etag"],
        maxAge: 600,
      }),
    )
    .put(path, address, async (c) => {
      const { room, id } = c.req.valid("param");
      return store(c, `${room}/${id}`, id);
    })
    .get(path, address, async (c) => {
      const { room, id } = c.req.valid("param");
      return serve(c, `${room}/${id}`, id);
    })
    .delete(path, address, async (c) => {
      const { room, id } = c.req.valid("param");
      const key = `${room}/${id}`;
      if (!(await c.env.BLOBS.head(key))) return notFound(id);
      await c.env.BLOBS.delete(key);
      return new Response(null, { status: 204 });
    });
}

async function store(c: BlobContext, key: string, id: string): Promise<Response> {
  const { body } = c.req.raw;
  const length = c.req.header("content-length");
  if (Number(length ?? 0) > maxReferenceBytes) return tooLarge();
  if (await c.env.BLOBS.head(key)) {
    // Cancelled, it would close the connection under the requests behind it.
    await body?.pipeTo(new WritableStream());
    return new Response(null, { status: 200 });
  }
  const upload =
    body && length !== undefined ? streamUpload(body) : await collectUpload(body, maxReferenceBytes);
  if (!upload) return tooLarge();
  try {
    await c.env.BLOBS.put(key, upload.content, {
      sha256: id,
      httpMetadata: { contentType: contentTypeOf(c) },
    });
  } catch (cause) {
    const sha256 = await upload.sha256;
    if (sha256 === undefined || sha256 === id) {
      console.error("A reference could not be stored.", cause);
      return problem(
        503,
        "edge/unavailable",
        "The store of references failed: nothing was stored, try again.",
      );
    }
    return problem(
      422,
      "refstore/corrupt",
      `The bytes have the SHA-256 ${sha256}, not ${id}: nothing was stored.`,
    );
  }
  return new Response(null, { status: 201 });
}

function contentTypeOf(c: BlobContext): string {
  const type = c.req.header("content-type") ?? fallbackType;
  return type.length <= 255 && contentTypePattern.test(type) ? type : fallbackType;
}

async function serve(c: BlobContext, key: string, id: string): Promise<Response> {
  const etag = `"${id}"`;
  const known = c.req.header("if-none-match") === etag;
  const bare = known || c.req.raw.method === "HEAD";
  const full = bare ? null : await c.env.BLOBS.get(key);
  const head = bare ? await c.env.BLOBS.head(key) : full;
  if (!head) return notFound(id);
  const headers = {
    "content-type": head.httpMetadata?.contentType ?? fallbackType,
    "content-disposition": "attachment",
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "private, max-age=31536000, immutable",
    etag,
  };
  if (known) return new Response(null, { status: 304, headers });
  return new Response(full?.body ?? null, { headers: { ...headers, "content-length": String(head.size) } });
}

function notFound(id: string): Response {
  return problem(404, "refstore/not-found", `The room has no reference ${id}.`);
}

function tooLarge(): Response {
  return problem(413, "refstore/too-large", `A reference of more than ${maxReferenceBytes} bytes: split it.`);
}
