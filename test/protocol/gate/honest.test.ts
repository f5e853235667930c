import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { isResync, rootPlace, scanUpdate } from "../../../src/protocol/gate/index.ts";
import { contextOfDoc, createLedger, emptyContext } from "./contexts.ts";
import { createEditor, type Editor, remote } from "./editing.ts";
import { createRandom } from "./random.ts";

const unbounded = { structs: Number.POSITIVE_INFINITY, deleteRanges: Number.POSITIVE_INFINITY };

function expectNothingPending(doc: Y.Doc): void {
  expect(doc.store.pendingStructs).toBeNull();
  expect(doc.store.pendingDs).toBeNull();
}

function stateVectorOf(doc: Y.Doc): Map<number, number> {
  return Y.decodeStateVector(Y.encodeStateVector(doc));
}

/** One editor with what it has not sent yet and how much of the log it has read. */
interface Peer extends Editor {
  outbox: Uint8Array[];
  read: number;
}

function createPeer(clientID: number): Peer {
  const editor = createEditor(clientID);
  const peer: Peer = { ...editor, outbox: [], read: 0 };
  editor.doc.on("update", (update: Uint8Array, origin: unknown) => {
    if (origin !== remote) peer.outbox.push(update);
  });
  return peer;
}

/** A relay as the design has it: a log and a ledger made of verdicts, no document. */
function createRelay() {
  const ledger = createLedger();
  const log: Uint8Array[] = [];
  return {
    ledger,
    log,
    /** Accepts the update, or returns the code of the refusal. */
    offer(update: Uint8Array) {
      const verdict = scanUpdate(update, { profile: "shared", context: ledger, limits: unbounded });
      if (!verdict.ok) return verdict.code;
      ledger.record(verdict);
      log.push(update);
      return undefined;
    },
    stateVector: () => Y.encodeStateVector(ledger.clocks),
  };
}

type Relay = ReturnType<typeof createRelay>;

function readLog(peer: Peer, relay: Relay, upTo: number): void {
  for (; peer.read < upTo; peer.read++) {
    const update = relay.log[peer.read]!;
    const context = contextOfDoc(peer.doc);
    expect(scanUpdate(update, { profile: "shared", context, limits: unbounded })).toMatchObject({ ok: true });
    Y.applyUpdate(peer.doc, update, remote);
    expectNothingPending(peer.doc);
  }
}

function send(relay: Relay, updates: Uint8Array[]): void {
  for (const update of updates) expect(relay.offer(update)).toBeUndefined();
}

