import * as Y from "yjs";
import type { RoomStorage } from "../../src/edge/room/ports.ts";
import { createInMemoryStorage } from "../../src/edge/storage/in-memory-storage.ts";
import { isResync } from "../../src/protocol/index.ts";
import { createEditor, remote } from "../protocol/gate/editing.ts";
import { createRandom, type Random } from "../protocol/gate/random.ts";
import { contentsOf, createLedgerWorld, grantOf, type LedgerWorld } from "./ledgers.ts";

const name = "shared";
const nothing = Y.encodeStateVector(new Y.Doc());

/** An editor with what the ledger has not acknowledged, and how far it has read. */
interface Member {
  readonly doc: Y.Doc;
  edit(random: Random): void;
  readonly principal: string;
  outbox: Uint8Array[];
  /** What it sent in this turn: acknowledged by the commit. */
  sent: number;
  cursor: number;
  /** Sent before, to be sent again. */
  readonly past: Uint8Array[];
  /** Clocks of its own that the relay had, or was sent since the last crash. */
  stale: Uint8Array;
}

/** What became of a life. */
export interface Outcome {
  /** Replicas that do not hold what plain Yjs makes of all edits. */
  astray: string[];
  /** Codes of refusals for good: honest traffic gets none. */
  refused: string[];
  crashes: number;
  compactions: number;
  trimmed: number;
}

/** How the storage under test differs from one that works. */
export type Alter = (storage: RoomStorage) => RoomStorage;

class Crash extends Error {}

/** Throws before or after some commits, as a host that is killed. */
function inDanger(storage: RoomStorage, random: Random, isCalm: () => boolean): RoomStorage {
  return {
    ...storage,
    commit(changes) {
      const fate = isCalm() ? 9 : random.below(40);
      if (fate === 0) throw new Crash();
      storage.commit(changes);
      if (fate === 1) throw new Crash();
    },
  };
}

/** Lives a seed: edits, cuts, duplicates, overlaps, gaps, compactions and crashes, then peace. */
export function live(seed: number, alter: Alter = (storage) => storage, steps = 250): Outcome {
  const random = createRandom(seed);
  let calm = false;
  const storage = inDanger(alter(createInMemoryStorage()), random, () => calm);
  let world: LedgerWorld = createLedgerWorld({ storage });
  const outcome: Outcome = { astray: [], refused: [], crashes: 0, compactions: 0, trimmed: 0 };
  const members = [7, 4_294_967_295, 300].map((client) => createMember(client));
  const readers: { cursor: number; doc: Y.Doc }[] = [];

  function offer(member: Member, update: Uint8Array, whole = false): boolean {
    const before = world.ledger.stagedBytes;
    const refused = world.offer(name, update, grantOf(member.principal), whole);
    if (refused && !isResync(refused.code)) outcome.refused.push(`${refused.code}: ${refused.message}`);
    const grown = world.ledger.stagedBytes - before;
    if (!refused && grown > 0 && grown < update.length) outcome.trimmed++;
    return refused === undefined;
  }

  /** Sends what is not acknowledged, in one of the ways of transports. */
  function send(member: Member): void {
    const rest = member.outbox.slice(member.sent);
    if (rest.length === 0) return;
    const updates = random.chance(0.3) ? [Y.mergeUpdates(rest)] : rest;
    for (const update of updates) {
      if (!offer(member, update)) return;
    }
    member.past.push(...updates);
    member.sent = member.outbox.length;
  }

  /** What a stock client answers to sync step 1: its difference to some clocks, with every deletion. */
  function sync(member: Member, vector: Uint8Array): void {
    if (offer(member, Y.encodeStateAsUpdate(member.doc, vector), true)) member.sent = member.outbox.length;
    member.stale = Y.encodeStateVector(member.doc);
  }

  function endTurn(): void {
    world.ledger.commit();
    for (const member of members) {
      member.outbox.splice(0, member.sent);
      member.sent = 0;
    }
  }

  function clocksOfRelay(): Uint8Array {
    const document = world.ledger.documentNamed({ kind: "shared", name });
    return Y.encodeStateVector(world.ledger.clocks(document));
  }

  function read(reader: { cursor: number; doc: Y.Doc }): void {
    Y.transact(reader.doc, () => world.read(name, reader.cursor, reader.doc), remote, false);
    reader.cursor = world.storage.head();
  }

  function step(): void {
    const member = random.pick(members);
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        member.edit(random);
        break;
      case 4:
      case 5:
        send(member);
        break;
      case 6:
        // A duplicate, or half of one merged with what is new.
        if (member.past.length > 0) offer(member, random.pick(member.past));
        break;
      case 7:
        sync(member, random.chance(0.5) ? member.stale : clocksOfRelay());
        break;
      case 8: {
        // Sent out of order: refused as a gap, and nothing is lost by it.
        const last = member.outbox.at(-1);
        if (last && member.outbox.length > member.sent + 1) offer(member, last);
        break;
      }
      case 9:
        read(random.pick([member, ...readers]));
        break;
      case 10:
        if (random.chance(0.2)) readers.push({ cursor: 0, doc: new Y.Doc() });
        if (world.ledger.compact(1)?.outcome === "compacted") outcome.compactions++;
        break;
      default:
        endTurn();
    }
  }

  for (let count = 0; count < steps; count++) {
    try {
      step();
    } catch (cause) {
      if (!(cause instanceof Crash)) throw cause;
      outcome.crashes++;
      for (const member of members) {
        member.sent = 0;
        member.stale = nothing;
      }
      world = createLedgerWorld({ storage });
    }
  }
  calm = true;
  for (const member of members) {
    for (const update of member.outbox.slice(member.sent)) {
      if (!offer(member, update)) outcome.refused.push("a gap in peace");
    }
    member.sent = member.outbox.length;
  }
  endTurn();
  const plain = new Y.Doc();
  for (const { doc } of members) Y.applyUpdate(plain, Y.encodeStateAsUpdate(doc));
  if (random.chance(0.5)) world.ledger.compact(1);
  const everyone = {
    ...Object.fromEntries([...members, ...readers, { cursor: 0, doc: new Y.Doc() }].entries()),
  };
  for (const [index, reader] of Object.entries(everyone)) {
    read(reader);
    if (shownBy(reader.doc) !== shownBy(plain)) outcome.astray.push(index);
  }
  return outcome;
}

/**
 * What a replica shows. Deletions may differ: each replica itself removes formats that became superfluous. Nor are the
 * halves of a character counted that an editor has split: Yjs shows them differently where they were split (THREATS 18).
 */
function shownBy(doc: Y.Doc): string {
  return contentsOf(doc).replaceAll(/[\ud800-\udfff\ufffd]/g, "?");
}

function createMember(client: number): Member {
  const editor = createEditor(client);
  const member: Member = {
    ...editor,
    principal: `p${client}`,
    outbox: [],
    sent: 0,
    cursor: 0,
    past: [],
    stale: nothing,
  };
  editor.doc.on("update", (update: Uint8Array, origin: unknown) => {
    if (origin !== remote) member.outbox.push(update);
  });
  return member;
}
