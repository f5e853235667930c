import { Hono } from "hono";
import { FlockError, systemClock } from "../../base/index.ts";
import { closeCodes, roomSubprotocol } from "../../protocol/index.ts";
import { createLog } from "../operations/log.ts";
import { serveMetrics } from "../operations/metrics-access.ts";
import type { MetricsNamespace } from "../operations/metrics-object.ts";
import { relayVersion } from "../version.ts";
import { createAccessReader, grantOf } from "./access.ts";
import { administrationRoutes } from "./administration-routes.ts";
import { answerFailures } from "./answering.ts";
import { type BlobBindings, deleteBlobs, mountBlobs } from "./blobs.ts";
import { describeApi } from "./openapi.ts";
import { admitOrigin, answerPreflight, isPreflight, sharedWith } from "./origins.ts";
import { readProblem } from "./problem.ts";
import { relayRoutes } from "./relay-routes.ts";
import { requestIdHeader, requestIdOf } from "./request-id.ts";
import { admissionQuestion, type CheckedRequest, roomRequest } from "./room-request.ts";
import { mount, type RouteEnvironment } from "./route.ts";
import type { RelayVariables } from "./settings.ts";
import { type EdgeSocket, echoedSubprotocol, refuseSocket, stockSubprotocol } from "./upgrade.ts";

/** What the Worker needs of its environment. */
export interface RelayBindings extends BlobBindings, RelayVariables {
  /** The objects of class `RoomObject`. */
  ROOMS: { getByName(name: string): { fetch(request: Request): Response | Promise<Response> } };
  /** The object of class `MetricsObject`; without it there are no metrics. */
  METRICS?: MetricsNamespace;
}

/** The relay's HTTP side, as a Worker exports it. */
export type Relay = Hono<RouteEnvironment<RelayBindings>>;

/**
 * The relay's HTTP side: checks every request before a room wakes.
 *
 * @example
 * ```ts
 * import { createRelay, RoomObject } from "flockstate/edge";
 * export { RoomObject };
 * export default createRelay();
 * ```
 */
export function createRelay(): Relay {
  const app: Relay = new Hono();
  const log = createLog({ clock: systemClock });
  const accessOf = createAccessReader(log);
  const api = describeApi([...Object.values(relayRoutes), ...Object.values(administrationRoutes)]);

  answerFailures(app, log);
  app.use(async (c, next) => {
    c.set("requestId", requestIdOf(c.req.raw));
    await next();
    c.res = withHeaders(c.res, { [requestIdHeader]: c.var.requestId });
  });
  app.use(async (c, next) => {
    const access = accessOf(c.env);
    const origin = admitOrigin(c.req.raw, access.settings);
    c.set("grantFor", (room) => grantOf(access, c.req.raw, room));
    if (isPreflight(c.req.raw)) c.res = answerPreflight();
    else await next();
    c.res = withHeaders(c.res, sharedWith(origin));
  });

  mount(app, relayRoutes.health, () => Response.json({ status: "ok", version: relayVersion }));
  mount(app, relayRoutes.openApi, () => Response.json(api));
  mount(app, relayRoutes.metrics, (c) => {
    const { metricsToken: token, development } = accessOf(c.env).settings;
    return serveMetrics(c.req.raw, { namespace: c.env.METRICS, token, development });
  });
  mount(app, relayRoutes.roomSocket, (c, { params: { room }, grant }) => {
    const subprotocol = echoedSubprotocol(c.req.raw);
    return subprotocol === roomSubprotocol
      ? askRoom(c, c.req.raw, { room, grant, subprotocol })
      : refuseSocket(closeCodes.unsupportedVersion, "protocol/unsupported-version", subprotocol);
  });
  mount(app, relayRoutes.stockSocket, (c, { params: { room, document }, grant }) => {
    const offered = echoedSubprotocol(c.req.raw);
    const subprotocol = offered === stockSubprotocol ? offered : undefined;
    return askRoom(c, c.req.raw, { room, grant, document, subprotocol });
  });
  mountBlobs(app, async (c, { params: { room }, grant }) => {
    const answer = await askRoom(c, admissionQuestion(room), { room, grant });
    if (!answer.ok) throw await readProblem(answer);
    if (c.env.BLOBS) return c.env.BLOBS;
    throw new FlockError("edge/unavailable", "This relay keeps no references: it has no binding BLOBS.");
  });
  for (const route of Object.values(administrationRoutes)) {
    mount(app, route, async (c, { params: { room }, grant }) => {
      const answer = await askRoom(c, c.req.raw, { room, grant });
      const isDeleted = route === administrationRoutes.deleteRoom && answer.ok;
      if (isDeleted && c.env.BLOBS) await deleteBlobs(c.env.BLOBS, room);
      return answer;
    });
  }
  return app;
}

async function askRoom(
  { env, var: { requestId } }: { env: RelayBindings; var: { requestId: string } },
  request: Request,
  checked: Omit<CheckedRequest, "requestId">,
): Promise<Response> {
  return env.ROOMS.getByName(checked.room).fetch(roomRequest(request, { ...checked, requestId }));
}

/** Rebuilt, because the headers of what a room or a bucket answered cannot be changed. */
function withHeaders(response: Response, added: Record<string, string>): Response {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(added)) headers.set(name, value);
  const { status, statusText } = response;
  const { webSocket } = response as { webSocket?: EdgeSocket | null };
  return new Response(response.body, {
    status,
    statusText,
    headers,
    ...(webSocket && { webSocket }),
  } as ResponseInit);
}
