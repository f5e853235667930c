import { performance } from "node:perf_hooks";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { documentsPath } from "../../src/protocol/index.ts";
import { content } from "../limits.ts";
import { turn } from "./agents.ts";

/** Two stock y-websocket clients on one shared document of a room. */
export interface StockPair {
  /** From a push at one to the update at the other, in microseconds. */
  time(): Promise<number>;
  close(): void;
}

/** Opens the pair; resolves once both are in sync. */
export async function openStockPair(relay: string, room: string): Promise<StockPair> {
  const url = `${relay.replace(/^http/, "ws")}${documentsPath(room)}`;
  const [from, to] = [await connect(url), await connect(url)];
  const list = from.doc.getArray("log");
  let arrived: (at: number) => void = () => {};
  to.doc.on("update", () => arrived(performance.now()));
  return {
    async time() {
      const arrival = new Promise<number>((resolve) => {
        arrived = resolve;
      });
      const sentAt = performance.now();
      list.push([content]);
      const us = ((await arrival) - sentAt) * 1_000;
      await turn();
      return us;
    },
    close() {
      for (const { provider } of [from, to]) provider.destroy();
    },
  };
}

async function connect(url: string): Promise<{ doc: Y.Doc; provider: WebsocketProvider }> {
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(url, "shared", doc, {
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    disableBc: true,
  });
  await new Promise<void>((resolve) => provider.once("sync", () => resolve()));
  return { doc, provider };
}
