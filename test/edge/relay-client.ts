import { env, runInDurableObject, SELF } from "cloudflare:test";
import { roomSubprotocol, socketPath } from "../../src/protocol/index.ts";
import { RoomObject } from "../../src/worker.ts";
import { createFrameReader, type Item, joinFrame } from "../edge-core/wire.ts";

export const origin = "http://localhost:8787";

/** A client's end of a real WebSocket into the relay. */
export interface RelayClient {
  readonly socket: WebSocket;
  readonly frames: Item[][];
  readonly items: Item[];
  readonly raw: Uint8Array[];
  closed: { code: number; reason: string } | undefined;
  send(message: Uint8Array | string): void;
  /** Waits until what was received satisfies the condition. */
  until(condition: () => boolean): Promise<void>;
  /** Waits for the first message of a type, from the `from`th item on. */
  item<T extends Item["type"]>(type: T, from?: number): Promise<Extract<Item, { type: T }>>;
  leave(): void;
}

export function upgrade(path: string, protocols: readonly string[], headers: Record<string, string> = {}) {
  return SELF.fetch(`${origin}${path}`, {
    headers: {
      upgrade: "websocket",
      ...(protocols.length > 0 && { "sec-websocket-protocol": protocols.join(", ") }),
      ...headers,
    },
  });
}

export async function open(path: string, protocols: readonly string[] = []): Promise<RelayClient> {
  const response = await upgrade(path, protocols);
  const socket = response.webSocket;
  if (!socket) throw new Error(`No WebSocket at ${path}: ${response.status} ${await response.text()}`);
  return listen(socket, protocols.includes(roomSubprotocol));
}

export function openRoomSocket(room: string): Promise<RelayClient> {
  return open(socketPath(room), [roomSubprotocol]);
}

/** Opens a room socket, joins, and waits until it has. */
export async function join(room: string, epoch = "", sequence = 0): Promise<RelayClient> {
  const client = await openRoomSocket(room);
  client.send(joinFrame(epoch, sequence));
  await client.item("joined");
  return client;
}

/** Listens at a socket that an upgrade gave; `framed` where it speaks the room's protocol. */
export function listen(socket: WebSocket, framed: boolean): RelayClient {
  socket.binaryType = "arraybuffer";
  const read = createFrameReader();
  const waiting = new Set<() => void>();
  const client: RelayClient = {
    socket,
    frames: [],
    items: [],
    raw: [],
    closed: undefined,
    send: (message) => socket.send(message),
    async until(condition) {
      while (!condition()) await new Promise<void>((resolve) => void waiting.add(resolve));
    },
    async item(type, from = 0) {
      const find = () => client.items.slice(from).find((item) => item.type === type);
      await client.until(() => find() !== undefined);
      return find() as Extract<Item, { type: typeof type }>;
    },
    leave: () => socket.close(1000, "left"),
  };
  const tell = () => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  socket.addEventListener("message", ({ data }) => {
    const bytes = new Uint8Array(data as ArrayBuffer);
    client.raw.push(bytes);
    if (framed) {
      const frame = read(bytes);
      client.frames.push(frame);
      client.items.push(...frame);
    }
    tell();
  });
  socket.addEventListener("close", ({ code, reason }) => {
    client.closed = { code, reason };
    tell();
  });
  socket.accept();
  return client;
}

/** Runs inside the room's object, with its SQLite at hand. */
export function inRoom<T>(room: string, run: (sql: SqlStorage, state: DurableObjectState) => T): Promise<T> {
  return runInDurableObject(env.ROOMS.getByName(room), (_, state) => run(state.storage.sql, state));
}

/** How many rows the room holds. */
export function countRows(room: string): Promise<number> {
  return inRoom(room, (sql) => Number(sql.exec("SELECT COUNT(*) AS rows FROM rows").one()["rows"]));
}

/**
 * Does what waking does: the constructor runs over the storage and the open sockets, and memory is new.
 * The pool cannot evict an object with its sockets open; `test/edge-core/hibernation.test.ts` waits for the real thing.
 */
export function wake(room: string): Promise<void> {
  return runInDurableObject(env.ROOMS.getByName(room), (instance, state) => {
    Object.assign(instance, new RoomObject(state, env));
  });
}