describe("GATE-18: honest traffic passes", () => {
  it.each(Array.from({ length: 60 }, (_, seed) => seed))(
    "GATE-18: shared editing converges through gates, seed %i",
    (seed) => {
      const random = createRandom(seed);
      const relay = createRelay();
      const peers = [7, 4_294_967_295, 300, 2 ** 31].map(createPeer);
      const stale = peers.map((peer) => Y.encodeStateVector(peer.doc));
      for (let step = 0; step < 80; step++) {
        const index = random.below(peers.length);
        const peer = peers[index]!;
        const what = random.below(10);
        if (what < 5) peer.edit(random);
        else if (what === 5) send(relay, peer.outbox.splice(0));
        else if (what === 6 && peer.outbox.length > 0) send(relay, [Y.mergeUpdates(peer.outbox.splice(0))]);
        else if (what === 7) {
          send(relay, [Y.encodeStateAsUpdate(peer.doc, relay.stateVector())]);
          peer.outbox = [];
        } else if (what === 8) {
          // A difference from an old state repeats what the relay has: at worst it asks for the right one.
          const code = relay.offer(Y.encodeStateAsUpdate(peer.doc, stale[index]!));
          expect(code === undefined || isResync(code)).toBe(true);
          const own = peer.doc.clientID;
          if (code === undefined && relay.ledger.clockOf(own) === Y.getState(peer.doc.store, own))
            peer.outbox = [];
          stale[index] = Y.encodeStateVector(peer.doc);
        } else readLog(peer, relay, peer.read + random.below(relay.log.length - peer.read + 1));
      }
      for (const peer of peers) send(relay, peer.outbox);
      for (const peer of peers) readLog(peer, relay, relay.log.length);

      const replica = new Y.Doc();
      for (const update of relay.log) Y.applyUpdate(replica, update);
      expectNothingPending(replica);
      for (const doc of [replica, ...peers.map((peer) => peer.doc)]) {
        expect(stateVectorOf(doc)).toEqual(relay.ledger.clocks);
      }
      for (const [client, structs] of replica.store.clients) {
        for (const struct of structs) {
          if (!(struct instanceof Y.Item)) continue;
          const { clock } = struct.id;
          const place = contextOfDoc(replica).placeOf(client, clock);
          expect(relay.ledger.placeOf(client, clock)).toMatchObject(place);
        }
      }
      const whole = Y.encodeStateAsUpdate(replica);
      expect(scanUpdate(whole, { profile: "shared", context: emptyContext, limits: unbounded }).ok).toBe(
        true,
      );
      expect(
        scanUpdate(Y.mergeUpdates(relay.log), { profile: "shared", context: emptyContext, limits: unbounded })
          .ok,
      ).toBe(true);
    },
  );

  it("GATE-18: a page passes batch by batch, merged, whole, and as the rest of a state", () => {
    const page = new Y.Doc();
    const updates: Uint8Array[] = [];
    page.on("update", (update: Uint8Array) => updates.push(update));
    const batches = page.getArray("b");
    for (let index = 0; index < 40; index++)
      batches.push([{ first: index, entries: Uint8Array.of(index, 1, 2) }]);
    const client = page.clientID;
    const scan = (update: Uint8Array, clock: number) =>
      scanUpdate(update, {
        profile: "append",
        client,
        context: { clockOf: () => clock, placeOf: () => rootPlace },
      });
    updates.forEach((update, clock) => {
      expect(scan(update, clock)).toEqual({
        ok: true,
        ranges: [{ client, from: clock, to: clock + 1 }],
        places: [],
        deletes: false,
        known: false,
      });
    });
    expect(scan(Y.mergeUpdates(updates), 0)).toMatchObject({
      ok: true,
      ranges: [{ client, from: 0, to: 40 }],
    });
    expect(scan(Y.encodeStateAsUpdate(page), 0)).toMatchObject({
      ok: true,
      ranges: [{ client, from: 0, to: 40 }],
    });
    const rest = Y.encodeStateAsUpdate(page, Y.encodeStateVector(new Map([[client, 15]])));
    expect(scan(rest, 15)).toMatchObject({ ok: true, ranges: [{ client, from: 15, to: 40 }], known: false });
    expect(scan(rest, 40)).toMatchObject({ ok: true, known: true });
    expect(scan(rest, 20)).toMatchObject({ ok: false, code: "gate/overlap", client, clock: 20 });

    const behind = new Y.Doc();
    for (const update of updates.slice(0, 15)) Y.applyUpdate(behind, update);
    const whole = Y.encodeStateAsUpdate(page);
    const options = { profile: "append", client, context: contextOfDoc(behind), overlap: "allow" } as const;
    expect(scanUpdate(whole, options)).toMatchObject({ ok: true, known: false });
    Y.applyUpdate(behind, whole);
    expectNothingPending(behind);
    expect(behind.getArray("b").length).toBe(40);
  });

  it("GATE-18: a register passes through restarts under new Yjs clients, collected or not", () => {
    const ledger = createLedger();
    const replica = new Y.Doc();
    let stored = Y.encodeStateAsUpdate(replica);
    for (let restart = 0; restart < 6; restart++) {
      const register = new Y.Doc({ gc: restart % 2 === 0 });
      Y.applyUpdate(register, stored, remote);
      register.on("update", (update: Uint8Array) => {
        const verdict = scanUpdate(update, { profile: "register", context: ledger });
        expect(verdict).toMatchObject({ ok: true });
        if (verdict.ok) ledger.record(verdict);
        Y.applyUpdate(replica, update);
      });
      for (let write = 0; write < 20; write++) register.getMap("r").set("v", { restart, write });
      register.getMap("r").delete("v");
      stored = Y.encodeStateAsUpdate(register);
      expect(scanUpdate(stored, { profile: "register", context: emptyContext })).toMatchObject({ ok: true });
    }
    expectNothingPending(replica);
    expect(stateVectorOf(replica)).toEqual(ledger.clocks);
  });

  it("GATE-18: nothing at all passes in every profile and is known", () => {
    for (const profile of ["append", "register", "shared"] as const) {
      const verdict = scanUpdate(Y.encodeStateAsUpdate(new Y.Doc()), {
        profile,
        context: emptyContext,
        client: 1,
      });
      expect(verdict).toEqual({ ok: true, ranges: [], places: [], deletes: false, known: true });
    }
  });
});
