import { type EdgeSocket, openSocketPair, switchProtocols } from "./http/upgrade.ts";
import type { Grant } from "./room/grant.ts";
import type { RoomSocket, SocketAttachment } from "./room/ports.ts";
import { createRoomCore, type RoomCore } from "./room/room-core.ts";
import { openSqlStorage, type SqlDriver } from "./storage/sql-storage.ts";

/** What a room needs of its Durable Object. */
export interface RoomObjectContext {
  readonly storage: SqlDriver;
  acceptWebSocket(socket: EdgeSocket): void;
  getWebSockets(): EdgeSocket[];
  abort(reason?: string): void;
}

const grantHeader = "x-flockstate-grant";
const documentHeader = "x-flockstate-document";
const subprotocolHeader = "x-flockstate-subprotocol";

/** The upgrade with which the Worker hands a checked socket to the room; with a document it is a stock client's. */
export function roomRequest(
  request: Request,
  { grant, document, subprotocol }: { grant: Grant; document?: string; subprotocol?: string | undefined },
): Request {
  const headers = new Headers(request.headers);
  for (const [name, value] of [
    [grantHeader, JSON.stringify(grant)],
    [documentHeader, document],
    [subprotocolHeader, subprotocol],
  ] as const) {
    headers.delete(name);
    if (value !== undefined) headers.set(name, value);
  }
  return new Request(request, { headers });
}

/**
 * A room as a Durable Object with SQLite. It sleeps while its sockets stay open: everything that must
 * outlast that is in its storage or in the sockets' attachments.
 */
export class RoomObject {
  private readonly context: RoomObjectContext;
  private readonly sockets = new WeakMap<EdgeSocket, RoomSocket>();
  private readonly core: RoomCore;

  constructor(context: RoomObjectContext) {
    this.context = context;
    this.core = createRoomCore({
      storage: openSqlStorage(context.storage),
      sockets: context.getWebSockets().map((socket) => this.socketOf(socket)),
      fail: (cause) => context.abort(`The room's storage failed: ${String(cause)}`),
    });
  }

  /** Takes an upgrade that the Worker checked. */
  fetch(request: Request): Response {
    const { client, server } = openSocketPair();
    this.context.acceptWebSocket(server);
    const document = request.headers.get(documentHeader);
    const grant = JSON.parse(request.headers.get(grantHeader) ?? "null") as Grant;
    this.core.accept(this.socketOf(server), document === null ? { grant } : { grant, document });
    return switchProtocols(client, request.headers.get(subprotocolHeader) ?? undefined);
  }

  webSocketMessage(socket: EdgeSocket, message: ArrayBuffer | string): void {
    this.core.receive(this.socketOf(socket), typeof message === "string" ? message : new Uint8Array(message));
  }

  webSocketClose(socket: EdgeSocket): void {
    this.core.drop(this.socketOf(socket));
    this.socketOf(socket).close(1000, "");
  }

  webSocketError(socket: EdgeSocket): void {
    this.core.drop(this.socketOf(socket));
  }

  private socketOf(socket: EdgeSocket): RoomSocket {
    const known = this.sockets.get(socket);
    if (known) return known;
    const created = toRoomSocket(socket);
    this.sockets.set(socket, created);
    return created;
  }
}

function toRoomSocket(socket: EdgeSocket): RoomSocket {
  return {
    send: (bytes) => unlessClosed(() => socket.send(bytes)),
    close: (code, reason) => unlessClosed(() => socket.close(code, reason)),
    readAttachment: () => socket.deserializeAttachment() as SocketAttachment,
    writeAttachment: (attachment) => socket.serializeAttachment(attachment),
  };
}

/** Runs what throws on a socket that has closed meanwhile: its close event follows and clears up. */
function unlessClosed(use: () => void): void {
  try {
    use();
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
  }
}
