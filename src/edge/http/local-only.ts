import type { MiddlewareHandler } from "hono";
import { problem } from "./problem.ts";

const localNames = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Tells whether a URL or origin names this machine, on any port. */
export function isLocal(url: string): boolean {
  try {
    return localNames.has(new URL(url).hostname);
  } catch {
    // An origin such as `null` is no URL, and not this machine.
    return false;
  }
}

/** Refuses every request that does not come from and to this machine, while there are no tokens. */
export const localOnly: MiddlewareHandler = async (c, next) => {
  const origin = c.req.header("origin");
  const host = c.req.header("host");
  const local = isLocal(c.req.url) && (host === undefined || isLocal(`http://${host}`));
  if (local && (origin === undefined || isLocal(origin))) return next();
  return problem(
    403,
    "edge/not-local",
    "This relay has no tokens yet and so serves only this machine: use http://localhost as host and as origin.",
  );
};
