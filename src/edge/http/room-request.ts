import { z } from "zod";
import type { Grant } from "../room/grant.ts";
import { requestIdHeader } from "./request-id.ts";
import { declareRoute } from "./route.ts";
import { roomSchema } from "./schemas.ts";

/** What the Worker has checked of a request that it hands to the room. */
export interface CheckedRequest {
  grant: Grant;
  requestId: string;
  /** The room, which its object is not told otherwise. */
  room: string;
  /** The shared document of a stock client's socket. */
  document?: string | undefined;
  /** The subprotocol to echo. */
  subprotocol?: string | undefined;
}

const checkedHeader = "x-flockstate-checked";
/** The token stays in the Worker, and so does whatever else may say who asks. */
const keptHere = ["authorization", "cookie", "sec-websocket-protocol"];

/** The request with which the Worker hands what it checked to the room's object. */
export function roomRequest(request: Request, checked: CheckedRequest): Request {
  const headers = new Headers(request.headers);
  for (const name of keptHere) headers.delete(name);
  headers.set(requestIdHeader, checked.requestId);
  // A token's id may hold what a header may not.
  headers.set(checkedHeader, encodeURIComponent(JSON.stringify(checked)));
  return new Request(request, { headers });
}

/** Reads what the Worker checked; only it can reach a room's object. */
export function readRoomRequest(request: Request): CheckedRequest {
  return JSON.parse(decodeURIComponent(request.headers.get(checkedHeader) ?? "null")) as CheckedRequest;
}

/**
 * Whether a grant holds in a room that is open, as only the room knows. It is no route of the relay: the Worker asks
 * it before it serves a reference.
 */
export const admissionRoute = declareRoute({
  id: "admission",
  method: "GET",
  path: "/v1/rooms/:room/admission",
  summary: "Whether a grant holds in a room that is open.",
  needs: undefined,
  params: z.object({ room: roomSchema }),
  answers: { 204: { description: "It does." } },
  problems: ["edge/token-revoked", "edge/room-deleted"],
});

/** The question of {@link admissionRoute}. */
export function admissionQuestion(room: string): Request {
  return new Request(`https://room.invalid/v1/rooms/${room}/admission`);
}
