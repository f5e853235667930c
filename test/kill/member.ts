import * as Y from "yjs";
import { emptyStateVector, protocolVersion } from "../../src/protocol/index.ts";
import { remote } from "../edge-core/documents.ts";
import { type LiveSocket, openLiveSocket } from "../edge-core/live-socket.ts";
import { type Item, itemsOf } from "../edge-core/wire.ts";

/** An update of one document of the room. */
export interface NamedUpdate {
  name: string;
  update: Uint8Array;
}

/** Where a replica stood when it was told a cursor: how much of what it received the cursor covers. */
export interface Checkpoint {
  sequence: number;
  received: number;
}

/** What a room's clients were told in all lives of the relay, by which it is judged. */
export interface Evidence {
  readonly acknowledged: NamedUpdate[];
  /** Documents that somebody asked to drop, and never writes again: they may be gone. */
  readonly doomed: Set<string>;
  /** Those of them whose drop was acknowledged: they are. */
  readonly dropped: Set<string>;
  /** The first epoch that anybody was told. */
  epoch: string | undefined;
  readonly presences: Set<number>;
  /** What a relay may never do, found as it happens. */
  readonly violations: string[];
}

/** A client that outlives the relay: it keeps what it wrote and was sent, and joins again from its cursor. */
export interface Member {
  /** What it holds, its own writes included. */
  readonly docs: Map<string, Y.Doc>;
  readonly received: readonly NamedUpdate[];
  readonly checkpoints: readonly Checkpoint[];
  readonly socket: LiveSocket | undefined;
  /** Marks that are not acknowledged yet. */
  readonly unacknowledged: number;
  /** Joins, and uploads what the relay lacks; settles once that is acknowledged. */
  connect(url: string): Promise<void>;
  /** Edits a document; what changes is sent with a mark, or with the next connection. */
  edit(name: string, change: (doc: Y.Doc) => void): void;
  /** Drops a document of its own for good, with a mark, and again with each connection until that is acknowledged. */
  drop(name: string): void;
}

/** What nobody was told of yet. */
export function createEvidence(): Evidence {
  return {
    acknowledged: [],
    doomed: new Set(),
    dropped: new Set(),
    epoch: undefined,
    presences: new Set(),
    violations: [],
  };
}

export interface MemberOptions {
  room: string;
  evidence: Evidence;
  /** Where it stands at first; default nowhere. */
  from?: { sequence: number; held: readonly NamedUpdate[] };
}

/** The channel that a member names in its frames. */
const ownChannel = 900_000;

export function createMember({ room, evidence, from }: MemberOptions): Member {
  const docs = new Map<string, Y.Doc>();
  const written = new Set<string>();
  const received: NamedUpdate[] = [...(from?.held ?? [])];
  const checkpoints: Checkpoint[] = [];
  /** By mark: an update, or the name of what is dropped. */
  const awaiting = new Map<number, NamedUpdate | string>();
  const dropping = new Set<string>();
  let socket: LiveSocket | undefined;
  let sequence = from?.sequence ?? 0;
  let lastMark = 0;
  /** Documents that wait for the relay's clocks; until they have come, edits of them stay here. */
  let resyncing = new Set<string>();

  function docOf(name: string): Y.Doc {
    const known = docs.get(name);
    if (known) return known;
    const doc = new Y.Doc();
    docs.set(name, doc);
    doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin === remote) return;
      written.add(name);
      if (socket && !socket.closed && !resyncing.has(name)) upload(name, update);
    });
    return doc;
  }

  function upload(name: string, update: Uint8Array): void {
    awaiting.set(++lastMark, { name, update });
    socket?.send(
      { type: "name", channel: ownChannel, name },
      { channel: ownChannel, message: { type: "update", update } },
      { type: "mark", number: lastMark },
    );
  }

  function sendDrop(name: string): void {
    awaiting.set(++lastMark, name);
    socket?.send(
      { type: "name", channel: ownChannel, name },
      { channel: ownChannel, message: { type: "drop" } },
      { type: "mark", number: lastMark },
    );
  }

  function settle(what: NamedUpdate | string): void {
    if (typeof what !== "string") evidence.acknowledged.push(what);
    else {
      evidence.dropped.add(what);
      dropping.delete(what);
    }
  }

  function take(item: Item): void {
    switch (item.type) {
      case "welcome":
        welcome(item);
        break;
      case "update":
        if (item.name === undefined)
          return void evidence.violations.push("KILL-4: an update of a nameless document");
        received.push({ name: item.name, update: item.update });
        Y.applyUpdate(docOf(item.name), item.update, remote);
        break;
      case "step1":
        if (item.name === undefined || !resyncing.delete(item.name)) return;
        upload(item.name, Y.encodeStateAsUpdate(docOf(item.name), item.stateVector));
        break;
      case "acknowledge":
        for (const [mark, what] of awaiting) {
          if (mark > item.number) continue;
          settle(what);
          awaiting.delete(mark);
        }
        break;
      case "cursor":
        sequence = item.sequence;
        checkpoints.push({ sequence, received: received.length });
        break;
      case "refuse":
        evidence.violations.push(`KILL-5: an honest update was refused: ${item.code} ${item.message}`);
        break;
      case "problem":
        evidence.violations.push(`KILL-5: an honest client was turned away: ${item.code} ${item.message}`);
        break;
    }
  }

  function welcome({ epoch, resumed, presence }: Extract<Item, { type: "welcome" }>): void {
    evidence.epoch ??= epoch;
    if (epoch !== evidence.epoch)
      evidence.violations.push(`KILL-5: the epoch ${evidence.epoch} became ${epoch}`);
    if (sequence > 0 && !resumed) evidence.violations.push(`KILL-3: the cursor ${sequence} was not resumed`);
    if (evidence.presences.has(presence))
      evidence.violations.push(`KILL-5: the presence id ${presence} was given twice`);
    evidence.presences.add(presence);
  }

  for (const { name, update } of received) Y.applyUpdate(docOf(name), update, remote);

  return {
    docs,
    received,
    checkpoints,
    get socket() {
      return socket;
    },
    get unacknowledged() {
      return awaiting.size;
    },
    async connect(url) {
      awaiting.clear();
      lastMark = 0;
      resyncing = new Set([...written].filter((name) => !evidence.doomed.has(name)));
      const opened = await openLiveSocket({ url, room, onItem: take });
      socket = opened;
      opened.send({
        type: "join",
        version: protocolVersion,
        epoch: sequence === 0 ? "" : (evidence.epoch ?? ""),
        sequence,
      });
      await opened.until(() => itemsOf(opened.items, "joined").length > 0, "the end of a join");
      for (const name of dropping) sendDrop(name);
      for (const name of resyncing) {
        opened.send(
          { type: "name", channel: ownChannel, name },
          { channel: ownChannel, message: { type: "step1", stateVector: emptyStateVector } },
        );
      }
      await opened.until(() => resyncing.size === 0 && awaiting.size === 0, "an acknowledgement");
    },
    edit(name, change) {
      const doc = docOf(name);
      doc.transact(() => change(doc));
    },
    drop(name) {
      evidence.doomed.add(name);
      dropping.add(name);
      if (socket && !socket.closed) sendDrop(name);
    },
  };
}
