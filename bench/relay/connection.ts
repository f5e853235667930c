import { once } from "node:events";
import { connect } from "node:net";
import { WebSocket } from "ws";
import { creditEveryBytes, creditUnsaidBytes, creditWithinMs } from "../../src/protocol/index.ts";
import type { Protocol } from "./protocols/protocol.ts";

/** One client of a relay: sends prepared frames, hands on what comes. */
export interface Connection {
  /** Sends frames in one write to the network. */
  send(...frames: readonly Uint8Array[]): void;
  sendText(text: string): void;
  onFrame(listener: (frame: Buffer) => void): void;
  /** Rejects as soon as the relay closes the connection. */
  readonly lost: Promise<never>;
  readonly traffic: Traffic;
  /** What waits in this process to be sent. */
  waitingBytes(): number;
  close(): Promise<void>;
}

/** What has crossed one connection, WebSocket headers included. */
export interface Traffic {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const patienceMs = 60_000;

/** Opens a client and waits until it has joined the room. */
export async function openConnection(
  { url, protocol }: { url: string; protocol: Protocol },
  room: string,
  listener: (frame: Buffer) => void = () => {},
): Promise<Connection> {
  const { hostname, port } = new URL(url);
  const tcp = connect({ host: hostname, port: Number(port), noDelay: true });
  let framesIn = 0;
  let framesOut = 0;
  let received = 0;
  let credited = 0;
  let hear = listener;
  const socket = new WebSocket(`${url}${protocol.path(room)}`, protocol.subprotocols, {
    perMessageDeflate: false,
    skipUTF8Validation: true,
    // Masking costs as much as all else in sending, and guards against proxies only.
    generateMask: (mask) => mask.fill(0),
    maxPayload: 2 ** 30,
    createConnection: () => tcp,
  });
  let fail: (cause: Error) => void = () => {};
  const lost = new Promise<never>((_, reject) => {
    fail = reject;
  });
  lost.catch(() => {});
  socket.on("error", (cause) => fail(cause));
  socket.on("close", () => clearTimeout(saying));
  socket.on("close", (code, reason) => fail(new Error(`The relay closed with ${code} ${reason}.`)));

  let ready: () => void = () => {};
  const joined = new Promise<void>((resolve) => {
    ready = resolve;
  });
  let waiting = true;
  let saying: ReturnType<typeof setTimeout> | undefined;

  function sendCredit(): void {
    if (!protocol.credit) return;
    clearTimeout(saying);
    saying = undefined;
    credited = received;
    framesOut++;
    socket.send(protocol.credit(received));
  }

  socket.on("message", (data, isBinary) => {
    const frame = data as Buffer;
    if (!isBinary) return;
    framesIn++;
    received += frame.length;
    if (waiting && protocol.isReady(frame)) {
      waiting = false;
      ready();
    }
    if (received - credited >= creditEveryBytes) sendCredit();
    else if (received - credited > creditUnsaidBytes && socket.readyState === WebSocket.OPEN) {
      saying ??= setTimeout(sendCredit, creditWithinMs);
    }
    hear(frame);
  });
  await Promise.race([once(socket, "open"), lost]);

  const connection: Connection = {
    send(...frames) {
      tcp.cork();
      for (const frame of frames) socket.send(frame);
      // As our link does: what is due rides along early.
      if (received - credited >= creditUnsaidBytes) sendCredit();
      tcp.uncork();
      framesOut += frames.length;
    },
    sendText: (text) => socket.send(text),
    onFrame(next) {
      hear = next;
    },
    lost,
    waitingBytes: () => socket.bufferedAmount,
    traffic: {
      get framesIn() {
        return framesIn;
      },
      get framesOut() {
        return framesOut;
      },
      get bytesIn() {
        return tcp.bytesRead;
      },
      get bytesOut() {
        return tcp.bytesWritten;
      },
    },
    async close() {
      if (socket.readyState === WebSocket.CLOSED) return;
      const closed = once(socket, "close");
      socket.terminate();
      await closed;
    },
  };
  const greeting = protocol.greet(room);
  if (greeting.length > 0) {
    connection.send(...greeting);
    await withLimit(Promise.race([joined, lost]), `${protocol.name}: no join`);
  }
  return connection;
}

/** Rejects where a promise does not settle within a minute: a relay that lost something would never be done. */
export async function withLimit<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${patienceMs / 1000} s.`)), patienceMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
