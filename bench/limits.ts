import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import * as Y from "yjs";
import { latencyUs, rate } from "./measure.ts";

/** What is sent: about 250 bytes, as an agent's message is. */
export const content = { task: "describe", column: "IMDB Rating", note: "x".repeat(180) };

/** The least that any messenger in one process does: a copy of the content, and a call. */
export async function directCalls(count: number): Promise<number> {
  let handled = 0;
  const handle = (message: typeof content): void => {
    if (message.task) handled++;
  };
  const figure = await rate(count, () => {
    for (let index = 0; index < count; index++) handle(JSON.parse(JSON.stringify(content)));
  });
  if (handled !== count) throw new Error("The limit lost a call.");
  return figure;
}

/** Two bare Yjs documents: an object pushed in a transaction of its own, and its update applied at the other. */
export async function bareYjs(count: number): Promise<number> {
  const [source, target] = [new Y.Doc(), new Y.Doc()];
  source.on("update", (update: Uint8Array) => Y.applyUpdate(target, update));
  const list = source.getArray("log");
  const figure = await rate(count, () => {
    for (let index = 0; index < count; index++) list.push([{ ...content, index }]);
  });
  if (target.getArray("log").length !== count) throw new Error("The limit lost an update.");
  return figure;
}

/** A server that hands every frame to every other client, and nothing else. */
export async function openBroadcast(): Promise<{ url: string; close(): Promise<void> }> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  server.on("connection", (socket) =>
    socket.on("message", (frame) => {
      for (const other of server.clients) if (other !== socket) other.send(frame, { binary: true });
    }),
  );
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        for (const client of server.clients) client.terminate();
        server.close(() => resolve());
      }),
  };
}

/** Round trips and one-way rate of opaque bytes through a plain broadcast. */
export async function plainBroadcast(
  url: string,
  { rounds, count }: { rounds: number; count: number },
): Promise<{ roundTripUs: number; rate: number }> {
  const [a, b] = [new WebSocket(url), new WebSocket(url)];
  await Promise.all([once(a, "open"), once(b, "open")]);
  const bytes = new TextEncoder().encode(JSON.stringify(content));

  const echo = (frame: Buffer): void => b.send(frame);
  b.on("message", echo);
  const roundTripUs = await latencyUs(rounds, async () => {
    a.send(bytes);
    await once(a, "message");
  });
  b.off("message", echo);

  let received = 0;
  const all = new Promise<void>((resolve) => {
    b.on("message", () => {
      if (++received === count) resolve();
    });
  });
  const figure = await rate(count, async () => {
    for (let index = 0; index < count; index++) a.send(bytes);
    await all;
  });
  a.terminate();
  b.terminate();
  return { roundTripUs, rate: figure };
}
