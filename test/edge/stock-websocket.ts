import type { WebsocketProvider } from "y-websocket";
import type * as Y from "yjs";
import { upgrade } from "./relay-client.ts";

/** A socket that a test can break. */
export interface StockSocket {
  /** Ends the connection as a lost network does: no close frame, code 1006. */
  break(): void;
}

/** As the provider takes it. */
type SocketClass = NonNullable<
  NonNullable<ConstructorParameters<typeof WebsocketProvider>[3]>["WebSocketPolyfill"]
>;

type Handler<T> = ((event: T) => void) | null;

/** The part of the WebSocket class that y-websocket uses, over an upgrade of the Worker under test. */
export function createStockSocket() {
  const sockets: StockSocket[] = [];

  class Socket {
    readonly OPEN = 1;
    readyState = 0;
    binaryType = "arraybuffer";
    onopen: Handler<unknown> = null;
    onmessage: Handler<{ data: unknown }> = null;
    onerror: Handler<unknown> = null;
    onclose: Handler<{ code: number; reason: string }> = null;
    #socket: WebSocket | undefined;

    constructor(url: string, protocols: string[] = []) {
      sockets.push({ break: () => this.#end(1006, "") });
      const { pathname } = new URL(url);
      void this.#open(pathname, protocols);
    }

    async #open(pathname: string, protocols: string[]): Promise<void> {
      const { webSocket } = await upgrade(pathname, protocols);
      if (!webSocket || this.readyState === 3) return this.#end(1006, "");
      webSocket.binaryType = "arraybuffer";
      webSocket.addEventListener("message", ({ data }) => this.onmessage?.({ data }));
      webSocket.addEventListener("close", ({ code, reason }) => this.#end(code, reason));
      webSocket.accept();
      this.#socket = webSocket;
      this.readyState = 1;
      this.onopen?.({});
    }

    #end(code: number, reason: string): void {
      if (this.readyState === 3) return;
      this.readyState = 3;
      this.#socket?.close(1000, "");
      this.onclose?.({ code, reason });
    }

    send(bytes: Uint8Array): void {
      if (this.readyState === 1) this.#socket?.send(bytes);
    }

    close(): void {
      this.#end(1000, "");
    }
  }

  return { Socket: Socket as unknown as SocketClass, sockets };
}

/** Waits until the condition holds, looking after each update of the document. */
export function eventually(doc: Y.Doc, condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!condition()) return;
      doc.off("update", look);
      resolve();
    };
    doc.on("update", look);
    look();
  });
}
