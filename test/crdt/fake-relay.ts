import type { OpenSocket, SocketEvents } from "../../src/crdt/transports/port.ts";
import {
  type ControlMessage,
  controlChannel,
  type DocumentMessage,
  decodeControl,
  decodeDocumentMessage,
  decodeFrame,
  encodeControl,
  encodeDocumentMessage,
  encodeFrame,
  type FramePart,
  tokenScopes,
} from "../../src/protocol/index.ts";

/** What a client sent, read: control messages as they are, document messages with the name of their document. */
export type Sent = ControlMessage | { type: "document"; name: string | undefined; message: DocumentMessage };

type Granted = Omit<Extract<ControlMessage, { type: "granted" }>, "type">;

/** The relay's end of one scripted socket. */
export interface FakeSocket {
  readonly url: string;
  readonly protocols: readonly string[];
  /** Everything sent, one list a frame. */
  readonly frames: Sent[][];
  readonly sent: Sent[];
  readonly frameBytes: number[];
  /** Whether either side has closed it. */
  closed: boolean;
  open(): void;
  /** Sends one frame of these control and document messages. */
  send(...parts: (ControlMessage | { channel: number; message: DocumentMessage })[]): void;
  sendBytes(frame: Uint8Array): void;
  close(code: number, reason?: string): void;
  /** Opens, welcomes, grants (by default everything to `anon`) and joins. */
  join(options?: { resumed?: boolean; epoch?: string } & Partial<Granted>): void;
  /** The number of the last mark. */
  readonly mark: number;
}

/** A relay that does what the test says, frame by frame. */
export interface FakeRelay {
  readonly sockets: FakeSocket[];
  readonly last: FakeSocket;
  readonly openSocket: OpenSocket;
}

/** Resolves after the microtasks that are due. */
export const settle = (): Promise<void> => new Promise((resume) => setImmediate(resume));

export function createFakeRelay(): FakeRelay {
  const sockets: FakeSocket[] = [];
  return {
    sockets,
    get last() {
      return sockets.at(-1) as FakeSocket;
    },
    openSocket(url, protocols, events) {
      const { socket, send, close } = createFakeSocket(url, protocols, events);
      sockets.push(socket);
      return { send, close };
    },
  };
}

function createFakeSocket(url: string, protocols: readonly string[], events: SocketEvents) {
  let told = false;
  /** Names that the client gave in some frame; a real relay forgets them at the frame's end. */
  const numbered = new Map<number, string>();
  const tell = (code: number, reason: string): void => {
    if (told) return;
    told = true;
    events.onClose(code, reason);
  };
  const socket: FakeSocket = {
    url,
    protocols,
    frames: [],
    sent: [],
    frameBytes: [],
    closed: false,
    open: () => events.onOpen(),
    send(...parts) {
      const encoded = parts.map(
        (part): FramePart =>
          "channel" in part && "message" in part && !("code" in part)
            ? { channel: part.channel, payload: encodeDocumentMessage(part.message) }
            : { channel: controlChannel, payload: encodeControl(part as ControlMessage) },
      );
      for (const part of parts)
        if ("type" in part && part.type === "name") numbered.set(part.channel, part.name);
      events.onFrame(encodeFrame(encoded));
    },
    sendBytes: (frame) => events.onFrame(frame),
    close(code, reason = "") {
      socket.closed = true;
      tell(code, reason);
    },
    join({
      resumed = true,
      epoch = "epoch",
      principal = "anon",
      scopes = tokenScopes,
      expiresAt = undefined,
    } = {}) {
      events.onOpen();
      socket.send(
        { type: "welcome", version: 1, epoch, sequence: 0, resumed, presence: 1 },
        { type: "granted", principal, scopes, expiresAt },
        { type: "cursor", sequence: 0 },
        { type: "joined" },
      );
    },
    get mark() {
      const marks = socket.sent.flatMap((each) => (each.type === "mark" ? [each.number] : []));
      return marks.at(-1) ?? 0;
    },
  };
  return {
    socket,
    send(frame: Uint8Array) {
      const local = new Map(numbered);
      const read = decodeFrame(frame).map(({ channel, payload }): Sent => {
        if (channel !== controlChannel) {
          return { type: "document", name: local.get(channel), message: decodeDocumentMessage(payload) };
        }
        const message = decodeControl(payload);
        if (message.type === "name") local.set(message.channel, message.name);
        return message;
      });
      socket.frames.push(read);
      socket.sent.push(...read);
      socket.frameBytes.push(frame.length);
    },
    close() {
      socket.closed = true;
      tell(1000, "");
    },
  };
}
