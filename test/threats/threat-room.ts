import { vi } from "vitest";
import * as Y from "yjs";
import { sharedName } from "../../src/protocol/index.ts";
import { grantOf } from "../edge-core/room-harness.ts";
import {
  createFrameReader,
  frameOf,
  type Item,
  itemsOf,
  joinFrame,
  type Outgoing,
  updateFrame,
} from "../edge-core/wire.ts";
import { createRoomClient, createStockClient, type EditingClient } from "../properties/stock-clients.ts";
import { differencesOf } from "../properties/stock-flock.ts";
import {
  createStockNetwork,
  type StockNetwork,
  type StockNetworkOptions,
} from "../properties/stock-network.ts";
import { createEditor } from "../protocol/gate/editing.ts";
import { createRandom } from "../protocol/gate/random.ts";
import { attacker, type Victim } from "./attacks.ts";

/** The attacker's end of a socket: it sends what it likes. */
export interface Attacker {
  /** Every message that it was sent. */
  readonly raw: readonly Uint8Array[];
  /** What a room socket was sent. */
  readonly items: readonly Item[];
  readonly closed: { code: number; reason: string } | undefined;
  send(bytes: Uint8Array): void;
  leave(): void;
  /** Sends control and document messages as one frame. */
  sendFrame(...messages: Outgoing[]): void;
  /** Sends an update of a document, and gives the codes that it was refused with. */
  offer(document: string, ...updates: Uint8Array[]): string[];
}

/** How the attacker comes in. */
export interface AttackerOptions {
  /** As a stock client of this document. */
  document?: string;
  principal?: string;
  /** Separated by spaces; by default all that a member has. */
  scopes?: string;
  /** In milliseconds; absent never. */
  expiresAt?: number;
}

/** A room with four honest members, one of them stock, and whoever attacks it. */
export interface ThreatRoom {
  readonly network: StockNetwork;
  readonly victim: EditingClient;
  readonly members: readonly EditingClient[];
  /** What the relay knows of the victim. */
  known(): Victim;
  /** Connects the attacker by a room socket that has joined, or with a document's name as a stock client. */
  attack(options?: AttackerOptions): Attacker;
  /** Everything that must not show once the attack is over: the victim's edits made meanwhile reach everybody. */
  aftermath(): string[];
  close(): void;
}

const victimClient = 11;

/** Opens a room in which all have written; the victim is away and has edits that nobody has. */
export function openThreatRoom(options: Pick<StockNetworkOptions, "limits"> = {}): ThreatRoom {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  const random = createRandom(1);
  const network = createStockNetwork(random, options);
  const victim = createRoomClient(network, { principal: "alice", client: victimClient });
  const members: EditingClient[] = [
    victim,
    createRoomClient(network, { principal: "alice", client: 12 }),
    createRoomClient(network, { principal: "bob", client: 13 }),
    createStockClient(network, { principal: "carol", client: 14 }, createEditor(14)),
  ];

  function connectAll(): void {
    for (const member of members) member.connect();
    network.settle();
  }

  connectAll();
  for (const { doc } of members) {
    doc.getArray("a").push([new Y.Map([["k", doc.clientID]]), doc.clientID]);
    doc.getMap("m").set(`k${doc.clientID}`, [doc.clientID]);
    doc.getText("t").insert(0, `before ${doc.clientID} `);
  }
  for (const member of members) member.flush();
  network.settle();
  const clock = Y.getState(victim.doc.store, victimClient);
  victim.disconnect();
  network.settle();
  victim.doc.getText("t").insert(0, "written while away ");
  victim.doc.getMap("m").set("away", true);
  victim.doc.getArray("a").push(["away"]);
  const honestCloses = network.closes.length;

  return {
    network,
    victim,
    members,
    known: () => ({ client: victimClient, clock }),
    attack({ document, scopes, principal = attacker, expiresAt } = {}) {
      const raw: Uint8Array[] = [];
      const items: Item[] = [];
      const read = createFrameReader();
      let closed: Attacker["closed"];
      let mark = 0;
      const grant = { ...grantOf(principal, scopes), ...(expiresAt !== undefined && { expiresAt }) };
      const connection = network.connect(document === undefined ? { grant } : { grant, document }, {
        onOpen() {},
        onMessage(bytes) {
          raw.push(bytes);
          if (document === undefined) items.push(...read(bytes));
        },
        onClose(code, reason) {
          closed = { code, reason };
        },
      });
      network.settle();
      if (document === undefined) connection.send(joinFrame());
      network.settle();
      const send = (bytes: Uint8Array): void => {
        connection.send(bytes);
        network.settle();
      };
      return {
        raw,
        items,
        get closed() {
          return closed;
        },
        send,
        leave() {
          connection.close();
          network.settle();
        },
        sendFrame: (...messages) => send(frameOf(...messages)),
        offer(name, ...updates) {
          const before = items.length;
          send(updateFrame(name, updates, ++mark));
          return itemsOf(items.slice(before), "refuse").map(({ code }) => code);
        },
      };
    },
    aftermath() {
      connectAll();
      for (const member of members) member.flush();
      connectAll();
      const late = createRoomClient(network, { principal: "late", client: 99 });
      late.connect();
      network.settle();
      const everyone = [...members, late];
      const complaints = [
        ...everyone.flatMap((member) => member.complaints),
        ...everyone.filter(({ synced }) => !synced).map(({ name }) => `${name} is not synced`),
        ...everyone.flatMap(({ name, doc }) =>
          differencesOf(victim.doc, doc).map((difference) => `${name}: ${difference}`),
        ),
        ...(late.doc.getText("t").toString().includes("written while away ")
          ? []
          : ["an edit is lost: text"]),
        ...(late.doc.getMap("m").get("away") === true ? [] : ["an edit is lost: map"]),
        ...(late.doc.getArray("a").toArray().includes("away") ? [] : ["an edit is lost: list"]),
      ];
      late.close();
      return complaints;
    },
    close() {
      for (const member of members) member.close();
      vi.useRealTimers();
      if (honestCloses > 0) throw new Error("An honest member was closed before the attack.");
    },
  };
}

/** The main shared document, under attack more often than any other. */
export const target = sharedName();
