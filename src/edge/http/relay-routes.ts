import { z } from "zod";
import { maxReferenceBytes } from "../../protocol/index.ts";
import { type Answer, declareRoute } from "./route.ts";
import { healthSchema, referenceIdSchema, roomSchema, sharedDocumentSchema } from "./schemas.ts";

const switched: Answer = {
  description: "A WebSocket; where it cannot be served it is closed at once with a code that says why.",
};
const bytes: Answer = { description: "The bytes.", contentType: "application/octet-stream" };
const referenceParams = z.object({ room: roomSchema, id: referenceIdSchema });
const referencePath = "/v1/rooms/:room/refs/:id";

/** What the relay serves besides administration. */
export const relayRoutes = {
  health: declareRoute({
    id: "readHealth",
    method: "GET",
    path: "/health",
    summary: "Whether the relay is up, and its version.",
    needs: undefined,
    params: z.object({}),
    answers: { 200: { description: "It is.", contentType: "application/json", schema: healthSchema } },
    problems: [],
  }),
  openApi: declareRoute({
    id: "readOpenApi",
    method: "GET",
    path: "/openapi.json",
    summary: "This document.",
    needs: undefined,
    params: z.object({}),
    answers: { 200: { description: "OpenAPI 3.1.", contentType: "application/json" } },
    problems: [],
  }),
  metrics: declareRoute({
    id: "readMetrics",
    method: "GET",
    path: "/metrics",
    summary:
      "What all rooms count, in the text format of Prometheus; asks for FLOCKSTATE_METRICS_TOKEN as a bearer.",
    needs: undefined,
    params: z.object({}),
    answers: { 200: { description: "The metrics.", contentType: "text/plain" } },
    problems: ["edge/not-found", "edge/not-configured", "edge/token-required", "edge/token-invalid"],
  }),
  roomSocket: declareRoute({
    id: "openRoomSocket",
    method: "GET",
    path: "/v1/rooms/:room/socket",
    summary: "A replica's socket: subprotocols flockstate.v1 and bearer.TOKEN.",
    needs: "read",
    params: z.object({ room: roomSchema }),
    upgrade: true,
    answers: { 101: switched },
    problems: ["edge/upgrade-required"],
  }),
  stockSocket: declareRoute({
    id: "openStockSocket",
    method: "GET",
    path: "/v1/rooms/:room/docs/:document{.+}",
    summary: "A stock y-websocket client's socket: subprotocols y-websocket and bearer.TOKEN.",
    needs: "read",
    params: z.object({ room: roomSchema, document: sharedDocumentSchema }),
    upgrade: true,
    answers: { 101: switched },
    problems: ["edge/upgrade-required"],
  }),
  putReference: declareRoute({
    id: "putReference",
    method: "PUT",
    path: referencePath,
    summary: `Stores bytes under their SHA-256, at most ${maxReferenceBytes} of them.`,
    needs: "refs:put",
    params: referenceParams,
    body: { contentType: "application/octet-stream", description: "The bytes; their type is kept." },
    answers: { 200: { description: "They were there." }, 201: { description: "They are stored." } },
    problems: ["refstore/invalid-id", "refstore/too-large", "refstore/corrupt"],
  }),
  getReference: declareRoute({
    id: "getReference",
    method: "GET",
    path: referencePath,
    summary: "The bytes of a reference.",
    needs: "refs:get",
    params: referenceParams,
    head: true,
    answers: { 200: bytes, 304: { description: "The ETag is known." } },
    problems: ["refstore/invalid-id", "refstore/not-found"],
  }),
  deleteReference: declareRoute({
    id: "deleteReference",
    method: "DELETE",
    path: referencePath,
    summary:
      "Removes the bytes of a reference; without admin those of a sealed page that nobody else has put.",
    needs: "refs:put",
    or: "admin",
    params: referenceParams,
    answers: { 204: { description: "They are gone." } },
    problems: ["refstore/invalid-id", "refstore/not-found"],
  }),
};
