import { setImmediate as breathe, setTimeout as idle } from "node:timers/promises";
import type * as Y from "yjs";
import { laneName, pageRoot } from "../../src/protocol/index.ts";
import { openLiveSocket } from "../edge-core/live-socket.ts";
import { itemsOf, joinFrame } from "../edge-core/wire.ts";
import type { Random } from "../protocol/gate/random.ts";
import { differences, judge, undone } from "./judgement.ts";
import { createEvidence, createMember, type Member } from "./member.ts";

/** Marks that a writer has on the way at most. */
const maxUnacknowledged = 8;
/** Cards of the board, and characters of a large one: together more than one piece of a snapshot. */
const cards = 12;
const cardLength = 24_000;
/** Large writes of each card by each writer: what a reader without credit is not sent all of. */
const rounds = 2;
const bulkyPauseMs = 30;
/** How long the slow reader takes to say what it has taken. */
const slowMs = 200;
const maxValue = 1_000_000;
/** Of what writers do: the page is dropped, and the next one begun. */
const dropShare = 0.05;

export interface Load {
  /** Many small writes, as fast as they are acknowledged; or at first large ones, that call for a compaction. */
  kind: "busy" | "bulky";
  ended(): boolean;
}

/** A room with clients that outlive the relay: two write, two read, one of them slowly; visitors come and go. */
export interface RoomInDanger {
  readonly id: string;
  /** Joins from zero and from an older cursor, judges, and brings everybody back; returns what is broken. */
  examine(url: string): Promise<string[]>;
  /** Writes, reads, visits until the relay dies or `ended` says so. */
  load(url: string, load: Load): Promise<void>;
  /** With everything acknowledged, a join from zero and every member hold the same; returns what differs. */
  conclude(url: string): Promise<string[]>;
  /** Settles once the sockets of this life are closed, everything that came on them taken. */
  settle(): Promise<void>;
}

