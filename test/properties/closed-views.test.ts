import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createInMemoryPersistence, defineView, type ViewDefinition } from "../../src/crdt/index.ts";
import {
  createQuietPages,
  createReplica,
  idOf,
  type Said,
  type WorldLane,
  writeLane,
} from "../crdt/views-world.ts";

const writers = ["anon.a.1", "anon.b.1"];
const kinds = ["task-a", "task-b", "task-c"];

/** A task: its entries in their order, each resting on the one before, the last of which closes it. */
const task = defineView<readonly string[]>({
  key: ({ kind }) => kind,
  init: () => [],
  step: (state, { body }) => [...state, String(body)],
  isClosed: (state) => state.at(-1) === "done",
});

interface Drawn {
  /** Of each entry: its lane, its task, its clock, and whether it begins a page. */
  said: { lane: number; kind: number; clock: number; turns: boolean }[];
  events: { type: "deliver" | "mark" | "release" | "settle" | "reopen"; lane: number; page: number }[];
  isKept: boolean;
}

const drawn = fc.record<Drawn>({
  said: fc.array(fc.record({ lane: fc.nat(1), kind: fc.nat(2), clock: fc.nat(20), turns: fc.boolean() }), {
    minLength: 1,
    maxLength: 14,
  }),
  events: fc.array(
    fc.record({
      type: fc.constantFrom("deliver", "deliver", "mark", "release", "settle", "reopen"),
      lane: fc.nat(1),
      page: fc.nat(5),
    }),
    { maxLength: 30 },
  ),
  isKept: fc.boolean(),
});

/** The lanes: entries of one task rest on each other, wherever they are, and its last one says that it is done. */
async function build({ said }: Drawn, isRooted: boolean) {
  const lanes: Said[][][] = writers.map(() => []);
  const lastOf = new Map<number, string>();
  const want = new Map<string, string[]>();
  for (const [at, { lane, kind, clock, turns }] of said.entries()) {
    const pages = lanes[lane] as Said[][];
    if (pages.length === 0 || turns) pages.push([]);
    const page = pages.at(-1) as Said[];
    const isLast = !said.slice(at + 1).some((later) => later.kind === kind);
    const name = kinds[kind] as string;
    const before = lastOf.get(kind);
    const body = isLast ? "done" : `step ${at}`;
    page.push({ clock, kind: name, body, parents: before && isRooted ? [before] : [] });
    want.set(name, [...(want.get(name) ?? []), body]);
    lastOf.set(kind, idOf(writers[lane] as string, pages.length - 1, page.length - 1));
  }
  const pages = createQuietPages();
  const written: WorldLane[] = [];
  for (const [lane, each] of lanes.entries())
    written.push(await writeLane(pages, writers[lane] as string, each));
  return { pages, lanes: written, want };
}

async function play(case_: Drawn, definition: ViewDefinition<readonly string[]>, isRooted: boolean) {
  const { pages, lanes, want } = await build(case_, isRooted);
  const records = createInMemoryPersistence();
  const snapshot = { name: "tasks", version: 1 };
  let replica = createReplica(pages, { records });
  const open = () => replica.open({ ...definition, ...(case_.isKept && { snapshot }) });
  let view = open();
  const had = new Set<string>();
  const gone = new Set<string>();
  const lows = new Map<number, number>();

  async function run({ type, lane, page }: Drawn["events"][number]): Promise<void> {
    const of = lanes[lane] as WorldLane;
    const name = `${lane}/${page}`;
    const low = lows.get(lane) ?? 0;
    if (type === "deliver" && page < of.pages.length && !gone.has(name) && (page >= low || had.has(name))) {
      had.add(name);
      replica.deliver(of, page);
    } else if (type === "mark" && page > low && page <= of.pages.length) {
      lows.set(lane, page);
      replica.mark(of, page);
    } else if (type === "release" && page < low && had.has(name)) {
      if (replica.release(of, page)) gone.add(name);
    } else if (type === "settle") {
      replica.clock.advance(5_000);
      await pages.quiet();
    } else if (type === "reopen") {
      await replica.views.close();
      replica = createReplica(pages, { records });
      for (const [at, mark] of lows) replica.mark(lanes[at] as WorldLane, mark);
      for (const each of had) {
        const [at, number] = each.split("/").map(Number) as [number, number];
        if (!gone.has(each)) replica.deliver(lanes[at] as WorldLane, number);
      }
      view = open();
    }
  }

  for (const event of case_.events) await run(event);
  for (const [lane, { pages: all }] of lanes.entries()) {
    for (const page of all.keys()) await run({ type: "deliver", lane, page });
  }
  await pages.quiet();
  replica.clock.advance(60_000);
  await pages.quiet();
  await view.ready;
  const inMemory = Object.fromEntries([...view.keys()].map((key) => [key, view.get(key)]));
  const fetched: Record<string, readonly string[] | undefined> = {};
  for (const key of want.keys()) fetched[key] = await view.fetch(key);
  await replica.views.close();
  return { inMemory, fetched, want: Object.fromEntries(want), problems: replica.problems };
}

function keepsWhatIsOpen(definition: ViewDefinition<readonly string[]>, { isRooted = true } = {}) {
  return fc.asyncProperty(drawn, async (case_) => {
    const { inMemory, fetched, want, problems } = await play(case_, definition, isRooted);
    expect(problems).toEqual([]);
    expect(fetched).toEqual(want);
    for (const [key, state] of Object.entries(inMemory)) expect([key, state]).toEqual([key, want[key]]);
  });
}

describe("a view of open keys", () => {
  it("PROP-12 has the whole of each key that it shows, and finds every other", async () => {
    await fc.assert(keepsWhatIsOpen(task), { numRuns: 500 });
  });

  it("PROP-12 control: entries that do not say which of their key they rest on are caught", async () => {
    const check = await fc.check(keepsWhatIsOpen({ ...task, isClosed: () => true }, { isRooted: false }), {
      numRuns: 5_000,
      endOnFailure: true,
    });
    expect(check.failed).toBe(true);
  });
});
