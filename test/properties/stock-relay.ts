import {
  createInMemoryStorage,
  createRoomCore,
  type Grant,
  type RoomCore,
  type RoomSocket,
  type SocketAttachment,
} from "../../src/edge/index.ts";
import type { RelayCode } from "../../src/testing/index.ts";
import type { ClientEnd, Connection } from "./stock-network.ts";

/** The simulator's relay with a door for stock clients, who are no replicas of ours. */
export interface StockRelay {
  readonly code: RelayCode<ReturnType<typeof createInMemoryStorage>, SocketAttachment>;
  /** Connects to the one room; closed at once while there is none. */
  connect(opening: { grant: Grant; document?: string }, client: ClientEnd): Connection;
  /** Delivers what the relay has sent, with all that follows from it. */
  pump(): void;
  /** Every connection breaks. */
  breakAll(): void;
  /** Closes by the relay. */
  readonly closes: readonly string[];
}

/** Creates the relay's code for a simulation with one room. */
export function createStockRelay(): StockRelay {
  const open = new Map<RoomSocket, () => void>();
  const inbox: (() => void)[] = [];
  const closes: string[] = [];
  let core: RoomCore | undefined;

  return {
    code: {
      createStorage: createInMemoryStorage,
      createCore(ports) {
        core = createRoomCore({ ...ports, sockets: [...ports.sockets, ...open.keys()] });
        return core;
      },
    },
    closes,
    connect(opening, client) {
      let attachment = "null";
      let isOpen = true;
      function end(code: number, reason: string): void {
        if (!isOpen) return;
        isOpen = false;
        open.delete(socket);
        client.onClose(code, reason);
      }
      const socket: RoomSocket = {
        send(bytes) {
          const copy = bytes.slice();
          inbox.push(() => isOpen && client.onMessage(copy));
        },
        close(code, reason) {
          closes.push(`${code} ${reason}`);
          open.delete(socket);
          inbox.push(() => end(code, reason));
        },
        readAttachment: () => JSON.parse(attachment) as SocketAttachment,
        writeAttachment(value) {
          attachment = JSON.stringify(value);
        },
      };
      const cut = (): void => {
        if (open.delete(socket)) core?.drop(socket);
        end(1006, "");
      };
      inbox.push(() => {
        if (!core) return end(1006, "");
        if (!isOpen) return;
        open.set(socket, cut);
        core.accept(socket, opening);
        client.onOpen();
      });
      return {
        get open() {
          return isOpen;
        },
        send: (bytes) => void (open.has(socket) && core?.receive(socket, bytes.slice())),
        close() {
          isOpen = false;
          if (open.delete(socket)) core?.drop(socket);
        },
        cut,
      };
    },
    pump() {
      for (let next = inbox.shift(); next; next = inbox.shift()) next();
    },
    breakAll() {
      core = undefined;
      for (const cut of [...open.values()]) cut();
    },
  };
}
