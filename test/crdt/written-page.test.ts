import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { createPage } from "../../src/crdt/lanes/page.ts";
import { sourceOf } from "../../src/crdt/lanes/upload-source.ts";
import { createWrittenPage, documentOf } from "../../src/crdt/lanes/written-page.ts";
import { type Batch, type EntryRecord, encodeBatch, encodeEntry } from "../../src/protocol/index.ts";

const name = { number: 3, client: 4_000_000_000 };
const previous = { page: { number: 2, client: 9 }, length: 4 };

/** Appends batches of so many entries, and tells after each whether somebody asked for the document. */
function write(sizes: readonly number[], asked: readonly boolean[]) {
  const page = createWrittenPage(name);
  const reader = createPage(name);
  const [written, read]: [Batch[], Batch[]] = [[], []];
  for (const [index, size] of sizes.entries()) {
    const entries = Array.from({ length: size }, (_, at) => ({
      kind: "note",
      parents: [],
      body: [index, at],
    }));
    const header = {
      first: page.length,
      clock: index + 1,
      previous: index === 0 ? previous : undefined,
      references: [],
    };
    Y.applyUpdate(
      reader.document,
      page.append({ ...header, entries }, encodeBatch(header, entries.map(encodeEntry))),
    );
    written.push(...page.read());
    read.push(...reader.read());
    if (asked[index]) expect(page.document.getArray("b").length).toBe(index + 1);
  }
  return { page, reader, written, read };
}

describe("a written page", () => {
  it("LANE-16: reads as its updates do elsewhere, whenever its document is asked for", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
        (sizes, asked) => {
          const { page, reader, written, read } = write(sizes, asked);
          expect(written).toEqual(read);
          expect(page.batches()).toEqual(reader.batches());
          expect([page.length, page.ends, page.bytes]).toEqual([reader.length, reader.ends, reader.bytes]);
          expect([page.previous, reader.previous]).toEqual([previous, previous]);
          expect(Y.encodeStateAsUpdate(page.document)).toEqual(Y.encodeStateAsUpdate(reader.document));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("LANE-16: uploads what its document would, from every clock", () => {
    const { page } = write([1, 2, 3], [true]);
    const source = sourceOf(page.document);
    expect(page.clocks()).toEqual(source.clocks());
    for (const clock of [0, 1, 2]) {
      const clocks = new Map(clock === 0 ? [] : [[name.client, clock]]);
      expect(page.updateAfter(clocks)).toEqual(source.updateAfter(clocks));
    }
    const before = documentOf(name, page.batches().slice(0, -1));
    expect(Y.encodeStateAsUpdate(before)).toEqual(Y.encodeStateAsUpdate(write([1, 2], []).page.document));
  });

  it("LANE-16: what its entries hold is no object of the caller's", () => {
    const body = { list: [1, { deep: "before" }] };
    const parents = ["a.b.c/0-1/0"];
    const { record } = encodeEntry({ kind: "note", parents, body } satisfies EntryRecord);
    (body.list[1] as { deep: string }).deep = "after";
    parents.push("a.b.c/0-1/1");
    expect(record).toEqual({
      kind: "note",
      parents: ["a.b.c/0-1/0"],
      body: { list: [1, { deep: "before" }] },
    });
  });
});
