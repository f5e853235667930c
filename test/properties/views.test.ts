import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createInMemoryPersistence, defineView, type StoredChange, type View } from "../../src/crdt/index.ts";
import type { Entry } from "../../src/crdt/lanes/entry.ts";
import {
  createQuietPages,
  createReplica,
  idOf,
  type Replica,
  type Said,
  type WorldLane,
  writeLane,
} from "../crdt/views-world.ts";

const writers = ["anon.a.1", "anon.b.1", "anon.c.1"];

/** The order of folding is the state, so that two orders never look alike. */
const transcript = defineView<string>({
  key: ({ kind }) => kind,
  init: (key) => key,
  step: (state, { id }) => `${state} ${id}`,
});

interface DrawnEntry {
  clock: number;
  kind: string;
  parents: number[];
}

/** What happens to a replica, in an order that is drawn. */
type Event =
  | { type: "deliver"; lane: number; page: number; upTo: number }
  | { type: "mark"; lane: number; low: number }
  | { type: "release"; lane: number; page: number }
  | { type: "settle" }
  | { type: "reopen" };

interface Drawn {
  /** Entries by lane and page. */
  lanes: DrawnEntry[][][];
  events: Event[];
  openAt: number;
}

const drawnEntry = fc.record<DrawnEntry>({
  clock: fc.nat(12),
  kind: fc.constantFrom("x", "y"),
  parents: fc.array(fc.nat(40), { maxLength: 2 }),
});
const drawnLanes = fc.array(
  fc.array(fc.array(drawnEntry, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }),
  { minLength: 1, maxLength: 3 },
);
const drawnEvent: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("deliver" as const),
      lane: fc.nat(2),
      page: fc.nat(2),
      upTo: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("mark" as const), lane: fc.nat(2), low: fc.nat(3) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant("release" as const), lane: fc.nat(2), page: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "settle" as const }) },
  { weight: 2, arbitrary: fc.constant({ type: "reopen" as const }) },
);
const drawn = fc.record<Drawn>({
  lanes: drawnLanes,
  events: fc.array(drawnEvent, { maxLength: 24 }),
  openAt: fc.nat(6),
});

/** Ids of all entries that are drawn, and of one that never comes. */
function idsOf(lanes: Drawn["lanes"]): string[] {
  return [
    ...lanes.flatMap((pages, lane) =>
      pages.flatMap((page, number) => page.map((_, index) => idOf(writers[lane] as string, number, index))),
    ),
    "anon.z.1/0-1/0",
  ];
}

async function build({ lanes }: Pick<Drawn, "lanes">) {
  const pages = createQuietPages();
  const ids = idsOf(lanes);
  const written: WorldLane[] = [];
  for (const [lane, drawnPages] of lanes.entries()) {
    const said = drawnPages.map((page) =>
      page.map(
        ({ parents, ...rest }): Said => ({
          ...rest,
          parents: parents.map((parent) => ids[parent % ids.length] as string),
        }),
      ),
    );
    written.push(await writeLane(pages, writers[lane] as string, said));
  }
  return { pages, lanes: written };
}

/** What all entries fold to, by the definition of the order and nothing else; those that rest on what never comes wait. */
function expected(lanes: readonly WorldLane[]): Record<string, string> {
  const all = new Map(lanes.flatMap(({ entries }) => entries.map((entry) => [entry.id, entry] as const)));
  const clocks = new Map<string, number>();
  for (let changed = true; changed; ) {
    changed = false;
    for (const { id, clock, parents } of all.values()) {
      const before = parents.map((parent) => clocks.get(parent));
      if (clocks.has(id) || before.includes(undefined)) continue;
      clocks.set(id, Math.max(clock, ...before.map((each) => (each as number) + 1)));
      changed = true;
    }
  }
  const placed = [...clocks].map(([id, clock]) => ({ clock, entry: all.get(id) as Entry }));
  placed.sort(
    (a, b) =>
      a.clock - b.clock ||
      (a.entry.writer < b.entry.writer ? -1 : Number(a.entry.writer > b.entry.writer)) ||
      a.entry.page.number - b.entry.page.number ||
      a.entry.index - b.entry.index,
  );
  const states: Record<string, string> = {};
  for (const { entry } of placed) states[entry.kind] = `${states[entry.kind] ?? entry.kind} ${entry.id}`;
  return states;
}

type Shown = Pick<View<string>, "get" | "keys" | "ready" | "close">;

/** A way of folding, and what falsifies its snapshots. */
interface Variant {
  open(replica: Replica): Shown;
  bend?: (change: StoredChange) => StoredChange;
}

const whole: Variant = { open: (replica) => replica.open(transcript) };
const kept: Variant = {
  open: (replica) => replica.open({ ...transcript, snapshot: { name: "transcript", version: 1 } }),
};

