import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { encodeAppend, pageRoot } from "../../src/protocol/index.ts";

const batch = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.nat({ max: 40_000 }).map((length) => new Uint8Array(length).fill(7)),
);
const appended = fc.record({
  client: fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  batches: fc.array(batch, { minLength: 1, maxLength: 200, size: "max" }),
  at: fc.nat(),
});

/** What Yjs makes of batches that are pushed one by one: an update each, and one from a clock on. */
function pushed(client: number, batches: readonly Uint8Array[], from: number) {
  const document = new Y.Doc({ gc: false });
  document.clientID = client;
  const updates: Uint8Array[] = [];
  document.on("update", (update: Uint8Array) => updates.push(update));
  for (const each of batches) document.getArray(pageRoot).push([[each]]);
  const vector = Y.encodeStateVectorFromUpdate(
    Y.mergeUpdates([new Uint8Array([0, 0]), ...updates.slice(0, from)]),
  );
  return { updates, rest: Y.encodeStateAsUpdate(document, vector) };
}

describe("the update of an append", () => {
  it("LANE-16: is byte for byte what Yjs makes of it, for one batch and for all from a clock on", () => {
    fc.assert(
      fc.property(appended, ({ client, batches, at }) => {
        const from = at % batches.length;
        const yjs = pushed(client, batches, from);
        expect(encodeAppend(client, from, batches.slice(from, from + 1))).toEqual(yjs.updates[from]);
        expect(encodeAppend(client, from, batches.slice(from))).toEqual(yjs.rest);
      }),
      { numRuns: 60 },
    );
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
