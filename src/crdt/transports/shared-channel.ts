import { Awareness } from "y-protocols/awareness";
import { WebsocketProvider } from "y-websocket";
import type * as Y from "yjs";
import {
  type DocumentMessage,
  decodeDocumentMessage,
  emptyUpdate,
  encodeDocumentMessage,
} from "../../protocol/index.ts";

/** One shared document's channel of the room socket, with y-websocket's own provider at its end. */
export interface SharedChannel {
  /** The origin of the transactions in which the provider applies what the relay sends. */
  readonly origin: unknown;
  /** The link is up and its rows are here. Unless the relay lacks nothing, edits wait until its clocks are answered. */
  joined(clean: boolean): void;
  dropped(): void;
  /** Hands a message that passed the gate to the provider. */
  receive(message: DocumentMessage): void;
  close(): void;
}

export interface SharedChannelOptions {
  name: string;
  document: Y.Doc;
  /** Told of what is to be uploaded. `whole` says that it holds all that the relay lacks. */
  onUpload(update: Uint8Array, whole: boolean): void;
}

/** The part of a WebSocket that the provider uses. */
interface ProviderSocket {
  onmessage: ((event: { data: Uint8Array }) => void) | null;
  onopen: (() => void) | null;
}

const openState = 1;

/**
 * Opens a channel. To the provider it is a socket that opens once and stays open; cuts are the channel's own
 * affair: while it is not live nothing is sent, and the exchange at the next join covers it.
 */
export function openSharedChannel({ name, document, onUpload }: SharedChannelOptions): SharedChannel {
  let state: "offline" | "exchanging" | "live" = "offline";
  let socket: ProviderSocket | undefined;

  class ChannelSocket implements ProviderSocket {
    static readonly OPEN = openState;
    readonly OPEN = openState;
    readonly readyState = openState;
    binaryType = "arraybuffer";
    onmessage: ProviderSocket["onmessage"] = null;
    onopen: ProviderSocket["onopen"] = null;
    onclose: unknown = null;
    onerror: unknown = null;

    constructor() {
      socket = this;
      queueMicrotask(() => this.onopen?.());
    }

    send(payload: Uint8Array): void {
      const message = decodeDocumentMessage(payload);
      // The rows of the join bring what the relay has, so nothing is left to answer.
      if (message.type === "step1") deliver({ type: "step2", update: emptyUpdate });
      else if (message.type === "step2" || message.type === "update") upload(message);
    }

    close(): void {
      if (socket === this) socket = undefined;
    }
  }

  function upload({ type, update }: DocumentMessage & { update: Uint8Array }): void {
    const whole = type === "step2";
    if (whole && state === "exchanging") state = "live";
    if (state === "live") onUpload(update, whole);
  }

  function deliver(message: DocumentMessage): void {
    socket?.onmessage?.({ data: encodeDocumentMessage(message) });
  }

  const awareness = new Awareness(document);
  awareness.setLocalState(null);
  clearInterval(awareness._checkInterval as ReturnType<typeof setInterval>);
  const provider = new WebsocketProvider("channel:", name, document, {
    WebSocketPolyfill: ChannelSocket as unknown as typeof WebSocket,
    awareness,
    disableBc: true,
  });
  // The link watches the one real socket; a quiet document is no dead one.
  clearInterval(provider._checkInterval as ReturnType<typeof setInterval>);
  // One listener a document would pass Node's warning threshold; the room closes its providers itself.
  const { process } = globalThis as { process?: { off?(event: "exit", listener: unknown): unknown } };
  process?.off?.("exit", provider._exitHandler);

  return {
    origin: provider,
    joined(clean) {
      state = clean ? "live" : "exchanging";
    },
    dropped() {
      state = "offline";
    },
    receive: deliver,
    close() {
      state = "offline";
      // With a socket, `destroy` arms one more timer to connect again.
      provider.ws = null;
      provider.destroy();
      awareness.destroy();
    },
  };
}
