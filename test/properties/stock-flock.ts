import { vi } from "vitest";
import * as Y from "yjs";
import { createRandom, type Random } from "../protocol/gate/random.ts";
import { createRoomClient, createStockClient, type EditingClient } from "./stock-clients.ts";
import { createStockNetwork, type StockNetwork, type Tamper } from "./stock-network.ts";

export interface StockFlockOptions {
  /** Things that happen before the heal. Default 400. */
  steps?: number;
  tamper?: Tamper;
  /** Somebody else in the room, who is no member; its principal is `intruderPrincipal`. */
  intrude?: (network: StockNetwork) => Intruder;
}

/** Does what it likes. */
export interface Intruder {
  act(random: Random): void;
}

export const intruderPrincipal = "mallory";

/** What a run came to. */
export interface StockFlockOutcome {
  /** Messages that reached the relay. */
  messages: number;
  /** Refusals that asked for the missing or surplus part. */
  resyncs: number;
  /** Rows that were replaced by a snapshot. */
  compacted: number;
  /** Everything that honest clients in a healed room must not show. */
  complaints: string[];
}

/** The longest wait of the provider before it connects again, in milliseconds, as `createStockClient` sets it. */
const reconnectMs = 60;

/** A document as an application reads it. */
export function contentOf(doc: Y.Doc): string {
  return JSON.stringify(plain([doc.getText("t").toDelta(), doc.getArray("a"), doc.getMap("m")]));
}

/** With sorted keys, because a map's order is that of arrival. */
function plain(value: unknown): unknown {
  // An editor that cuts a surrogate pair keeps its halves, its readers get U+FFFD for each (THREATS 18).
  if (typeof value === "string") return value.replaceAll(/[\ud800-\udfff]/g, "\ufffd");
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Y.AbstractType) return plain(value.toJSON());
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, plain(inner)]);
}

/** How a replica differs from another: in what it shows, in what it deleted, or in what it waits for. */
export function differencesOf(one: Y.Doc, other: Y.Doc): string[] {
  const differences: string[] = [];
  if (other.store.pendingStructs || other.store.pendingDs) differences.push("something is pending");
  if (contentOf(one) !== contentOf(other)) differences.push("the content differs");
  if (!Y.equalSnapshots(Y.snapshot(one), Y.snapshot(other))) differences.push("clocks or deletions differ");
  return differences;
}

/**
 * Stock clients and ours edit one document of one room: everything is delayed, connections are cut, the relay sleeps
 * and crashes. Then all heals. Timers of the process must be fake.
 */
export function playStockFlock(
  seed: number,
  { steps = 400, tamper, intrude }: StockFlockOptions = {},
): StockFlockOutcome {
  const random = createRandom(seed);
  const network = createStockNetwork(random, { tamper });
  const clients: EditingClient[] = [
    createStockClient(network, { principal: "alice", client: 11 }),
    createStockClient(network, { principal: "alice", client: 4_294_967_295 }),
    createStockClient(network, { principal: "bob", client: 300 }),
    createRoomClient(network, { principal: "bob", client: 2 ** 31 }),
    createRoomClient(network, { principal: "carol", client: 7 }),
  ];

  function settleAll(): void {
    for (const client of clients) client.connect();
    vi.advanceTimersByTime(reconnectMs);
    network.settle();
    for (const client of clients) client.flush();
    network.settle();
  }

  try {
    for (const client of clients) client.connect();
    // Each has written before anybody intrudes: a Yjs client that is known is its writer's.
    if (intrude) {
      for (const client of clients) while (!hasWritten(client)) client.edit(random);
      settleAll();
    }
    const intruder = intrude?.(network);
    for (let step = 0; step < steps; step++) {
      const client = random.pick(clients);
      if (intruder && random.chance(0.3)) intruder.act(random);
      const what = random.below(100);
      if (what < 35) client.edit(random);
      else if (what < 50) client.send(random);
      else if (what < 52) client.cut();
      else if (what < 54) client.disconnect();
      else if (what < 58) client.connect();
      else if (what < 60) network.sleep({ compact: random.chance(0.5) });
      else if (what < 61) network.crash();
      else if (what < 65) vi.advanceTimersByTime(reconnectMs);
      else if (what < 75) network.advance(random.below(50));
      else for (let count = random.below(8); count >= 0; count--) network.step();
    }
    settleAll();
    for (const client of clients) client.send(random);
    settleAll();
    const resyncs = clients.reduce((sum, client) => sum + client.resyncs, 0);
    return {
      messages: network.messages,
      resyncs,
      compacted: network.compacted,
      complaints: complaintsOf(network, clients),
    };
  } finally {
    for (const client of clients) client.close();
  }
}

function hasWritten({ doc }: EditingClient): boolean {
  return Y.getState(doc.store, doc.clientID) > 0;
}

function complaintsOf(network: StockNetwork, clients: readonly EditingClient[]): string[] {
  const late = [
    createStockClient(network, { principal: "dora", client: 900 }),
    createRoomClient(network, { principal: "dora", client: 901 }),
  ];
  for (const joiner of late) joiner.connect();
  network.settle();
  const all = [...clients, ...late];
  const [first, ...others] = all as [EditingClient, ...EditingClient[]];
  const complaints = [
    ...network.closes
      .filter(({ principal }) => principal !== intruderPrincipal)
      .map(({ code, reason }) => `the relay closed an honest socket: ${code} ${reason}`),
    ...all.flatMap((client) => client.complaints),
    ...all.filter((client) => !client.synced).map(({ name }) => `${name} is not synced`),
    ...differencesOf(first.doc, first.doc),
    ...others.flatMap(({ name, doc }) =>
      differencesOf(first.doc, doc).map((difference) => `${name} beside ${first.name}: ${difference}`),
    ),
  ];
  for (const joiner of late) joiner.close();
  return complaints;
}
