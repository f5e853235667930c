import { Hono } from "hono";
import { isId } from "../../base/index.ts";
import { closeCodes, readDocumentName, roomSubprotocol } from "../../protocol/index.ts";
import { developmentGrant } from "../room/grant.ts";
import { roomRequest } from "../room-object.ts";
import { type BlobBindings, createBlobRoutes } from "./blobs.ts";
import { localOnly } from "./local-only.ts";
import { problem } from "./problem.ts";
import { offeredSubprotocols, refuseSocket } from "./upgrade.ts";
import { relayVersion } from "./version.ts";

/** What the Worker needs of its environment. */
export interface RelayBindings extends BlobBindings {
  ROOMS: { getByName(name: string): { fetch(request: Request): Response | Promise<Response> } };
}

const stockSubprotocol = "y-websocket";

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
export function createRelay(): Hono<{ Bindings: RelayBindings }> {
  const app = new Hono<{ Bindings: RelayBindings }>();
  app.use(localOnly);
  app.get("/health", (c) => c.json({ status: "ok", version: relayVersion }));
  app.get("/v1/rooms/:room/socket", (c) => openRoomSocket(c.req.raw, c.env, c.req.param("room")));
  app.get("/v1/rooms/:room/docs/:document{.+}", (c) =>
    openStockSocket(c.req.raw, c.env, c.req.param("room"), c.req.param("document")),
  );
  app.route("/", createBlobRoutes());
  app.notFound((c) =>
    problem(404, "edge/not-found", `The relay has nothing at ${c.req.method} ${c.req.path}.`),
  );
  app.onError((cause) => {
    console.error("A request failed.", cause);
    return problem(503, "edge/unavailable", "The relay failed: try again.");
  });
  return app;
}

function openRoomSocket(request: Request, env: RelayBindings, room: string): Response | Promise<Response> {
  const offered = offeredSubprotocols(request);
  const echoed = offered.includes(roomSubprotocol) ? roomSubprotocol : echoable(offered);
  const refusal = refuseUpgrade(request, room, echoed);
  if (refusal) return refusal;
  if (echoed !== roomSubprotocol) {
    return refuseSocket(closeCodes.unsupportedVersion, "protocol/unsupported-version", echoed);
  }
  return env.ROOMS.getByName(room).fetch(
    roomRequest(request, { grant: developmentGrant, subprotocol: roomSubprotocol }),
  );
}

function openStockSocket(
  request: Request,
  env: RelayBindings,
  room: string,
  document: string,
): Response | Promise<Response> {
  const echoed = offeredSubprotocols(request).includes(stockSubprotocol) ? stockSubprotocol : undefined;
  const refusal = refuseUpgrade(request, room, echoed);
  if (refusal) return refusal;
  if (!isSharedName(document)) {
    return refuseSocket(closeCodes.unknownDocument, "protocol/unknown-document", echoed);
  }
  return env.ROOMS.getByName(room).fetch(
    roomRequest(request, { grant: developmentGrant, document, subprotocol: echoed }),
  );
}

function isSharedName(name: string): boolean {
  return readDocumentName(name)?.kind === "shared";
}

/** A browser drops a socket whose offer is left without an echo before it sees the close code. A token is never echoed. */
function echoable(offered: readonly string[]): string | undefined {
  return offered.find((name) => !name.startsWith("bearer."));
}

function refuseUpgrade(request: Request, room: string, echoed: string | undefined): Response | undefined {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return problem(
      426,
      "edge/upgrade-required",
      "This address takes WebSockets only: connect with ws: or wss:.",
    );
  }
  return isId(room) ? undefined : refuseSocket(closeCodes.unknownDocument, "protocol/invalid-room", echoed);
}