/** Plays the events, then everything that is left, and gives what the view shows in the end. */
async function play({ lanes, events, openAt }: Drawn, { open, bend }: Variant) {
  const world = await build({ lanes });
  const records = createInMemoryPersistence();
  const born = () => createReplica(world.pages, { records, ...(bend && { bend }) });
  let replica = born();
  let view: Shown | undefined;
  const had = new Map<string, number>();
  const lows = new Map<number, number>();
  const gone = new Set<string>();
  const laneAt = (lane: number) => world.lanes[lane];

  function deliver(lane: number, page: number, upTo: number): void {
    const of = laneAt(lane);
    const key = `${lane}/${page}`;
    if (!of?.pages[page] || gone.has(key)) return;
    // Below the mark nobody offers pages any more.
    if (page < (lows.get(lane) ?? 0) && !had.has(key)) return;
    had.set(key, Math.max(had.get(key) ?? 0, upTo));
    replica.deliver(of, page, upTo);
  }
  async function run(event: Event): Promise<void> {
    const of = "lane" in event ? laneAt(event.lane) : undefined;
    if (event.type === "deliver") deliver(event.lane, event.page, event.upTo);
    else if (
      event.type === "mark" &&
      of &&
      event.low > (lows.get(event.lane) ?? 0) &&
      event.low <= of.pages.length
    ) {
      lows.set(event.lane, event.low);
      replica.mark(of, event.low);
    } else if (event.type === "release" && of && event.page < (lows.get(event.lane) ?? 0)) {
      if (replica.release(of, event.page)) gone.add(`${event.lane}/${event.page}`);
    } else if (event.type === "settle") {
      replica.clock.advance(5_000);
      await view?.ready;
    } else if (event.type === "reopen") {
      await view?.close();
      await replica.views.close();
      replica = born();
      for (const [lane, low] of lows) replica.mark(laneAt(lane) as WorldLane, low);
      for (const [key, upTo] of had) {
        const [lane, page] = key.split("/").map(Number) as [number, number];
        if (!gone.has(key)) replica.deliver(laneAt(lane) as WorldLane, page, upTo);
      }
      if (view) view = open(replica);
    }
  }

  for (const [at, event] of events.entries()) {
    if (at === openAt) view = open(replica);
    await run(event);
  }
  view ??= open(replica);
  for (const [lane, { pages }] of world.lanes.entries()) {
    for (const page of pages.keys()) deliver(lane, page, 9);
  }
  await world.pages.quiet();
  replica.clock.advance(60_000);
  await world.pages.quiet();
  await view.ready;
  const shown = (): Record<string, string | undefined> =>
    Object.fromEntries([...(view as View<string>).keys()].map((key) => [key, view?.get(key)]));
  const found = shown();
  await view.close();
  await replica.views.close();
  return { found, want: expected(world.lanes), problems: replica.problems };
}

function foldsAlike(variant: Variant) {
  return fc.asyncProperty(drawn, async (case_) => {
    const { found, want, problems } = await play(case_, variant);
    expect(problems).toEqual([]);
    expect(found).toEqual(want);
  });
}

const isCaught = async (variant: Variant): Promise<boolean> =>
  (await fc.check(foldsAlike(variant), { numRuns: 5_000, endOnFailure: true })).failed;

describe("a view", () => {
  it("PROP-6 has one state for one set of entries, however they arrive, are sealed and let go of", async () => {
    await fc.assert(foldsAlike(whole), { numRuns: 500 });
  });

  it("PROP-6 has it with a snapshot of any moment, too", async () => {
    await fc.assert(foldsAlike(kept), { numRuns: 500 });
  });

  it("PROP-6 control: a fold in the order of arrival is caught", async () => {
    const naive: Variant = {
      open({ log }) {
        const states = new Map<string, string>();
        const take = (entries: readonly Entry[]): void => {
          for (const { kind, id } of entries) states.set(kind, `${states.get(kind) ?? kind} ${id}`);
        };
        for (const writer of log.writers()) for (const { entries } of log.pages(writer)) take(entries);
        log.added.on(take);
        return {
          get: (key) => states.get(key),
          keys: () => states.keys(),
          ready: Promise.resolve(),
          close: () => Promise.resolve(),
        };
      },
    };
    expect(await isCaught(naive)).toBe(true);
  });

  it("PROP-6 control: a fold of what is live alone is caught", async () => {
    expect(await isCaught({ open: (replica) => replica.open(transcript, { history: false }) })).toBe(true);
  });

  it("PROP-6 control: a snapshot that forgets which entries wait is caught", async () => {
    const forget = ({ put = [], ...rest }: StoredChange): StoredChange => ({
      ...rest,
      put: put.map(([key, value]) => [
        key,
        typeof value === "object" && value !== null && "waiting" in value ? { ...value, waiting: [] } : value,
      ]),
    });
    expect(await isCaught({ ...kept, bend: forget })).toBe(true);
  });

  it("PROP-6 control: a snapshot whose states are older than what they cover is caught", async () => {
    const stale = ({ put = [], ...rest }: StoredChange): StoredChange => ({
      ...rest,
      put: put.filter(([key]) => !key.endsWith("=x")),
    });
    expect(await isCaught({ ...kept, bend: stale })).toBe(true);
  });
});
