import { FlockError } from "../../base/index.ts";
import type { OpenSocket } from "./port.ts";

/** The WebSocket class of a platform: the browser's, Node 22's, or that of `ws`. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocket;

const opening = 0;
const open = 1;

/** Adapts a WebSocket class to the socket port. A text frame closes the socket: this protocol has none. */
export function createWebSocketOpener(WebSocketClass: WebSocketConstructor): OpenSocket {
  return (url, protocols, events) => {
    const socket = construct(WebSocketClass, url, protocols);
    let told = false;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => events.onOpen();
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) events.onFrame(new Uint8Array(data));
      else socket.close();
    };
    // The close that follows every error carries the code; an unhandled one would end a Node process.
    socket.onerror = () => {};
    socket.onclose = ({ code, reason }) => tell(code, reason);

    function tell(code: number, reason: string): void {
      if (told) return;
      told = true;
      events.onClose(code, reason);
    }

    return {
      send(frame) {
        if (socket.readyState === open) socket.send(frame as Uint8Array<ArrayBuffer>);
      },
      close() {
        if (socket.readyState === opening || socket.readyState === open) socket.close();
        tell(1000, "");
      },
    };
  };
}

function construct(
  WebSocketClass: WebSocketConstructor,
  url: string,
  protocols: readonly string[],
): WebSocket {
  try {
    return new WebSocketClass(url, [...protocols]);
  } catch (cause) {
    throw new FlockError(
      "room/invalid-options",
      `This page may not open ${url}: a page served over https needs a relay at https:// or wss://.`,
      { cause },
    );
  }
}
