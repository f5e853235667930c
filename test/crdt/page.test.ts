import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { createEntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { createPage } from "../../src/crdt/lanes/page.ts";
import { readPage, writePage } from "./lanes.ts";

const bodiesOf = (page: ReturnType<typeof createPage>) =>
  page.read().flatMap(({ entries }) => entries.map(({ body }) => body));

describe("pages", () => {
  it("LANE-1: batches are read once each, in order, and count", () => {
    const written = writePage();
    const updates = [written.append({ bodies: ["a", "b"] }), written.append({ bodies: ["c"] })];
    const page = createPage(written.name);
    Y.applyUpdate(page.document, updates[0] as Uint8Array);
    expect([bodiesOf(page), page.length]).toEqual([["a", "b"], 2]);
    Y.applyUpdate(page.document, updates[1] as Uint8Array);
    expect([bodiesOf(page), page.length, page.broken]).toEqual([["c"], 3, false]);
    expect(bodiesOf(page)).toEqual([]);
    expect(page.bytes).toBeGreaterThan(0);
  });

  it("LANE-1: a page begins with what it follows", () => {
    const written = writePage(3);
    const previous = { page: { number: 2, client: 9 }, length: 4 };
    const page = readPage(written.name, [
      written.append({ bodies: ["a"], previous }),
      written.append({ bodies: ["b"] }),
    ]);
    expect(page.previous).toBeUndefined();
    expect(bodiesOf(page)).toEqual(["a", "b"]);
    expect(page.previous).toEqual(previous);
  });

  it.each<[string, (written: ReturnType<typeof writePage>) => Uint8Array]>([
    ["bytes that are no batch", (written) => written.appendRaw([new Uint8Array([9, 9])])],
    ["bare bytes", (written) => written.appendRaw(new Uint8Array([1]))],
    ["a plain object", (written) => written.appendRaw({ first: 0 })],
    [
      "two batches in one element",
      (written) => written.appendRaw([new Uint8Array([1]), new Uint8Array([1])]),
    ],
    ["a first index that skips", (written) => written.append({ bodies: ["x"], first: 5 })],
    ["a first index that repeats", (written) => written.append({ bodies: ["x"], first: 0 })],
    [
      "a predecessor named late",
      (written) => written.append({ bodies: ["x"], previous: { page: { number: 0, client: 1 }, length: 1 } }),
    ],
  ])("LANE-2: %s ends the reading of the page, everywhere alike", (_, breakIt) => {
    const written = writePage(1);
    const updates = [
      written.append({ bodies: ["a"] }),
      breakIt(written),
      written.append({ bodies: ["after"], first: 1 }),
    ];
    const inOneGo = readPage(written.name, updates);
    expect([bodiesOf(inOneGo), inOneGo.broken, inOneGo.length]).toEqual([["a"], true, 1]);
    const piecewise = createPage(written.name);
    const read: unknown[] = [];
    for (const update of updates) {
      Y.applyUpdate(piecewise.document, update);
      read.push(...bodiesOf(piecewise));
    }
    expect([read, piecewise.broken, piecewise.length]).toEqual([["a"], true, 1]);
  });

  it("LANE-3: a page reads the same however its updates are cut, merged or repeated", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat({ max: 20 }), { maxLength: 12 }),
        (sizes, order) => {
          const written = writePage();
          let next = 0;
          const updates = sizes.map((size) =>
            written.append({ bodies: Array.from({ length: size }, () => next++) }),
          );
          const shuffled = [...order.map((at) => updates[at % updates.length] as Uint8Array), ...updates];
          const page = createPage(written.name);
          const read: unknown[] = [];
          for (const update of shuffled) {
            Y.applyUpdate(page.document, update);
            read.push(...bodiesOf(page));
          }
          expect(read).toEqual(Array.from({ length: next }, (_, index) => index));
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("the entry log", () => {
  it("LANE-4: two copies of a page count once, and the longer one adds what it has more", () => {
    const written = writePage();
    const updates = [written.append({ bodies: ["a"] }), written.append({ bodies: ["b"] })];
    const log = createEntryLog();
    const told: string[][] = [];
    log.added.on((entries) => told.push(entries.map(({ id }) => id)));
    log.take("a.b.c", readPage(written.name, updates.slice(0, 1)));
    log.take("a.b.c", readPage(written.name, updates));
    log.take("a.b.c", readPage(written.name, updates));
    expect(told).toEqual([["a.b.c/0-7/0"], ["a.b.c/0-7/1"]]);
    expect([log.size, log.get("a.b.c/0-7/1")?.body]).toEqual([2, "b"]);
  });

  it("LANE-5: pages of a writer are by number and client, forks included", () => {
    const log = createEntryLog();
    for (const [number, client] of [
      [10, 1],
      [2, 9],
      [2, 3],
    ] as const) {
      const written = writePage(number, client);
      log.take("a.b.c", readPage(written.name, [written.append({ bodies: [1] })]));
    }
    expect(log.pages("a.b.c").map(({ name }) => [name.number, name.client])).toEqual([
      [2, 3],
      [2, 9],
      [10, 1],
    ]);
    expect([...log.writers()]).toEqual(["a.b.c"]);
    expect(log.pages("nobody")).toEqual([]);
  });
});
