import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { equalBytes } from "../../src/base/index.ts";
import { encodeAppend, encodeClocks, maxPageEntries, pageRoot } from "../../src/protocol/index.ts";

const lengths = fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 20_000 }));
const appended = fc.record({
  client: fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  batches: fc.array(lengths, { minLength: 1, maxLength: 6 }).map((all) => all.map(bytesOf)),
  at: fc.nat({ max: 5 }),
});

function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + length) % 256);
}

/** What Yjs makes of batches that are pushed one by one: an update each, and one from a clock on. */
function pushed(client: number, batches: readonly Uint8Array[], from: number) {
  const document = new Y.Doc({ gc: false });
  document.clientID = client;
  const updates: Uint8Array[] = [];
  document.on("update", (update: Uint8Array) => updates.push(update));
  for (const each of batches) document.getArray(pageRoot).push([[each]]);
  return { updates, rest: Y.encodeStateAsUpdate(document, encodeClocks(new Map([[client, from]]))) };
}

describe("the update of an append", () => {
  it("LANE-16: is byte for byte what Yjs makes of it, for one batch and for all from a clock on", () => {
    fc.assert(
      fc.property(appended, ({ client, batches, at }) => {
        const from = at % batches.length;
        const yjs = pushed(client, batches, from);
        const one = encodeAppend(client, from, batches.slice(from, from + 1));
        expect(equalBytes(one, yjs.updates[from] as Uint8Array)).toBe(true);
        expect(equalBytes(encodeAppend(client, from, batches.slice(from)), yjs.rest)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("LANE-16: so it is for as many batches as a page may have", () => {
    const batches = Array.from({ length: maxPageEntries }, (_, index) => bytesOf(index % 3));
    for (const from of [0, 127, 128, 1_000]) {
      expect(equalBytes(encodeAppend(7, from, batches.slice(from)), pushed(7, batches, from).rest)).toBe(
        true,
      );
    }
  });

  it("LANE-16: control: another clock, client or batch is another update", () => {
    const batches = [new Uint8Array([1]), new Uint8Array([2])];
    const { rest } = pushed(7, batches, 1);
    expect(encodeAppend(7, 1, batches.slice(1))).toEqual(rest);
    for (const other of [
      encodeAppend(7, 0, batches.slice(1)),
      encodeAppend(8, 1, batches.slice(1)),
      encodeAppend(7, 1, batches.slice(0, 1)),
      encodeAppend(7, 1, batches),
    ]) {
      expect(other).not.toEqual(rest);
    }
  });
});
