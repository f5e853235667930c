import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { createEntryLog, type EntryLog } from "../../src/crdt/entry-log.ts";
import { defineView, openView } from "../../src/crdt/index.ts";
import { createPage, type Page } from "../../src/crdt/page.ts";
import {
  encodeBatch,
  encodeEntry,
  entryId,
  formatPageName,
  type PageName,
} from "../../src/protocol/index.ts";

/** One update of one page, as replicas exchange them. */
interface Arrival {
  writer: string;
  page: PageName;
  update: Uint8Array;
}

interface DrawnBatch {
  lane: number;
  clock: number;
  entries: { key: string; parents: number[] }[];
}

const lanes: readonly { writer: string; page: PageName }[] = [
  { writer: "anon.a.1", page: { number: 0, client: 7 } },
  { writer: "anon.a.1", page: { number: 1, client: 3 } },
  { writer: "anon.a.1", page: { number: 1, client: 9 } },
  { writer: "anon.b.1", page: { number: 0, client: 5 } },
];

/** The order of folding is the state, so that two orders never look alike. */
const transcript = defineView<string>({
  key: ({ kind }) => kind,
  init: (key) => key,
  step: (state, { id }) => `${state} ${id}`,
});

/** Writes the batches; parents are numbers of any entries, later ones and ones that never come included. */
function write(batches: readonly DrawnBatch[]): Arrival[] {
  const pages = lanes.map(({ page }) => createPage(page, { writable: true }));
  const lengths = lanes.map(() => 0);
  const ids = batches.flatMap(({ lane, entries }) => {
    const { writer, page } = lanes[lane] as (typeof lanes)[number];
    return entries.map(() => entryId({ writer, page, index: (lengths[lane] as number)++ }));
  });
  return batches.map(({ lane, clock, entries }) => {
    const own = pages[lane] as Page;
    const before = Y.encodeStateVector(own.document);
    const encoded = entries.map(({ key, parents }) =>
      encodeEntry({
        kind: key,
        parents: parents.map((parent) => ids[parent] ?? "anon.c.1/0-1/0"),
        body: null,
      }),
    );
    own.append(encodeBatch({ first: own.length, clock, previous: undefined, references: [] }, encoded));
    own.read();
    return {
      ...(lanes[lane] as (typeof lanes)[number]),
      update: Y.encodeStateAsUpdate(own.document, before),
    };
  });
}

/** Lets updates arrive at a replica that opens its view after `openAt` of them; gives what the view shows. */
function fold(arrivals: readonly Arrival[], openAt: number, open: (log: EntryLog) => () => unknown): unknown {
  const log = createEntryLog();
  const pages = new Map<string, Page>();
  let show: (() => unknown) | undefined;
  arrivals.forEach(({ writer, page: name, update }, index) => {
    if (index === openAt) show = open(log);
    const key = `${writer}/${formatPageName(name)}`;
    const page = pages.get(key) ?? createPage(name);
    pages.set(key, page);
    Y.applyUpdate(page.document, update);
    log.take(writer, page);
  });
  return (show ?? open(log))();
}

function openTranscript(log: EntryLog): () => unknown {
  const view = openView(log, transcript);
  return () => [...view.keys()].sort().map((key) => [view.get(key), view.entries(key).map(({ id }) => id)]);
}

const batch = fc.record<DrawnBatch>({
  lane: fc.nat(lanes.length - 1),
  clock: fc.nat(12),
  entries: fc.array(
    fc.record({ key: fc.constantFrom("x", "y"), parents: fc.array(fc.nat(30), { maxLength: 2 }) }),
    { minLength: 1, maxLength: 3 },
  ),
});

/** The same updates in two orders, some of them twice. */
const orders = fc.array(batch, { minLength: 1, maxLength: 12 }).chain((batches) => {
  const arrivals = write(batches);
  return fc.record({
    arrivals: fc.constant(arrivals),
    shuffled: fc
      .tuple(fc.shuffledSubarray(arrivals, { minLength: arrivals.length }), fc.subarray(arrivals))
      .map(([all, some]) => [...all, ...some]),
    openAt: fc.nat(arrivals.length),
  });
});

function sameInEveryOrder(open: (log: EntryLog) => () => unknown) {
  return fc.property(orders, ({ arrivals, shuffled, openAt }) => {
    expect(fold(shuffled, openAt, open)).toEqual(fold(arrivals, 0, open));
  });
}

describe("a view", () => {
  it("PROP-6 has one state for one set of entries, whatever their order of arrival", () => {
    fc.assert(sameInEveryOrder(openTranscript), { numRuns: 1_000 });
  });

  it("PROP-6 control: a fold in the order of arrival is caught", () => {
    const naive = (log: EntryLog) => {
      const seen: string[] = [];
      log.added.on((entries) => seen.push(...entries.map(({ id }) => id)));
      return () => seen;
    };
    expect(fc.check(sameInEveryOrder(naive), { numRuns: 1_000 }).failed).toBe(true);
  });
});
