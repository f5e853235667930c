import { FlockError } from "../../base/index.ts";
import { isLocal } from "./local.ts";
import type { RelaySettings } from "./settings.ts";

/**
 * The origin that a response may be shown to; undefined where the request comes from no page.
 *
 * @throws `edge/not-local` in development mode, where host and origin must be this machine
 * @throws `edge/origin-refused` for a page whose origin is neither the relay's own nor on the list
 */
export function admitOrigin(request: Request, { development, origins }: RelaySettings): string | undefined {
  const origin = request.headers.get("origin") ?? undefined;
  if (development) {
    const host = request.headers.get("host");
    const local = isLocal(request.url) && (host === null || isLocal(`http://${host}`));
    if (local && (origin === undefined || isLocal(origin))) return origin;
    throw new FlockError(
      "edge/not-local",
      "This relay is in development mode and so serves only this machine: use http://localhost as host and as origin.",
    );
  }
  if (origin === undefined) return undefined;
  if (origins === "*") return "*";
  if (origin === new URL(request.url).origin || origins.includes(origin)) return origin;
  throw new FlockError("edge/origin-refused", "Pages of this origin are not served: see FLOCKSTATE_ORIGINS.");
}

/** Tells whether a request asks what another origin may send. */
export function isPreflight(request: Request): boolean {
  return request.method === "OPTIONS" && request.headers.has("access-control-request-method");
}

/** Answers a preflight for an origin that is admitted. */
export function answerPreflight(): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-methods": "GET, HEAD, PUT, POST, DELETE",
      "access-control-allow-headers": "authorization, content-type, if-none-match, x-request-id",
      "access-control-max-age": "600",
    },
  });
}

/** What lets a page of an admitted origin read a response. */
export function sharedWith(origin: string | undefined): Record<string, string> {
  return {
    vary: "Origin",
    ...(origin !== undefined && {
      "access-control-allow-origin": origin,
      "access-control-expose-headers": "content-disposition, content-length, etag, x-request-id",
    }),
  };
}
