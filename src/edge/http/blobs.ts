import type { Context, Hono } from "hono";
import { FlockError } from "../../base/index.ts";
import { maxReferenceBytes, sealContentType } from "../../protocol/index.ts";
import { allows, type Grant } from "../room/grant.ts";
import { collectUpload, streamUpload } from "./blob-upload.ts";
import { relayRoutes } from "./relay-routes.ts";
import { mount, type RouteEnvironment } from "./route.ts";

/** What is known of a stored blob. */
export interface BlobHead {
  readonly size: number;
  readonly httpMetadata?: { readonly contentType?: string };
  readonly customMetadata?: BlobMetadata;
}

/** What the relay notes of a blob. */
export type BlobMetadata = {
  /** Of a sealed page: the principal that alone has put it, and so may remove it. */
  readonly owner?: string;
};

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
    options: { sha256: string; httpMetadata: { contentType: string }; customMetadata: BlobMetadata },
  ): Promise<unknown>;
  delete(keys: string | string[]): Promise<void>;
  /** At most 1,000 keys, in order. */
  list(options: { prefix: string }): Promise<{ objects: readonly { key: string }[]; truncated: boolean }>;
}

/** What the blob routes need of the Worker's environment. */
export interface BlobBindings {
  /** Without it the relay keeps no references. */
  BLOBS?: BlobBucket;
}

/** Which reference is asked for. */
interface Address {
  room: string;
  id: string;
}

const fallbackType = "application/octet-stream";
const contentTypePattern = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+( ?;[ -~]*)?$/;

/**
 * Mounts the routes of a room's references, by the SHA-256 of their bytes. What does not have its hash is never
 * stored; what is served can neither run nor be sniffed.
 *
 * @param open gives the bucket to whom the room lets in; rejects where it does not, or where there is none
 */
export function mountBlobs<Bindings extends BlobBindings>(
  app: Hono<RouteEnvironment<Bindings>>,
  open: (
    c: Context<RouteEnvironment<Bindings>>,
    asked: { params: Address; grant: Grant },
  ) => Promise<BlobBucket>,
): void {
  mount(app, relayRoutes.putReference, async (c, asked) =>
    store(c.req.raw, await open(c, asked), { ...asked.params, principal: asked.grant.principal }),
  );
  mount(app, relayRoutes.getReference, async (c, asked) =>
    serve(c.req.raw, await open(c, asked), { ...asked.params, principal: asked.grant.principal }),
  );
  mount(app, relayRoutes.deleteReference, async (c, asked) => {
    const bucket = await open(c, asked);
    const key = keyOf(asked.params);
    const known = await bucket.head(key);
    if (!known) throw notFound(asked.params.id);
    assertMayRemove(asked.grant, known);
    await bucket.delete(key);
    return new Response(null, { status: 204 });
  });
}

/** Removes every reference of a room. */
export async function deleteBlobs(bucket: BlobBucket, room: string): Promise<void> {
  for (let more = true; more; ) {
    const { objects, truncated } = await bucket.list({ prefix: `${room}/` });
    if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key));
    more = truncated;
  }
}

/** Others may rest on any reference but a sealed page, which only its writer's lane names. */
function assertMayRemove(grant: Grant, { customMetadata }: BlobHead): void {
  if (allows(grant, "admin") || customMetadata?.owner === grant.principal) return;
  throw new FlockError(
    "edge/forbidden",
    `Only admin removes what ${grant.principal} has not put as a sealed page, and alone.`,
  );
}

/** Ids have no slash, so that no room's prefix covers another's. */
function keyOf({ room, id }: Address): string {
  return `${room}/${id}`;
}

async function store(
  request: Request,
  bucket: BlobBucket,
  { principal, ...address }: Address & { principal: string },
): Promise<Response> {
  const key = keyOf(address);
  const { id } = address;
  const { body } = request;
  const length = request.headers.get("content-length");
  if (Number(length ?? 0) > maxReferenceBytes) throw tooLarge();
  const known = await bucket.head(key);
  const owner = known?.customMetadata?.owner;
  if (known && (owner === undefined || owner === principal)) {
    // Cancelled, it would close the connection under the requests behind it.
    await body?.pipeTo(new WritableStream());
    return new Response(null, { status: 200 });
  }
  const upload = body && length !== null ? streamUpload(body) : await collectUpload(body, maxReferenceBytes);
  if (!upload) throw tooLarge();
  const contentType = known?.httpMetadata?.contentType ?? contentTypeOf(request);
  try {
    await bucket.put(key, upload.content, {
      sha256: id,
      httpMetadata: { contentType },
      // Put by a second principal, it is nobody's: the first to come may not have been its writer.
      customMetadata: !known && contentType === sealContentType ? { owner: principal } : {},
    });
  } catch (cause) {
    const sha256 = await upload.sha256;
    if (sha256 === undefined || sha256 === id) {
      throw new FlockError(
        "edge/unavailable",
        "The store of references failed: nothing was stored, try again.",
        { cause },
      );
    }
    throw new FlockError(
      "refstore/corrupt",
      `The bytes have the SHA-256 ${sha256}, not ${id}: nothing was stored.`,
    );
  }
  return new Response(null, { status: known ? 200 : 201 });
}

function contentTypeOf(request: Request): string {
  const type = request.headers.get("content-type") ?? fallbackType;
  return type.length <= 255 && contentTypePattern.test(type) ? type : fallbackType;
}

async function serve(
  request: Request,
  bucket: BlobBucket,
  { principal, ...address }: Address & { principal: string },
): Promise<Response> {
  const key = keyOf(address);
  const { id } = address;
  const etag = `"${id}"`;
  const known = request.headers.get("if-none-match") === etag;
  const bare = known || request.method === "HEAD";
  const full = bare ? null : await bucket.get(key);
  const head = bare ? await bucket.head(key) : full;
  const owner = head?.customMetadata?.owner;
  // Whoever asks before a put would rest on what another may remove: it has to put, and so to make it nobody's.
  const isOthers = request.method === "HEAD" && owner !== undefined && owner !== principal;
  if (!head || isOthers) throw notFound(id);
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

function notFound(id: string): FlockError {
  return new FlockError("refstore/not-found", `The room has no reference ${id}.`);
}

function tooLarge(): FlockError {
  return new FlockError(
    "refstore/too-large",
    `A reference of more than ${maxReferenceBytes} bytes: split it.`,
  );
}
