import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { scanUpdate } from "../../src/protocol/gate/index.ts";
import { sliceUpdate } from "../../src/protocol/slice.ts";
import { contextOfDoc } from "./gate/contexts.ts";
import { createEditor, remote } from "./gate/editing.ts";
import { createRandom } from "./gate/random.ts";

/** Editors who exchange now and then, so that their structs rest on each other's. */
function write(seed: number): Y.Doc {
  const random = createRandom(seed);
  const editors = [5, 9, 2].map(createEditor);
  for (let step = 0; step < 150; step++) {
    random.pick(editors).edit(random);
    if (random.below(4) > 0) continue;
    const [from, to] = [random.pick(editors), random.pick(editors)];
    Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc, Y.encodeStateVector(to.doc)), remote);
  }
  const [first, ...others] = editors.map(({ doc }) => doc) as [Y.Doc, ...Y.Doc[]];
  for (const other of others) Y.applyUpdate(first, Y.encodeStateAsUpdate(other), remote);
  return first;
}

const limits = { structs: 7, deleteRanges: 5, bytes: 400 };

function replay(slices: readonly Uint8Array[]): { target: Y.Doc; refused: string[] } {
  const target = new Y.Doc({ gc: false });
  const refused: string[] = [];
  for (const update of slices) {
    const verdict = scanUpdate(update, {
      profile: "shared",
      context: contextOfDoc(target),
      limits: { structs: limits.structs },
    });
    if (verdict.ok) Y.applyUpdate(target, update);
    else refused.push(verdict.code);
  }
  return { target, refused };
}

describe("slices of an update", () => {
  it("SLICE-1: every slice passes the gate after those before it, and all together say the same", () => {
    for (let seed = 0; seed < 60; seed++) {
      const source = write(seed);
      const { target, refused } = replay(sliceUpdate(Y.encodeStateAsUpdate(source), limits));
      expect(refused, `seed ${seed}`).toEqual([]);
      expect(Y.encodeStateVector(target), `seed ${seed}`).toEqual(Y.encodeStateVector(source));
      expect(Y.equalSnapshots(Y.snapshot(target), Y.snapshot(source)), `seed ${seed}`).toBe(true);
    }
  });

  it("SLICE-1: the property notices slices in another order", () => {
    const slices = sliceUpdate(Y.encodeStateAsUpdate(write(1)), limits);
    expect(slices.length).toBeGreaterThan(3);
    expect(replay(slices.toReversed()).refused).not.toEqual([]);
  });

  it("SLICE-2: what is within the limits stays as it is", () => {
    const update = Y.encodeStateAsUpdate(write(2));
    expect(sliceUpdate(update, { structs: 10_000, deleteRanges: 10_000, bytes: 1e9 })).toEqual([update]);
  });

  it("SLICE-4: a text or a run of values longer than a slice is split, never within a character", () => {
    const source = new Y.Doc();
    source.clientID = 7;
    source.getText("t").insert(0, `x${"😀ä漢".repeat(2_000)}`);
    source.getArray("a").push(Array.from({ length: 3_000 }, (_, index) => ({ index })));
    source.getText("t").delete(100, 3_000);
    const whole = Y.encodeStateAsUpdate(source);
    const slices = sliceUpdate(whole, { bytes: 1_000 });
    expect(slices.length).toBeGreaterThan(20);
    for (const slice of slices) expect(slice.length).toBeLessThanOrEqual(1_000);
    const { target, refused } = replay(slices);
    expect(refused).toEqual([]);
    expect(target.getText("t").toString()).toBe(source.getText("t").toString());
    expect(target.getText("t").toString()).not.toContain("\ufffd");
    expect(target.getArray("a").toJSON()).toEqual(source.getArray("a").toJSON());
    expect(Y.equalSnapshots(Y.snapshot(target), Y.snapshot(source))).toBe(true);
  });

  it("SLICE-4: one value stays whole, however long", () => {
    const source = new Y.Doc();
    source.getMap("m").set("k", "x".repeat(5_000));
    source.getMap("m").set("l", "y");
    const slices = sliceUpdate(Y.encodeStateAsUpdate(source), { structs: 100, bytes: 1_000 });
    expect(slices.map((slice) => slice.length > 1_000)).toContain(true);
    expect(replay(slices).target.getMap("m").toJSON()).toEqual(source.getMap("m").toJSON());
  });

  it("SLICE-4: a long text with many deletions within stays within the limits of a slice", () => {
    const typed = new Y.Doc({ gc: false });
    const updates: Uint8Array[] = [];
    typed.on("update", (update: Uint8Array) => updates.push(update));
    typed.getText("t").insert(0, "0123456789".repeat(500));
    for (let index = 0; index < 400; index++) typed.getText("t").delete(index * 5, 2);
    const merged = Y.mergeUpdates(updates);
    expect(Y.decodeUpdate(merged).structs).toHaveLength(1);
    const slices = sliceUpdate(merged, { bytes: 900, deleteRanges: 50 });
    for (const slice of slices) expect(slice.length).toBeLessThanOrEqual(900);
    const { target, refused } = replay(slices);
    expect(refused).toEqual([]);
    expect(target.getText("t").toString()).toBe(typed.getText("t").toString());
  });
});
