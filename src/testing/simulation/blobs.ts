import { sha256Hex } from "../../base/index.ts";
import type { Host } from "./host.ts";
import type { Line } from "./network.ts";
import type { SimulatedRandom } from "./random.ts";
import type { RelayProcess } from "./relay.ts";

export interface FetchOptions {
  host: Host;
  line: Line;
  relay: RelayProcess;
  random: SimulatedRandom;
  latencyMs(): number;
}

/**
 * Creates the `fetch` of one process: it knows the relay's references and nothing else. Without a line, or with the
 * relay down, on the way there or back, it fails as the platform's does; so a put may be stored and its answer lost.
 */
export function createSimulatedFetch({ host, line, relay, random, latencyMs }: FetchOptions): typeof fetch {
  const { blobs } = relay;

  function travel(label: string, signal: AbortSignal | undefined, extraMs = 0): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const arrive = (): void => {
        signal?.removeEventListener("abort", abort);
        if (line.isUp && relay.up) resolve();
        else reject(new TypeError("fetch failed"));
      };
      const cancel = host.after(latencyMs() + extraMs, label, arrive);
      const abort = (): void => {
        cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  async function answer(method: string, path: string, init: RequestInit): Promise<Response> {
    const blob = blobs.get(path);
    switch (method) {
      case "PUT": {
        if (random.chance(relay.faults.failedUploads)) return problem(503, "edge/unavailable");
        const bytes = (init.body as Uint8Array).slice();
        if (!path.endsWith(await sha256Hex(bytes))) return problem(422, "refstore/corrupt");
        const contentType = new Headers(init.headers).get("content-type") ?? "";
        if (!blob) blobs.set(path, { bytes, contentType });
        return new Response(null, { status: blob ? 412 : 201 });
      }
      case "GET":
        if (!blob) return problem(404, "refstore/not-found");
        return new Response(streamOf(blob.bytes), { headers: { "content-type": blob.contentType } });
      case "HEAD":
        return new Response(null, { status: blob ? 200 : 404 });
      case "DELETE":
        return new Response(null, { status: blobs.delete(path) ? 204 : 404 });
      default:
        return problem(405, "edge/not-found");
    }
  }

  return async (input, init = {}) => {
    const { pathname } = new URL(String(input));
    const signal = init.signal ?? undefined;
    await travel("asks for a reference", signal);
    const response = await answer(init.method ?? "GET", pathname, init);
    await travel("hears of a reference", signal, relay.faults.lateBlobsMs);
    return response;
  };
}

function problem(status: number, code: string): Response {
  return new Response(JSON.stringify({ code }), { status });
}

/** A body of our own, because a platform's may take tasks that virtual time does not know. */
function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes.slice());
      controller.close();
    },
  });
}
