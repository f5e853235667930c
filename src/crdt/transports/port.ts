import type { Store } from "../../base/index.ts";

/** The side of a WebSocket that the relay link uses; `ws` and the browser's own both fit behind it. */
export interface Socket {
  /** Sends one binary frame. */
  send(frame: Uint8Array): void;
  /** Closes; `onClose` follows unless it was called already. */
  close(): void;
}

/** What a socket tells; never before the call that opens it has returned. */
export interface SocketEvents {
  onOpen(): void;
  onFrame(frame: Uint8Array): void;
  /** Told once, also where the socket never opened. */
  onClose(code: number, reason: string): void;
}

/** Opens a socket to a URL with the given subprotocols. */
export type OpenSocket = (url: string, protocols: readonly string[], events: SocketEvents) => Socket;

/** One end of a BroadcastChannel between the tabs of a principal. */
export interface TabChannel {
  post(message: unknown): void;
  close(): void;
}

/** Opens the channel of a name; what other tabs post reaches `onMessage`. */
export type OpenTabChannel = (name: string, onMessage: (message: unknown) => void) => TabChannel;

/** The state of a link to the relay. */
export type LinkState = "offline" | "connecting" | "online";

/** Whether and how far a link is up. */
export type LinkStatus = Store<LinkState>;
