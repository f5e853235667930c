import {
  type BlobBucket,
  createRelay,
  MetricsObject,
  type RelayBindings,
  RoomObject,
} from "../../../src/edge/index.ts";
import { withMethods } from "./failing-storage.ts";

// The relay as it is, over a bucket in which one upload can be told to stand still: by the header `x-stand-at`.

export { MetricsObject, RoomObject };

/** Where an upload can stand; `answered-first` is what a broken relay would do, for the suite to catch. */
export type BlobStep = "before-put" | "within-put" | "after-put" | "answered-first";

/** Part of workerd only: R2 takes streams whose length is known. */
declare const FixedLengthStream: new (length: number) => TransformStream<Uint8Array, Uint8Array>;

const relay = createRelay();
const created = 201;
const standMs = 600_000;

export default {
  async fetch(
    request: Request,
    env: RelayBindings & { BLOBS: BlobBucket },
    context: { waitUntil(work: Promise<unknown>): void },
  ): Promise<Response> {
    const step = request.headers.get("x-stand-at") as BlobStep | null;
    if (step === null || request.method !== "PUT") return relay.fetch(request, env);
    const length = Number(request.headers.get("content-length"));
    if (step !== "answered-first") {
      return relay.fetch(request, { ...env, BLOBS: failing(env.BLOBS, step, length) });
    }
    const late = { ...env, BLOBS: failing(env.BLOBS, "before-put", length) };
    const { url, method, headers } = request;
    const copy = new Request(url, { method, headers, body: await request.arrayBuffer() });
    context.waitUntil(Promise.resolve(relay.fetch(copy, late)));
    return new Response(null, { status: created });
  },
};

function failing(bucket: BlobBucket, step: BlobStep, length: number): BlobBucket {
  return withMethods(bucket, {
    async put(key, value, options) {
      if (step === "before-put") await standStill(step, key);
      const content = step === "within-put" ? halfOf(value, length, () => standStill(step, key)) : value;
      await bucket.put(key, content, options);
      await standStill("after-put", key);
    },
  });
}

/** A content that stands still when the bucket has taken its first half. */
function halfOf(
  value: ReadableStream<Uint8Array> | Uint8Array,
  length: number,
  stand: () => Promise<never>,
): ReadableStream<Uint8Array> {
  const { readable, writable } = new FixedLengthStream(length);
  const source = value instanceof Uint8Array ? new Blob([value as Uint8Array<ArrayBuffer>]).stream() : value;
  void (async () => {
    const writer = writable.getWriter();
    let taken = 0;
    for await (const chunk of source as unknown as AsyncIterable<Uint8Array>) {
      const rest = Math.floor(length / 2) - taken;
      await writer.write(chunk.subarray(0, rest));
      taken += chunk.length;
      if (chunk.length >= rest) await stand();
    }
  })();
  return readable;
}

/** A warning is what wrangler shows at once; without a timer the runtime would take the request for hung. */
function standStill(step: BlobStep, key: string): Promise<never> {
  console.warn(JSON.stringify({ standsAt: step, key }));
  return new Promise((_, reject) => setTimeout(() => reject(new Error("Nobody killed the relay.")), standMs));
}
