import type { Hono } from "hono";
import { systemClock } from "../base/index.ts";
import { createAccess } from "./http/access.ts";
import { readRoomRequest } from "./http/room-request.ts";
import { createRoomRoutes } from "./http/room-routes.ts";
import type { RouteEnvironment } from "./http/route.ts";
import { parseSettings, type RelayVariables } from "./http/settings.ts";
import { type EdgeSocket, isUpgrade, openSocketPair, switchProtocols } from "./http/upgrade.ts";
import { createLog } from "./operations/log.ts";
import type { MetricsNamespace } from "./operations/metrics-object.ts";
import { createRoomOperations, type RoomOperations } from "./operations/room-operations.ts";
import type { RoomSocket, SocketAttachment } from "./room/ports.ts";
import { createRoomCore, type RoomCore } from "./room/room-core.ts";
import { openSqlStorage, type SqlDriver } from "./storage/sql-storage.ts";

/** What a room uses of its object's storage: SQLite, and the one alarm. */
export interface RoomObjectStorage extends SqlDriver {
  /** Resolves once all that was written is on disk. */
  sync(): Promise<void>;
  getAlarm(): Promise<number | null>;
  setAlarm(atMs: number): Promise<void>;
  deleteAlarm(): Promise<void>;
}

/** What a room needs of its Durable Object. */
export interface RoomObjectContext {
  readonly id: { toString(): string };
  readonly storage: RoomObjectStorage;
  acceptWebSocket(socket: EdgeSocket, tags: string[]): void;
  getWebSockets(): EdgeSocket[];
  getTags(socket: EdgeSocket): string[];
  abort(reason?: string): void;
  /** No event comes before it has settled. */
  blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T>;
}

/** What a room uses of its Worker's environment. */
export interface RoomObjectBindings extends RelayVariables {
  METRICS?: MetricsNamespace;
}

/**
 * A room as a Durable Object with SQLite. It sleeps while its sockets stay open: everything that must
 * outlast that is in its storage or in the sockets' attachments.
 */
export class RoomObject {
  private readonly context: RoomObjectContext;
  private readonly sockets = new WeakMap<EdgeSocket, RoomSocket>();
  private readonly core: RoomCore;
  private readonly routes: Hono<RouteEnvironment<object>>;
  private readonly operations: RoomOperations;

  constructor(context: RoomObjectContext, env: RoomObjectBindings) {
    const { settings, tokens } = createAccess(parseSettings(env));
    const { storage: driver } = context;
    const storage = openSqlStorage(driver);
    const log = createLog({ level: settings.logLevel, clock: systemClock });
    this.context = context;
    this.operations = createRoomOperations({
      id: String(context.id),
      room: () => this.roomName(),
      clock: systemClock,
      log,
      metrics: env.METRICS,
      sync: () => driver.sync(),
      size: () => ({ ...storage.size(), documents: storage.documentCount() }),
      setAlarm: (atMs) => void (atMs === undefined ? driver.deleteAlarm() : driver.setAlarm(atMs)),
    });
    this.core = createRoomCore({
      storage,
      sockets: context.getWebSockets().map((socket) => this.socketOf(socket)),
      limits: settings.limits,
      retentionDays: settings.retentionDays,
      observer: this.operations.observer,
      verifyToken: (token) => tokens.verify(token, this.roomName()),
      setAlarm: (atMs) => this.operations.setAlarm(atMs),
      fail: (cause) => {
        log.write("error", "room failed", { cause, room: this.roomName() });
        context.abort("The room's storage failed.");
      },
    });
    void context.blockConcurrencyWhile(async () => {
      this.operations.foundAlarm((await driver.getAlarm()) ?? undefined);
    });
    this.routes = createRoomRoutes({ administration: this.core.administration, storage, log });
  }

  /** Takes an upgrade or a request of administration that the Worker checked. */
  fetch(request: Request): Response | Promise<Response> {
    return isUpgrade(request) ? this.open(request) : this.administer(request);
  }

  webSocketMessage(socket: EdgeSocket, message: ArrayBuffer | string): void {
    this.core.receive(this.socketOf(socket), typeof message === "string" ? message : new Uint8Array(message));
    this.operations.turn();
  }

  webSocketClose(socket: EdgeSocket): void {
    this.core.drop(this.socketOf(socket));
    this.socketOf(socket).close(1000, "");
    this.operations.turn();
  }

  webSocketError(socket: EdgeSocket): void {
    this.core.drop(this.socketOf(socket));
    this.operations.turn();
  }

  alarm(): void {
    this.operations.alarm();
    this.core.alarm();
    this.operations.turn();
  }

  private open(request: Request): Response {
    const { grant, room, document, subprotocol } = readRoomRequest(request);
    const { client, server } = openSocketPair();
    this.context.acceptWebSocket(server, [room]);
    this.core.accept(this.socketOf(server), document === undefined ? { grant } : { grant, document });
    this.operations.turn();
    return switchProtocols(client, subprotocol);
  }

  private async administer(request: Request): Promise<Response> {
    // Before the metrics set the one alarm for themselves.
    this.core.wake();
    const response = await this.routes.fetch(request);
    this.operations.administered();
    return response;
  }

  /** From a socket's tag, since an object that its alarm woke is not told its name. */
  private roomName(): string {
    const [socket] = this.context.getWebSockets();
    return (socket && this.context.getTags(socket)[0]) ?? "";
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
    send(bytes) {
      try {
        socket.send(bytes);
      } catch (cause) {
        assertClosed(cause);
      }
    },
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
    assertClosed(cause);
  }
}

function assertClosed(cause: unknown): void {
  if (!(cause instanceof TypeError)) throw cause;
}
