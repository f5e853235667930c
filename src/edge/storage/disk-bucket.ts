import { sha256Hex } from "../../base/index.ts";
import type { BlobBucket } from "../http/blobs.ts";

/** A folder that workerd serves as a service: `disk` in its settings, writable. */
export interface DiskService {
  fetch(request: Request): Promise<Response>;
}

/** As many keys as a list of R2 names. */
const maxListed = 1_000;
/** A blob's content type lies beside it, in a file of its name with this at the end ... */
const typeSuffix = ".type";
/** ... and so does its owner, where it has one. */
const ownerSuffix = ".owner";
/** The service is reached by its binding alone; a request wants a URL all the same. */
const root = "https://disk.invalid/";

/**
 * Creates a bucket over a folder, for a relay on a machine of its own. Each blob is a file, and is
 * held in memory whole while it is put.
 */
export function createDiskBucket(disk: DiskService): BlobBucket {
  function ask(method: string, path: string, body?: BodyInit): Promise<Response> {
    return disk.fetch(new Request(`${root}${path}`, { method, ...(body !== undefined && { body }) }));
  }

  async function found(
    method: "GET" | "HEAD",
    key: string,
  ): Promise<{ response: Response; contentType?: string; owner?: string } | null> {
    const response = await ask(method, key);
    if (response.status === 404) return null;
    assertOk(response);
    const contentType = await textOf(`${key}${typeSuffix}`);
    const owner = await textOf(`${key}${ownerSuffix}`);
    return {
      response,
      ...(contentType !== undefined && { contentType }),
      ...(owner !== undefined && { owner }),
    };
  }

  async function textOf(path: string): Promise<string | undefined> {
    const response = await ask("GET", path);
    const text = await response.text();
    return response.ok ? text : undefined;
  }

  async function remove(path: string): Promise<void> {
    const { ok, status } = await ask("DELETE", path);
    if (!ok && status !== 404) throw failed(status);
  }

  const described = ({
    response,
    contentType,
    owner,
  }: {
    response: Response;
    contentType?: string;
    owner?: string;
  }) => ({
    size: Number(response.headers.get("content-length")),
    ...(contentType !== undefined && { httpMetadata: { contentType } }),
    ...(owner !== undefined && { customMetadata: { owner } }),
  });

  return {
    async head(key) {
      const file = await found("HEAD", key);
      return file && described(file);
    },
    async get(key) {
      const file = await found("GET", key);
      if (!file?.response.body) return null;
      return { ...described(file), body: file.response.body as ReadableStream<Uint8Array> };
    },
    async put(key, value, { sha256, httpMetadata, customMetadata: { owner } }) {
      // Whole, because the service puts a file in place at the end of a body even where that broke off.
      const bytes = new Uint8Array(await new Response(value as BodyInit).arrayBuffer());
      const actual = await sha256Hex(bytes);
      if (actual !== sha256) throw new TypeError(`The bytes have the SHA-256 ${actual}, not ${sha256}.`);
      // First, so that no blob is ever served without them.
      assertOk(await ask("PUT", `${key}${typeSuffix}`, httpMetadata.contentType));
      if (owner === undefined) await remove(`${key}${ownerSuffix}`);
      else assertOk(await ask("PUT", `${key}${ownerSuffix}`, owner));
      assertOk(await ask("PUT", key, bytes));
    },
    async delete(keys) {
      for (const key of [keys].flat()) {
        for (const path of [key, `${key}${typeSuffix}`, `${key}${ownerSuffix}`]) await remove(path);
      }
    },
    async list({ prefix }) {
      const response = await ask("GET", prefix);
      if (response.status === 404) return { objects: [], truncated: false };
      assertOk(response);
      const names = ((await response.json()) as { name: string }[])
        .map(({ name }) => name)
        .filter((name) => !name.endsWith(typeSuffix) && !name.endsWith(ownerSuffix))
        .sort();
      return {
        objects: names.slice(0, maxListed).map((name) => ({ key: `${prefix}${name}` })),
        truncated: names.length > maxListed,
      };
    },
  };
}

function assertOk({ ok, status }: Response): void {
  if (!ok) throw failed(status);
}

function failed(status: number): Error {
  return new TypeError(`The folder of references answered with ${status}.`);
}
