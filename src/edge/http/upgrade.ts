import { bearerPrefix, roomSubprotocol } from "../../protocol/index.ts";
import type { SocketAttachment } from "../room/ports.ts";

/** What the relay uses of a WebSocket of workerd. */
export interface EdgeSocket {
  send(bytes: Uint8Array): void;
  close(code?: number, reason?: string): void;
  accept(): void;
  serializeAttachment(attachment: SocketAttachment): void;
  deserializeAttachment(): unknown;
}

/** A global of workerd, named here since the library's other platforms lack it. */
declare const WebSocketPair: new () => { 0: EdgeSocket; 1: EdgeSocket };

/** Creates both ends of a WebSocket: `client` goes into the response, `server` stays. */
export function openSocketPair(): { client: EdgeSocket; server: EdgeSocket } {
  const pair = new WebSocketPair();
  return { client: pair[0], server: pair[1] };
}

/** Answers an upgrade with the client's end, echoing one of the subprotocols that it offered. */
export function switchProtocols(client: EdgeSocket, subprotocol: string | undefined): Response {
  const headers: Record<string, string> =
    subprotocol === undefined ? {} : { "sec-websocket-protocol": subprotocol };
  const init = { status: 101, webSocket: client, headers };
  return new Response(null, init as ResponseInit);
}

/** Accepts a socket only to close it: the one way to tell a browser why. */
export function refuseSocket(code: number, reason: string, subprotocol: string | undefined): Response {
  const { client, server } = openSocketPair();
  server.accept();
  server.close(code, reason);
  return switchProtocols(client, subprotocol);
}

/** The subprotocol with which stock y-websocket clients that bring a token come. */
export const stockSubprotocol = "y-websocket";

/** Tells whether a request asks for a WebSocket. */
export function isUpgrade(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** The subprotocols that a request offers, in order. */
export function offeredSubprotocols(request: Request): string[] {
  const header = request.headers.get("sec-websocket-protocol") ?? "";
  return header
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/**
 * The subprotocol to answer with: one of ours, else whatever is offered first, since a browser drops a socket whose
 * offer is left without an echo before it sees the close code. A token is never echoed.
 */
export function echoedSubprotocol(request: Request): string | undefined {
  const offered = offeredSubprotocols(request).filter((name) => !name.startsWith(bearerPrefix));
  return [roomSubprotocol, stockSubprotocol].find((name) => offered.includes(name)) ?? offered[0];
}
