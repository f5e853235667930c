import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { cutUpdate } from "../../src/protocol/cut.ts";
import { scanUpdate } from "../../src/protocol/gate/index.ts";
import { sliceUpdate } from "../../src/protocol/slice.ts";
import { decodeClocks } from "../../src/protocol/sync.ts";
import { contextOfDoc } from "./gate/contexts.ts";
import { createEditor, remote } from "./gate/editing.ts";
import { createRandom, type Random } from "./gate/random.ts";

const clients = [5, 9, 2];

/** Editors who exchange now and then, so that their structs rest on each other's; at the end all have everything. */
function write(random: Random): Y.Doc {
  const editors = clients.map(createEditor);
  for (let step = 0; step < 120; step++) {
    random.pick(editors).edit(random);
    if (random.below(4) > 0) continue;
    const [from, to] = [random.pick(editors), random.pick(editors)];
    Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc, Y.encodeStateVector(to.doc)), remote);
  }
  const [first, ...others] = editors.map(({ doc }) => doc) as [Y.Doc, ...Y.Doc[]];
  for (const other of others) Y.applyUpdate(first, Y.encodeStateAsUpdate(other), remote);
  return first;
}

/** A relay's document, and what its gate said last. */
function createRelay() {
  const document = new Y.Doc({ gc: false });
  return {
    document,
    clocks: () => decodeClocks(Y.encodeStateVector(document)),
    /** The codes with which slices of an update were refused. */
    take: (update: Uint8Array) =>
      sliceUpdate(update, { structs: 40 }).flatMap((slice) => {
        const verdict = scanUpdate(slice, { profile: "shared", context: contextOfDoc(document) });
        if (verdict.ok) Y.applyUpdate(document, slice);
        return verdict.ok ? [] : [verdict.code];
      }),
  };
}

const lacking = (source: Y.Doc, relay: Y.Doc) => Y.encodeStateAsUpdate(source, Y.encodeStateVector(relay));

describe("an update cut to some clients", () => {
  it("CUT-1: what is left passes the gate of who has these clocks; owners in turns bring everything back", () => {
    for (let seed = 0; seed < 80; seed++) {
      const random = createRandom(seed);
      const source = write(random);
      const relay = createRelay();
      let isWhole = false;
      for (let round = 0; round < 500 && !isWhole; round++) {
        const known = relay.clocks();
        const owners = clients.map((client) => {
          const cut = cutUpdate(lacking(source, relay.document), {
            owns: (each) => each === client,
            known: relay.clocks(),
          });
          const others = [...Y.parseUpdateMeta(cut.update).from.keys()].filter((each) => each !== client);
          expect(others, `seed ${seed}`).toEqual([]);
          expect(relay.take(cut.update), `seed ${seed}`).toEqual([]);
          return cut.whole;
        });
        isWhole = owners.every(Boolean);
        if (!isWhole) expect(relay.clocks(), `seed ${seed} gets on`).not.toEqual(known);
      }
      expect(Y.equalSnapshots(Y.snapshot(relay.document), Y.snapshot(source)), `seed ${seed}`).toBe(true);
    }
  });

  it("CUT-1 control: without the clocks of the receiver, its gate meets gaps", () => {
    const codes = Array.from({ length: 10 }, (_, seed) => {
      const source = write(createRandom(seed));
      return createRelay().take(
        cutUpdate(Y.encodeStateAsUpdate(source), { owns: (client) => client === 9 }).update,
      );
    });
    expect(codes.flat()).toContain("gate/gap");
  });

  it("CUT-2: to who has everything of the others, all of the owner's goes", () => {
    for (let seed = 0; seed < 40; seed++) {
      const source = write(createRandom(seed));
      const known = decodeClocks(Y.encodeStateVector(source));
      known.set(9, 0);
      const cut = cutUpdate(Y.encodeStateAsUpdate(source), { owns: (client) => client === 9, known });
      expect(cut.whole).toBe(true);
      expect([...Y.parseUpdateMeta(cut.update).to]).toEqual([[9, Y.getState(source.store, 9)]]);
    }
  });

  it("CUT-3: nothing owned and nothing deleted is the empty update", () => {
    const document = new Y.Doc();
    document.getText("t").insert(0, "theirs");
    const cut = cutUpdate(Y.encodeStateAsUpdate(document), { owns: () => false, known: new Map() });
    expect(cut).toEqual({ update: Uint8Array.of(0, 0), whole: true });
  });

  it("CUT-3: deletions of what the receiver lacks stay out, and it is said", () => {
    const document = new Y.Doc();
    document.clientID = 4;
    document.getText("t").insert(0, "abcdef");
    document.getText("t").delete(1, 4);
    const update = Y.encodeStateAsUpdate(document, Y.encodeStateVector(document));
    for (const [clock, ranges, whole] of [
      [0, [], false],
      [3, [[1, 2]], false],
      [6, [[1, 4]], true],
    ] as const) {
      const cut = cutUpdate(update, { owns: () => true, known: new Map([[4, clock]]) });
      const left = Y.decodeUpdate(cut.update).ds.clients.get(4) ?? [];
      expect([left.map(({ clock: from, len }) => [from, len]), cut.whole]).toEqual([ranges, whole]);
    }
  });

  it("CUT-4: what was merged around a hole ends at it", () => {
    const document = new Y.Doc();
    document.clientID = 4;
    const updates: Uint8Array[] = [];
    document.on("update", (update: Uint8Array) => updates.push(update));
    for (const word of ["a", "b", "c"]) document.getArray("a").push([word]);
    const holed = Y.mergeUpdates([updates[0] as Uint8Array, updates[2] as Uint8Array]);
    const { update, whole } = cutUpdate(holed, { owns: () => true });
    expect([[...Y.parseUpdateMeta(update).to], whole]).toEqual([[[4, 1]], false]);
  });
});
