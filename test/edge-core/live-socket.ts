import { WebSocket } from "ws";
import { creditEveryBytes, roomSubprotocol, socketPath } from "../../src/protocol/index.ts";
import { createFrameReader, frameOf, type Item, type Outgoing } from "./wire.ts";

/** Past it a relay that does not answer is taken for dead. */
const patienceMs = 20_000;

/** A client's end of a room socket, over the network. */
export interface LiveSocket {
  /** What has come, in order. */
  readonly items: Item[];
  /** Undefined while the socket is open. */
  readonly closed: { code: number; reason: string } | undefined;
  /** Whether the relay is told what was taken, as it comes; at once where this is set. */
  credits: boolean;
  send(...messages: Outgoing[]): void;
  sendFrame(frame: Uint8Array): void;
  /** Settles once it holds; rejects where the socket closes first, or after 20 s, with `what` was waited for. */
  until(condition: () => boolean, what?: string): Promise<void>;
  untilClosed(): Promise<{ code: number; reason: string }>;
  leave(): void;
}

export interface LiveSocketOptions {
  /** `http://<host>:<port>` of the relay. */
  url: string;
  room: string;
  token?: string | undefined;
  /** Default true, as a replica does. */
  credits?: boolean;
  onItem?: (item: Item) => void;
}

/** Opens a room socket, without joining. */
export async function openLiveSocket({
  url,
  room,
  token,
  credits = true,
  onItem = () => {},
}: LiveSocketOptions): Promise<LiveSocket> {
  const protocols = token === undefined ? [roomSubprotocol] : [roomSubprotocol, `bearer.${token}`];
  const socket = new WebSocket(url.replace(/^http/, "ws") + socketPath(room), protocols, {
    perMessageDeflate: false,
  });
  socket.binaryType = "arraybuffer";
  const read = createFrameReader();
  const items: Item[] = [];
  const waiting = new Set<() => void>();
  let closed: LiveSocket["closed"];
  let taken = 0;
  let credited = 0;
  let isCrediting = credits;
  const wake = () => {
    for (const check of waiting) check();
  };

  function giveCredit(): void {
    credited = taken;
    live.send({ type: "credit", bytes: taken });
  }

  const live: LiveSocket = {
    items,
    get closed() {
      return closed;
    },
    get credits() {
      return isCrediting;
    },
    set credits(wanted) {
      isCrediting = wanted;
      if (wanted) giveCredit();
    },
    send: (...messages) => live.sendFrame(frameOf(...messages)),
    sendFrame(frame) {
      if (!closed) socket.send(frame);
    },
    until: (condition, what = "an answer") =>
      new Promise((resolve, reject) => {
        const limit = setTimeout(
          () => settle(() => reject(new Error(`Waited ${patienceMs / 1000} s for ${what}.`))),
          patienceMs,
        );
        const settle = (end: () => void) => {
          clearTimeout(limit);
          waiting.delete(check);
          end();
        };
        const check = () => {
          if (condition()) settle(resolve);
          else if (closed) {
            const { code, reason } = closed;
            settle(() => reject(new Error(`Closed with ${code} "${reason}", waiting for ${what}.`)));
          }
        };
        waiting.add(check);
        check();
      }),
    async untilClosed() {
      await live.until(() => closed !== undefined, "the close");
      return closed!;
    },
    leave: () => socket.close(),
  };

  socket.on("message", (data: ArrayBuffer) => {
    taken += data.byteLength;
    for (const item of read(new Uint8Array(data))) {
      items.push(item);
      onItem(item);
    }
    if (isCrediting && taken - credited >= creditEveryBytes) giveCredit();
    wake();
  });
  socket.on("close", (code, reason) => {
    closed = { code, reason: reason.toString() };
    wake();
  });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  socket.on("error", () => {});
  return live;
}
