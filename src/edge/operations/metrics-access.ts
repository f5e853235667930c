import { FlockError, sha256, toUtf8 } from "../../base/index.ts";
import { fetchMetrics, type MetricsNamespace } from "./metrics-object.ts";

/** Who may read the metrics. */
export interface MetricsAccess {
  /** The binding `METRICS`; without it there are no metrics. */
  namespace: MetricsNamespace | undefined;
  /** The setting `FLOCKSTATE_METRICS_TOKEN`. */
  token: string | undefined;
  /** In development mode they are open. */
  development: boolean;
}

/**
 * Answers `GET /metrics`.
 *
 * @throws `edge/not-found` without the binding, `edge/not-configured` without a token to compare with,
 * `edge/token-required`, `edge/token-invalid`
 */
export async function serveMetrics(
  request: Request,
  { namespace, token, development }: MetricsAccess,
): Promise<Response> {
  if (!namespace) {
    throw new FlockError("edge/not-found", "This relay keeps no metrics: it has no binding METRICS.");
  }
  if (!development) await assertHolder(request.headers.get("authorization"), token);
  return fetchMetrics(namespace);
}

async function assertHolder(authorization: string | null, token: string | undefined): Promise<void> {
  if (token === undefined) {
    throw new FlockError("edge/not-configured", "No token guards the metrics: set FLOCKSTATE_METRICS_TOKEN.");
  }
  const offered = /^Bearer +(.+)$/i.exec(authorization ?? "")?.[1];
  if (offered === undefined) {
    throw new FlockError("edge/token-required", "The metrics want the header `Authorization: Bearer …`.");
  }
  if (!(await isSameSecret(offered, token))) {
    throw new FlockError("edge/token-invalid", "The token is not the one that guards the metrics.");
  }
}

/** Compares digests to their last byte, so that the time taken tells nothing of where they differ, or how long either is. */
async function isSameSecret(offered: string, secret: string): Promise<boolean> {
  const [a, b] = await Promise.all([sha256(toUtf8(offered)), sha256(toUtf8(secret))]);
  let difference = 0;
  a.forEach((byte, index) => {
    difference |= byte ^ (b[index] ?? 0);
  });
  return difference === 0;
}
