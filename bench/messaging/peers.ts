import { performance } from "node:perf_hooks";
import { content } from "../limits.ts";
import { median, rate } from "../measure.ts";
import { format, markdown } from "../relay/report.ts";
import { turn } from "./agents.ts";
import { type Figures, gather } from "./figures.ts";
import { type Timed, timeByTurns } from "./latency.ts";

/** A sender and a receiver of a peer; what is handed over is an object. */
interface Peer {
  send(content: unknown): unknown;
  onMessage(handler: (content: unknown) => void): void;
  close(): Promise<void>;
}

/** A peer that takes requests. */
interface Service {
  request(content: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** What `nats.mjs` starts. */
export interface Nats {
  openCore(): Promise<Peer>;
  openJetStream(): Promise<Peer>;
  openService(): Promise<Service>;
  close(): void;
}

const messages = 20_000;
const perTurn = 256;
const loneMessages = 300;
/** A consumer asks for what it wants before it is sent. */
const subscribedMs = 100;

/** nats.js on the same machine, over its loopback: a server in Go, which is no part of a browser. */
export async function measureNats(runs: number, nats: Nats): Promise<void> {
  const figures = await gather(runs, async (each) => {
    await measurePeer(each, "core", await nats.openCore());
    await measurePeer(each, "JetStream", await nats.openJetStream());
    const service = await nats.openService();
    const { request } = await timeByTurns(loneMessages, {
      request: timed(() => service.request(content)),
    });
    each.note("request", request.p50);
    await service.close();
  });
  const of = (name: string): string => format(median(figures.of(name)));
  const rows = [
    ["", "messages a second", "a lone message, p50 µs", "request and reply, p50 µs"],
    ["NATS core, nothing stored", of("core rate"), of("core p50"), of("request")],
    ["JetStream on disk, each acknowledged", of("JetStream rate"), of("JetStream p50"), ""],
  ];
  console.log(["", "### nats.js, one sender to one reader", "", ...markdown(rows)].join("\n"));
}

async function measurePeer({ note }: Figures, name: string, peer: Peer): Promise<void> {
  let handled: () => void = () => {};
  peer.onMessage(() => handled());
  await new Promise((resolve) => setTimeout(resolve, subscribedMs));
  const lone = await timeByTurns(loneMessages, {
    lone: timed(() => {
      const arrival = new Promise<void>((resolve) => {
        handled = resolve;
      });
      void peer.send(content);
      return arrival;
    }),
  });
  note(`${name} p50`, lone.lone.p50);
  note(
    `${name} rate`,
    await rate(messages, async () => {
      let left = messages;
      const all = new Promise<void>((resolve) => {
        handled = () => {
          if (--left === 0) resolve();
        };
      });
      for (let sent = 0; sent < messages; sent++) {
        void peer.send(content);
        if ((sent + 1) % perTurn === 0) await turn();
      }
      await all;
    }),
  );
  await peer.close();
}

function timed(task: () => Promise<unknown>): Timed {
  return async () => {
    const start = performance.now();
    await task();
    const us = (performance.now() - start) * 1_000;
    await turn();
    return us;
  };
}