export function createRoomInDanger(id: string, random: Random): RoomInDanger {
  const evidence = createEvidence();
  const newMember = (from?: Parameters<typeof createMember>[0]["from"]) =>
    createMember({ room: id, evidence, ...(from && { from }) });
  const writers = [newMember(), newMember()];
  const reader = newMember();
  const slowReader = newMember();
  const members: readonly Member[] = [...writers, reader, slowReader];
  let lives = 0;
  /** Pages that each writer has begun. */
  const pages = writers.map(() => 0);

  function pageOf(index: number): string {
    const number = pages[index] ?? 0;
    return laneName(`anon.writer${index}.x7`, { number, client: clientOf(index) });
  }

  function clientOf(index: number): number {
    return (pages[index] ?? 0) * 10 + index + 1;
  }

  function turnPage(index: number): void {
    pages[index] = (pages[index] ?? 0) + 1;
  }

  function edit(writer: Member, index: number): void {
    const kind = random.below(10);
    if (random.chance(dropShare)) {
      writer.drop(pageOf(index));
      turnPage(index);
    } else if (kind < 4) {
      writer.edit(pageOf(index), (doc) => {
        doc.clientID = clientOf(index);
        doc.getArray(pageRoot).push([random.below(maxValue)]);
      });
    } else if (kind < 6) {
      writer.edit(`register/anon.writer${index}.x7`, (doc) =>
        doc.getMap("r").set("v", { load: random.below(maxValue) }),
      );
    } else if (kind < 8) writer.edit("shared", (doc) => type(doc.getText("notes"), random));
    else {
      writer.edit("shared/board", (doc) =>
        doc.getMap("board").set(`card${random.below(cards)}`, random.below(maxValue)),
      );
    }
  }

  /** Enough of a shared document and of a register that both are due for compaction. */
  function writeInBulk(writer: Member, index: number): void {
    const large = () => String(random.below(maxValue)).repeat(cardLength / 4);
    for (let card = 0; card < rounds * cards; card++) {
      writer.edit("shared/board", (doc) =>
        doc.getMap("board").set(`card${card % cards}`, large().slice(0, cardLength)),
      );
    }
    for (let times = 0; times < 5; times++) {
      writer.edit(`register/anon.writer${index}.x7`, (doc) =>
        doc.getMap("r").set("v", { load: large().slice(0, cardLength) }),
      );
    }
  }

  async function write(writer: Member, index: number, { kind, ended }: Load): Promise<void> {
    if (kind === "bulky") writeInBulk(writer, index);
    while (!ended() && writer.socket && !writer.socket.closed) {
      for (let burst = 1 + random.below(4); burst > 0; burst--) edit(writer, index);
      if (random.chance(0.1)) {
        writer.socket.send({ type: "presence", state: JSON.stringify({ at: random.below(maxValue) }) });
      }
      await (kind === "bulky" ? idle(bulkyPauseMs) : breathe());
      const socket = writer.socket;
      if (writer.unacknowledged >= maxUnacknowledged) {
        await socket.until(() => writer.unacknowledged < maxUnacknowledged, "an acknowledgement");
      }
    }
  }

  async function readSlowly({ ended }: Load): Promise<void> {
    const { socket } = slowReader;
    while (!ended() && socket && !socket.closed) {
      socket.credits = false;
      await idle(slowMs);
      socket.credits = true;
    }
  }

  /** Joins, shows itself, leaves. */
  async function visit(url: string, { ended }: Load): Promise<void> {
    while (!ended()) {
      const visitor = await openLiveSocket({ url, room: id });
      visitor.sendFrame(joinFrame());
      await visitor.until(() => itemsOf(visitor.items, "joined").length > 0, "the end of a join");
      evidence.presences.add(itemsOf(visitor.items, "welcome")[0]?.presence ?? 0);
      visitor.send({ type: "presence", state: JSON.stringify({ visits: true }) });
      visitor.leave();
      await visitor.untilClosed();
    }
  }

  /** Whoever held everything up to some cursor is brought by the rows after it to where a join from zero leads. */
  async function joinFromOlderCursor(url: string, fresh: Member): Promise<string[]> {
    if (reader.checkpoints.length === 0) return [];
    const { sequence, received } = random.pick(reader.checkpoints);
    const older = newMember({ sequence, held: reader.received.slice(0, received) });
    await older.connect(url);
    older.socket?.leave();
    return differences(older, fresh, evidence).map(
      (name) => `KILL-3: ${name} differs after a join from ${sequence}`,
    );
  }

  return {
    id,
    async examine(url) {
      lives++;
      for (const index of writers.keys()) turnPage(index);
      const fresh = newMember();
      await fresh.connect(url);
      const broken = [...judge({ evidence, members, fresh }), ...(await joinFromOlderCursor(url, fresh))];
      fresh.socket?.leave();
      await Promise.all(members.map((member) => member.connect(url)));
      const state = JSON.stringify({ life: lives });
      writers[0]?.socket?.send({ type: "presence", state });
      const shown = () =>
        reader.socket
          ? itemsOf(reader.socket.items, "presences").some(({ entries }) =>
              entries.some((entry) => entry.state === state),
            )
          : false;
      await reader.socket?.until(shown, "a presence");
      return broken;
    },
    async load(url, load) {
      const work = [
        ...writers.map((writer, index) => write(writer, index, load)),
        readSlowly(load),
        visit(url, load),
      ];
      // A socket that breaks is the relay's end, which is what this is about.
      await Promise.allSettled(work);
    },
    async conclude(url) {
      for (const member of members) member.socket?.leave();
      for (const { socket } of members) await socket?.untilClosed();
      const fresh = newMember();
      for (const member of [...members, fresh]) await member.connect(url);
      return [
        ...undone(evidence, fresh),
        ...members.flatMap((member) =>
          differences(member, fresh, evidence).map((name) => `KILL-3: ${name} differs in the end`),
        ),
      ];
    },
    async settle() {
      for (const { socket } of members) await socket?.untilClosed();
    },
  };
}

/** Types a few characters somewhere, or deletes some. */
function type(text: Y.Text, random: Random): void {
  const at = random.below(text.length + 1);
  if (text.length > 8 && random.chance(0.4)) text.delete(Math.min(at, text.length - 3), 3);
  else text.insert(at, "abc".repeat(1 + random.below(3)));
}
