import type { Hono } from "hono";
import { FlockError, isFlockError } from "../../base/index.ts";
import { closeCodeOf } from "../../protocol/index.ts";
import type { Log } from "../operations/log.ts";
import { problem, statusOf } from "./problem.ts";
import type { RouteEnvironment } from "./route.ts";
import { echoedSubprotocol, isUpgrade, refuseSocket } from "./upgrade.ts";

/** Makes an app answer what fails and what it does not have: a socket by a close code, all else by a problem. */
export function answerFailures<Bindings extends object>(
  app: Hono<RouteEnvironment<Bindings>>,
  log: Log,
): void {
  app.notFound((c) =>
    problem("edge/not-found", `The relay has nothing at ${c.req.method} ${c.req.path}.`, c.var.requestId),
  );
  app.onError((failure, c) => {
    const { code, message, cause } = isFlockError(failure) ? failure : unexpected(failure);
    if (cause !== undefined && statusOf(code) >= 500) {
      log.write("error", "request failed", { requestId: c.var.requestId, code, cause });
    }
    // A page of elsewhere learns nothing of a relay that serves its own machine, not even by a close code.
    return isUpgrade(c.req.raw) && code !== "edge/not-local"
      ? refuseSocket(closeCodeOf(code), code, echoedSubprotocol(c.req.raw))
      : problem(code, message, c.var.requestId);
  });
}

function unexpected(cause: unknown): FlockError {
  return new FlockError("edge/unavailable", "The relay failed: try again.", { cause });
}
