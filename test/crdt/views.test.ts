import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defineView, type View, type ViewDefinition } from "../../src/crdt/index.ts";
import type { Entry } from "../../src/crdt/lanes/entry.ts";
import { createEntryLog, type EntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { arrive, createLog, type Placed } from "./lanes.ts";
import { openViewOf } from "./views-world.ts";

const openView: <State>(log: EntryLog, definition: ViewDefinition<State>) => View<State> = openViewOf;

/** Keeps the bodies of each key, in order: two replicas agree only if they folded in one order. */
const inOrder = defineView<readonly unknown[]>({
  key: ({ body }) => (typeof body === "string" ? (body[0] as string) : undefined),
  init: () => [],
  step: (state, { body }) => [...state, body],
});

function counted<State>(definition: ViewDefinition<State>) {
  const steps: string[] = [];
  const view: ViewDefinition<State> = {
    ...definition,
    step(state, entry) {
      steps.push(String(entry.body));
      return definition.step(state, entry);
    },
  };
  return { view, steps };
}

const id = ({ writer, number }: Placed) => `${writer}/${number}-7/0`;

/** A set of entries: each may rest on earlier ones of the list, whatever the clocks say. */
const entries: fc.Arbitrary<Placed[]> = fc
  .array(
    fc.record({
      writer: fc.constantFrom("a.a.a", "a.a.b", "b.b.b"),
      clock: fc.nat({ max: 5 }),
      key: fc.constantFrom("x", "y"),
      parents: fc.array(fc.nat(), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 14 },
  )
  .map((drawn) => {
    const made: Placed[] = [];
    for (const [number, { writer, clock, key, parents }] of drawn.entries()) {
      const known = number === 0 ? [] : parents.map((at) => id(made[at % number] as Placed));
      made.push({ writer, number, clock, parents: known, body: `${key}${number}` });
    }
    return made;
  });
const shuffled = entries.chain((all) =>
  fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
);

function fold(all: readonly Placed[], open = openView): Record<string, unknown> {
  const log = createEntryLog();
  const view = open(log, inOrder);
  arrive(log, all);
  return Object.fromEntries([...view.keys()].sort().map((key) => [key, view.get(key)]));
}

describe("views", () => {
  it("VIEW-1: the same entries give the same state, whatever their order of arrival", () => {
    fc.assert(
      fc.property(shuffled, ([all, other]) => {
        expect(fold(other)).toEqual(fold(all));
        const late = openView(createLog(other), inOrder);
        expect(Object.fromEntries([...late.keys()].sort().map((key) => [key, late.get(key)]))).toEqual(
          fold(all),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("VIEW-1 control: a fold in the order of arrival does not", () => {
    const asTheyCome: typeof openView = (log, definition) => {
      const view = openView(createEntryLog(), definition);
      const states = new Map<string, never>();
      log.added.on((arrived) => {
        for (const entry of arrived) {
          const key = definition.key(entry);
          if (key !== undefined)
            states.set(key, definition.step(states.get(key) ?? definition.init(key), entry) as never);
        }
      });
      return { ...view, keys: () => states.keys(), get: (key) => states.get(key) };
    };
    const found = fc.check(
      fc.property(shuffled, ([all, other]) => {
        expect(fold(other, asTheyCome)).toEqual(fold(all, asTheyCome));
      }),
    );
    expect(found.failed).toBe(true);
  });

  it("VIEW-2: an entry folds after those that it rests on, even where its clock is earlier", () => {
    const parent: Placed = { writer: "b.b.b", number: 0, clock: 90, body: "x-parent" };
    const child: Placed = { writer: "a.a.a", number: 0, clock: 5, parents: [id(parent)], body: "x-child" };
    const grandchild: Placed = {
      writer: "a.a.b",
      number: 0,
      clock: 1,
      parents: [id(child)],
      body: "x-grandchild",
    };
    expect(fold([grandchild, child, parent])).toEqual({ x: ["x-parent", "x-child", "x-grandchild"] });
  });

  it("VIEW-2: an entry whose parent is not here waits, and what rests on it too", () => {
    const log = createEntryLog();
    const view = openView(log, inOrder);
    const parent: Placed = { writer: "b.b.b", number: 0, clock: 9, body: 7 };
    const child: Placed = { writer: "a.a.a", number: 0, clock: 1, parents: [id(parent)], body: "x1" };
    arrive(log, [child, { writer: "a.a.a", number: 1, clock: 2, parents: [id(child)], body: "x2" }]);
    expect(view.get("x")).toBeUndefined();
    // The parent belongs to no key of the view, and orders all the same.
    arrive(log, [parent]);
    expect(view.get("x")).toEqual(["x1", "x2"]);
  });

  it("VIEW-2: entries that rest on themselves or in a circle never fold, and disturb nobody", () => {
    const circle: Placed[] = [
      { writer: "a.a.a", number: 0, clock: 1, parents: ["a.a.a/0-7/0"], body: "x-self" },
      { writer: "a.a.a", number: 1, clock: 1, parents: ["b.b.b/1-7/0"], body: "x-one" },
      { writer: "b.b.b", number: 1, clock: 1, parents: ["a.a.a/1-7/0"], body: "x-two" },
    ];
    expect(fold([...circle, { writer: "c.c.c", number: 0, clock: 1, body: "x-fine" }])).toEqual({
      x: ["x-fine"],
    });
  });

  it("VIEW-3: an entry at the end is one step; an earlier one folds its key anew and no other", () => {
    const { view, steps } = counted(inOrder);
    const log = createLog([
      { writer: "a.a.a", number: 0, clock: 10, body: "x1" },
      { writer: "a.a.a", number: 1, clock: 20, body: "x2" },
      { writer: "a.a.a", number: 2, clock: 10, body: "y1" },
    ]);
    const opened = openView(log, view);
    steps.length = 0;
    arrive(log, [{ writer: "a.a.a", number: 3, clock: 30, body: "x3" }]);
    expect(steps).toEqual(["x3"]);
    steps.length = 0;
    arrive(log, [{ writer: "b.b.b", number: 0, clock: 15, body: "x-late" }]);
    expect(steps).toEqual([]);
    expect(opened.get("x")).toEqual(["x1", "x-late", "x2", "x3"]);
    expect(steps).toEqual(["x1", "x-late", "x2", "x3"]);
  });

  it("VIEW-4: listeners hear the keys that changed, once an arrival, and nothing after close", () => {
    const log = createEntryLog();
    const view = openView(log, inOrder);
    const heard: string[][] = [];
    const undo = view.subscribe((keys) => heard.push([...keys].sort()));
    arrive(log, [
      { writer: "a.a.a", number: 0, clock: 1, body: "x1" },
      { writer: "a.a.a", number: 1, clock: 1, body: 7 },
      { writer: "a.a.a", number: 2, clock: 1, body: "y1" },
    ]);
    expect(heard).toEqual([["x"], ["y"]]);
    undo();
    arrive(log, [{ writer: "a.a.a", number: 3, clock: 1, body: "x2" }]);
    expect(heard).toHaveLength(2);
    expect(view.entries("x").map(({ body }: Entry) => body)).toEqual(["x1", "x2"]);
    view.close();
    arrive(log, [{ writer: "a.a.a", number: 4, clock: 1, body: "x3" }]);
    expect(view.get("x")).toEqual(["x1", "x2"]);
  });
});
