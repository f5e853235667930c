import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FlockError } from "../../src/base/index.ts";
import { createChains } from "../../src/crdt/history/chains.ts";
import { createHistory } from "../../src/crdt/history/history.ts";
import type { LoggedPage } from "../../src/crdt/index.ts";
import { createEntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { entryId, type LaneMarks } from "../../src/protocol/index.ts";
import { settle } from "./fake-relay.ts";
import { createScriptedPages, type ScriptedPages, type WriteLaneOptions, writeLane } from "./history-lane.ts";
import { readPage, writePage } from "./lanes.ts";

const writer = "ann.planner.AAAAAAAAAAA";

function openHistory(pages: ScriptedPages, marks: LaneMarks | undefined) {
  const log = createEntryLog();
  const state = { marks };
  const chains = createChains(log, pages);
  const history = createHistory({ log, chains, marksOf: () => state.marks });
  return { log, history, chains, state };
}

async function setUp(options: Partial<WriteLaneOptions> & { low?: number; first?: number } = {}) {
  const pages = createScriptedPages();
  const lane = await writeLane({ writer, pages, count: 20, ...options });
  const last = lane.written.at(-1)?.name.number ?? 0;
  const opened = openHistory(pages, lane.marks(options.low ?? last + 1, options.first));
  return { pages, lane, ...opened };
}

async function collect(source: AsyncIterable<LoggedPage>): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { name } of source) numbers.push(name.number);
  return numbers;
}

const bodiesOf = (page: LoggedPage) => page.entries.map(({ body }) => body);
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "none",
    (failure: FlockError) => failure.code,
  );
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

