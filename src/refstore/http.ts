import * as z from "zod/mini";
import { concatBytes, FlockError } from "../base/index.ts";
import { maxReferenceBytes } from "../protocol/index.ts";
import type { ReferenceStore } from "./port.ts";
import { assertSize, closed, nameBytes, notFound, referenceId, verify } from "./reference.ts";

const place = "the remote store";
/** Refusals that time or a new attempt may lift: time-out, too early, too many requests. */
const passingStatuses = new Set([408, 425, 429]);
const problemSchema = z.object({ code: z.string().check(z.maxLength(128)) });

export interface HttpStoreOptions {
  /** Where the references lie, without their ids: `https://relay.example.com/v1/rooms/ROOM/refs`. */
  baseUrl: string;
  /** Default the platform's own. */
  fetch?: typeof globalThis.fetch;
  /**
   * Asked before each request, for instance for a token; default none. An answer of 401 is asked for once more, with
   * `refused`.
   */
  headers?: (request: { refused: boolean }) => Promise<HeadersInit> | HeadersInit;
}

/**
 * Creates a store that speaks HTTP: `PUT`, `GET`, `HEAD` and `DELETE` of `baseUrl/ID`. It has no time limit of its
 * own: pass a signal.
 *
 * Calls reject with `refstore/unavailable` where no answer comes, or one that may be another next time (5xx, 408,
 * 425, 429), and with `refstore/refused` for every other refusal; `details.status` and, where the server named one,
 * `details.code` say which.
 *
 * @example
 * ```ts
 * const store = createHttpStore({ baseUrl: "https://relay.example.com/v1/rooms/team-42/refs" });
 * const bytes = await store.get(reference, { signal: AbortSignal.timeout(30_000) });
 * ```
 */
export function createHttpStore({
  baseUrl,
  fetch = (input, init) => globalThis.fetch(input, init),
  headers,
}: HttpStoreOptions): ReferenceStore {
  const root = baseUrl.replace(/\/+$/, "");
  const lifetime = new AbortController();

  /** What cannot be asked for now may be had another time, whatever the caller's reason. */
  async function ask(refused: boolean): Promise<HeadersInit | undefined> {
    try {
      return await headers?.({ refused });
    } catch (cause) {
      throw unavailable("a question for headers", { cause });
    }
  }

  /** Runs one exchange, body included, and codes whatever it fails with. */
  async function exchange<T>(
    method: "PUT" | "GET" | "HEAD" | "DELETE",
    id: string,
    {
      body,
      extra = {},
      signal,
    }: { body?: Uint8Array; extra?: Record<string, string>; signal?: AbortSignal | undefined },
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    lifetime.signal.throwIfAborted();
    signal?.throwIfAborted();
    const either = signal ? AbortSignal.any([signal, lifetime.signal]) : lifetime.signal;
    try {
      const send = async (refused: boolean): Promise<Response> => {
        const sent = new Headers(await ask(refused));
        for (const [name, value] of Object.entries(extra)) sent.set(name, value);
        return fetch(`${root}/${id}`, {
          method,
          headers: sent,
          signal: either,
          ...(body && { body: body as Uint8Array<ArrayBuffer> }),
        });
      };
      const response = await send(false);
      if (response.status !== 401 || !headers) return await read(response);
      await discard(response);
      return await read(await send(true));
    } catch (failure) {
      either.throwIfAborted();
      if (failure instanceof FlockError) throw failure;
      throw unavailable(`${method} of ${id}`, { cause: failure });
    }
  }

  return {
    async put(bytes, { contentType, signal } = {}) {
      lifetime.signal.throwIfAborted();
      signal?.throwIfAborted();
      assertSize(bytes.length);
      const body = bytes.slice();
      const reference = await nameBytes(body, contentType);
      const extra = { "content-type": reference.contentType, "if-none-match": "*" };
      return exchange("PUT", reference.id, { body, extra, signal }, async (response) => {
        // 412 is how a general server answers If-None-Match: the bytes are there already.
        if (!response.ok && response.status !== 412) throw await refusal("PUT", reference.id, response);
        await discard(response);
        return reference;
      });
    },
    async get(reference, { signal } = {}) {
      const id = referenceId(reference);
      return exchange("GET", id, { signal }, async (response) => {
        if (response.status === 404) {
          await discard(response);
          throw notFound(id, place);
        }
        if (response.status !== 200) throw await refusal("GET", id, response);
        const bytes = await readCapped(response);
        await verify(id, bytes, place);
        return bytes;
      });
    },
    async has(id, { signal } = {}) {
      return exchange("HEAD", referenceId(id), { signal }, (response) => found("HEAD", id, response));
    },
    async delete(id, { signal } = {}) {
      return exchange("DELETE", referenceId(id), { signal }, (response) => found("DELETE", id, response));
    },
    async close() {
      lifetime.abort(closed("The remote store"));
    },
  };
}

async function found(method: string, id: string, response: Response): Promise<boolean> {
  if (!response.ok && response.status !== 404) throw await refusal(method, id, response);
  await discard(response);
  return response.ok;
}

/** An unread body would hold its connection. */
async function discard(response: Response): Promise<void> {
  await response.body?.cancel();
}

/** Reads the body, but no byte past the cap: whoever answers may be hostile. */
async function readCapped(response: Response): Promise<Uint8Array> {
  if (!response.body) return new Uint8Array();
  const reader = response.body.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
    if (length > maxReferenceBytes) {
      await reader.cancel();
      assertSize(length);
    }
    parts.push(part.value);
  }
  return concatBytes(parts);
}

async function refusal(method: string, id: string, response: Response): Promise<FlockError> {
  const { status } = response;
  const what = `${method} of ${id}`;
  if (status >= 500 || passingStatuses.has(status)) {
    await discard(response);
    return unavailable(what, { details: { status } });
  }
  const parsed = problemSchema.safeParse(await response.json().catch(() => undefined));
  const code = parsed.success ? parsed.data.code : undefined;
  return new FlockError("refstore/refused", `${place} refused ${what} with ${code ?? `status ${status}`}.`, {
    details: { status, ...(code !== undefined && { code }) },
  });
}

function unavailable(what: string, rest: { cause?: unknown; details?: Record<string, unknown> }): FlockError {
  return new FlockError(
    "refstore/unavailable",
    `No usable answer from ${place} to ${what}: try again later.`,
    rest,
  );
}