describe("reading the sealed part of a lane", () => {
  it("HIST-1: forward and backward, it gives what was written, in order", async () => {
    const { history, lane } = await setUp({ count: 300 });
    const forward: unknown[] = [];
    for await (const page of history.pagesFrom(writer)) forward.push(bodiesOf(page));
    expect(forward).toEqual(lane.written.map(({ bodies }) => bodies));
    const backward: unknown[] = [];
    for await (const page of history.pagesBack(writer)) backward.unshift(bodiesOf(page));
    expect(backward).toEqual(forward);
  });

  it("HIST-1: entries are as the live log has them", async () => {
    const { history, lane } = await setUp();
    const log = createEntryLog();
    const { name, batches } = lane.page(7);
    expect(batches).toHaveLength(2);
    log.take(writer, readPage(name, [lane.page(7).update]));
    const page = await history.page(writer, 7);
    expect([page.entries, page.previous]).toEqual([
      log.pages(writer)[0]?.entries,
      log.pages(writer)[0]?.previous,
    ]);
    for (const entry of page.entries) expect(await history.entry(entry.id)).toEqual(entry);
  });

  it("HIST-1: from any number, and down to any", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(90), { minLength: 1, maxLength: 60 }).map((all) => all.sort((a, b) => a - b)),
        fc.nat(95),
        fc.nat(95),
        async (numbers, bound, low) => {
          const { history } = await setUp({ numbers, low: Math.max(low, (numbers[0] as number) + 1) });
          const expected = numbers.filter(
            (number) => number >= bound && number < Math.max(low, (numbers[0] as number) + 1),
          );
          expect(await collect(history.pagesFrom(writer, { from: bound }))).toEqual(expected);
          expect((await collect(history.pagesBack(writer, { downTo: bound }))).reverse()).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("HIST-2: a page is found by a logarithm of fetches, and those around it then by few", async () => {
    const { history, pages } = await setUp({ count: 1_000, batches: [1] });
    expect(bodiesOf(await history.page(writer, 3))).toEqual(["3/0"]);
    expect(pages.gets.length).toBeLessThanOrEqual(11);
    const before = pages.gets.length;
    await history.page(writer, 3);
    expect(pages.gets.length).toBe(before);
    await history.page(writer, 4);
    expect(pages.gets.length).toBeLessThanOrEqual(before + 4);
  });

  it("HIST-2: control: without the links past the nearest, every page between is fetched", async () => {
    const { history, pages } = await setUp({
      count: 200,
      batches: [1],
      bend: (previous) => previous?.seal && { ...previous, seal: { ...previous.seal, earlier: [] } },
    });
    await history.page(writer, 3);
    expect(pages.gets.length).toBe(197);
    expect(await collect(history.pagesFrom(writer))).toEqual(range(0, 200));
  });

  it("HIST-2: reading forward fetches each page about once", async () => {
    const { history, pages } = await setUp({ count: 1_000, batches: [1] });
    expect(await collect(history.pagesFrom(writer, { from: 100 }))).toEqual(range(100, 1_000));
    expect(pages.gets.length).toBeLessThanOrEqual(900 * 1.15);
  });

  it("HIST-2: reading forward fetches a few pages at once, and gives in order what comes in disorder", async () => {
    const { history, pages } = await setUp({ count: 40 });
    const { get } = pages;
    let atOnce = 0;
    let most = 0;
    pages.get = async (hash) => {
      most = Math.max(most, ++atOnce);
      for (let turns = Number.parseInt(hash.slice(0, 1), 16); turns > 0; turns--) await settle();
      atOnce--;
      return get(hash);
    };
    expect(await collect(history.pagesFrom(writer))).toEqual(range(0, 40));
    expect([most > 1, most <= 5]).toEqual([true, true]);
  });

  it("HIST-2: what comes before a page that is not to be had is given first", async () => {
    const { history, pages, lane } = await setUp({ count: 40 });
    pages.seals.delete(lane.page(22).hash);
    const given: number[] = [];
    const reading = (async () => {
      for await (const { name } of history.pagesFrom(writer)) given.push(name.number);
    })();
    await expect(reading).rejects.toMatchObject({ code: "refstore/not-found" });
    expect(given).toEqual(range(0, 22));
  });

  it("HIST-2: readers of one page at the same time share one fetch", async () => {
    const { history, pages } = await setUp();
    const all = await Promise.all(range(0, 10).map(() => history.page(writer, 19)));
    expect([new Set(all).size, pages.gets.length]).toEqual([1, 1]);
  });

  it("HIST-2: whoever waits can be aborted, and the others go on", async () => {
    const { history } = await setUp();
    const controller = new AbortController();
    const aborted = history.page(writer, 19, { signal: controller.signal });
    const other = history.page(writer, 19);
    controller.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    expect((await other).name.number).toBe(19);
  });

  it("HIST-3: the live log answers first, and a lane without marks is read from its live pages", async () => {
    const { history, lane, log, state, pages } = await setUp();
    const { name, update } = lane.page(19);
    log.take(writer, readPage(name, [update]));
    expect((await history.entry(entryId({ writer, page: name, index: 0 })))?.body).toBe("19/0");
    expect(pages.gets).toEqual([]);
    state.marks = undefined;
    expect(bodiesOf(await history.page(writer, 5))).toEqual(lane.page(5).bodies);
    expect(await collect(history.pagesBack(writer, { downTo: 16 }))).toEqual([18, 17, 16]);
    expect(await codeOf(history.page("bob.critic.BBBBBBBBBBB", 0))).toBe("crdt/history-lost");
  });

  it("HIST-3: an entry that the chain does not have is none, also where a clone has a page of that number", async () => {
    const { history, lane } = await setUp({ low: 10 });
    const { name } = lane.page(4);
    const ids = [
      entryId({ writer, page: name, index: 3 }),
      entryId({ writer, page: { ...name, client: 5 }, index: 0 }),
      entryId({ writer, page: lane.page(12).name, index: 0 }),
      "not an id",
    ];
    expect(await Promise.all(ids.map((id) => history.entry(id)))).toEqual(ids.map(() => undefined));
  });

  it("HIST-4: what is past retention is lost, and reading begins with what is kept", async () => {
    const { history, lane, pages, state } = await setUp({ first: 8 });
    for (const { name, hash } of lane.written) if (name.number < 8) pages.seals.delete(hash);
    expect(await collect(history.pagesFrom(writer))).toEqual(range(8, 20));
    expect(await collect(history.pagesBack(writer))).toEqual(range(8, 20).reverse());
    const lost = entryId({ writer, page: lane.page(7).name, index: 0 });
    expect(
      await Promise.all([
        codeOf(history.page(writer, 7)),
        codeOf(history.entry(lost)),
        codeOf(collect(history.pagesFrom(writer, { from: 7 }))),
        codeOf(collect(history.pagesBack(writer, { downTo: 7 }))),
        codeOf(history.page(writer, 20)),
      ]),
    ).toEqual(Array(5).fill("crdt/history-lost"));
    // Marks that do not say it yet: then it is a seal that nobody has.
    state.marks = lane.marks(20);
    expect(await codeOf(history.page(writer, 7))).toBe("refstore/not-found");
  });

  it("HIST-4: a page that goes while it is read is lost too", async () => {
    const { history, lane, pages, state } = await setUp();
    pages.seals.delete(lane.page(3).hash);
    const reading = history.page(writer, 3);
    state.marks = lane.marks(20, 4);
    expect(await codeOf(reading)).toBe("crdt/history-lost");
  });

  it("HIST-4: a chain ends where its pages were written before there were seals", async () => {
    const { history } = await setUp({ unsealedBelow: 6 });
    expect(await collect(history.pagesFrom(writer))).toEqual(range(5, 20));
    expect(await collect(history.pagesBack(writer))).toEqual(range(5, 20).reverse());
    expect(await codeOf(history.page(writer, 4))).toBe("crdt/history-lost");
    expect(await codeOf(collect(history.pagesFrom(writer, { from: 4 })))).toBe("crdt/history-lost");
    expect(await codeOf(collect(history.pagesBack(writer, { downTo: 4 })))).toBe("crdt/history-lost");
  });

  it("HIST-5: offline is said, and read again later", async () => {
    const { history, pages } = await setUp();
    pages.isOffline = true;
    expect(await codeOf(history.page(writer, 3))).toBe("refstore/unavailable");
    pages.isOffline = false;
    expect(await codeOf(history.page(writer, 3))).toBe("none");
  });
});

describe("lies", () => {
  const lies: [string, Partial<WriteLaneOptions>][] = [
    [
      "a length",
      {
        bend: (previous, number) => previous && { ...previous, length: number === 10 ? 4 : previous.length },
      },
    ],
    [
      "a later page as the one before",
      {
        bend: (previous, number) =>
          previous && number === 10 ? { ...previous, page: { number: 12, client: 1 } } : previous,
      },
    ],
    [
      "another name",
      {
        bend: (previous, number) =>
          previous && number === 10 ? { ...previous, page: { ...previous.page, number: 8 } } : previous,
      },
    ],
    [
      "earlier pages in disorder",
      {
        bend: (previous, number) =>
          previous?.seal && number === 10
            ? { ...previous, seal: { ...previous.seal, earlier: [...previous.seal.earlier].reverse() } }
            : previous,
      },
    ],
  ];

  it.each(lies)(
    "HIST-6: %s ends the reading with a code and shows nothing that is wrong",
    async (_, options) => {
      const { history, lane } = await setUp(options);
      const shown: unknown[] = [];
      const reading = (async () => {
        for await (const page of history.pagesBack(writer)) shown.push([page.name.number, bodiesOf(page)]);
      })();
      await expect(reading).rejects.toMatchObject({ code: "crdt/history-corrupt", details: { writer } });
      expect(shown).toEqual(
        range(0, 20)
          .reverse()
          .slice(0, shown.length)
          .map((number) => [number, lane.page(number).bodies]),
      );
      expect(await codeOf(collect(history.pagesFrom(writer)))).toBe("crdt/history-corrupt");
    },
  );

  it("HIST-6: a live page that names a later one leads nobody in circles", async () => {
    const { history, chains, lane, log } = await setUp({ count: 10 });
    const seal = { hash: lane.page(9).hash, earlier: [] };
    const lie = writePage(5, 105);
    const update = lie.append({ bodies: ["lie"], previous: { page: lane.page(9).name, length: 3, seal } });
    log.take(writer, readPage(lie.name, [update]));
    const head = { page: lane.page(9).name, hash: lane.page(9).hash };
    log.take(writer, readPage(head.page, [lane.page(9).update]));
    expect(await chains.seek(writer, { ...lane.page(5), page: lie.name }, 3)).toBe("lost");
    expect(chains.seekKnown(writer, { ...lane.page(5), page: lie.name }, 3)).toBe("lost");
    expect(await codeOf(history.page(writer, 4))).toBe("crdt/history-lost");
    expect(await codeOf(collect(history.pagesFrom(writer)))).toBe("crdt/history-corrupt");
  });

  it("HIST-6: a chain without jumps leads nobody through all of its pages", async () => {
    const { chains, lane, pages, history } = await setUp({
      count: 400,
      batches: [1],
      bend: (previous) => previous?.seal && { ...previous, seal: { ...previous.seal, earlier: [] } },
    });
    const head = { page: lane.page(399).name, hash: lane.page(399).hash };
    expect(await chains.seek(writer, head, 200)).toMatchObject({ page: lane.page(200).name });
    const before = pages.gets.length;
    expect(await chains.seek(writer, head, 3)).toBe("lost");
    expect(pages.gets.length - before).toBeLessThanOrEqual(256);
    expect(await codeOf(history.page(writer, 3))).toBe("crdt/history-lost");
  });

  it("HIST-6: a jump that leads to another chain is found out before the chains meet", async () => {
    const pages = createScriptedPages();
    const other = await writeLane({ writer, pages, count: 20, clockOf: () => 5 });
    const lane = await writeLane({
      writer,
      pages,
      count: 20,
      bend: (previous, number) =>
        previous?.seal && number === 19
          ? {
              ...previous,
              seal: {
                ...previous.seal,
                earlier: previous.seal.earlier.map(({ page }) => ({
                  page,
                  hash: other.page(page.number).hash,
                })),
              },
            }
          : previous,
    });
    const { history } = openHistory(pages, lane.marks(20));
    await expect(collect(history.pagesFrom(writer))).rejects.toMatchObject({ code: "crdt/history-corrupt" });
  });

  it.each([
    ["a batch twice", (batches: Uint8Array[]) => [batches[0] as Uint8Array, ...batches]],
    ["batches in disorder", (batches: Uint8Array[]) => [...batches].reverse()],
    ["no batch", () => []],
    ["a header twice", (batches: Uint8Array[], first: Uint8Array) => [...batches, first]],
  ])("HIST-6: a seal with %s is refused whole", async (_, bend) => {
    const pages = createScriptedPages();
    const { encodeSeal, encodeBatch, encodeEntry } = await import("../../src/protocol/index.ts");
    const lane = await writeLane({ writer, pages, count: 3 });
    const { batches, name } = lane.page(1);
    const header = encodeBatch(
      {
        first: 3,
        clock: 9,
        previous: { page: lane.page(0).name, length: 3, seal: { hash: lane.page(0).hash, earlier: [] } },
        references: [],
      },
      [encodeEntry({ kind: "note", parents: [], body: "late" })],
    );
    const hash = await pages.put(encodeSeal(bend(batches, header)));
    const marks = { low: 2, first: 0, head: { page: `${name.number}-${name.client}`, length: 4, hash } };
    const { history } = openHistory(pages, marks);
    await expect(history.page(writer, 1)).rejects.toMatchObject({
      code: "crdt/history-corrupt",
      details: { writer, page: "1-101" },
    });
  });

  /** Reads all that can be read of a lane; tells whether anything was wrong with it. */
  async function read(pages: ScriptedPages, marks: LaneMarks, expected: readonly string[][]) {
    const { history } = openHistory(pages, marks);
    const outcomes = [];
    for (const source of [history.pagesFrom(writer), history.pagesBack(writer)]) {
      const shown: LoggedPage[] = [];
      let code = "none";
      try {
        for await (const page of source) shown.push(page);
      } catch (failure) {
        code = (failure as FlockError).code;
      }
      const wrong = shown.filter(
        (page) => JSON.stringify(bodiesOf(page)) !== JSON.stringify(expected[page.name.number]),
      );
      outcomes.push({ code, wrong: wrong.length, whole: shown.length === expected.length });
    }
    return outcomes;
  }

  /** Flips a bit of one seal or of the marks. */
  const flips = fc.record({ page: fc.nat(7), at: fc.nat(10_000), bit: fc.nat(7), inHead: fc.boolean() });

  async function flip(
    isBlind: boolean,
    { page, at, bit, inHead }: { page: number; at: number; bit: number; inHead: boolean },
  ) {
    const pages = createScriptedPages();
    const lane = await writeLane({ writer, pages, count: 8 });
    pages.isBlind = isBlind;
    const { hash } = lane.page(page);
    const marks = lane.marks(8);
    if (inHead && !isBlind) {
      const digits = [...marks.head.hash];
      const index = at % digits.length;
      digits[index] = (Number.parseInt(digits[index] as string, 16) ^ (1 << (bit % 4))).toString(16);
      marks.head.hash = digits.join("");
    } else {
      const seal = pages.seals.get(hash) as Uint8Array;
      const index = at % seal.length;
      seal[index] = (seal[index] as number) ^ (1 << bit);
    }
    return read(
      pages,
      marks,
      lane.written.map(({ bodies }) => bodies),
    );
  }

  it("HIST-7: whatever bit is flipped in a seal or a mark, nothing wrong is shown and the end has a code", async () => {
    await fc.assert(
      fc.asyncProperty(flips, async (bent) => {
        for (const { code, wrong, whole } of await flip(false, bent)) {
          expect([wrong, whole]).toEqual([0, false]);
          expect(["crdt/history-corrupt", "refstore/corrupt", "refstore/not-found"]).toContain(code);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("HIST-7: control: a store that does not verify is caught showing what nobody wrote", async () => {
    const outcome = await fc.check(
      fc.asyncProperty(flips, async (bent) =>
        (await flip(true, bent)).every(({ wrong, whole }) => wrong === 0 && !whole),
      ),
      { numRuns: 400 },
    );
    expect(outcome.failed).toBe(true);
  });
});
