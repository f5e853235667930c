import { describe, expect, it } from "vitest";
import { defineView, type Entry, foldEntries, type ViewChange } from "../../src/crdt/index.ts";
import { createEntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { createScriptedPages } from "./history-lane.ts";
import { arrive, createLog, type Placed } from "./lanes.ts";
import { createQuietPages, createReplica, idOf, openViewOf, writeLane } from "./views-world.ts";

const bodies = defineView<readonly unknown[]>({
  key: ({ kind }) => kind,
  init: () => [],
  step: (state, { body }) => [...state, body],
});

const at = (number: number, clock: number, body: Placed["body"] = number): Placed => ({
  writer: "a.a.a",
  number,
  clock,
  body,
});

describe("folding", () => {
  it("VIEW-5: a late entry folds its key again from at most 64 entries before it", () => {
    let steps = 0;
    const log = createLog(Array.from({ length: 1_000 }, (_, number) => at(number, number * 10)));
    const view = openViewOf(log, {
      ...bodies,
      step(state, entry) {
        steps++;
        return bodies.step(state, entry);
      },
    });
    view.get("note");
    steps = 0;
    arrive(log, [{ writer: "b.b.b", number: 0, clock: 9_905, body: "late" }]);
    const state = view.get("note") ?? [];
    expect(state.indexOf("late")).toBe(991);
    expect(steps).toBeGreaterThan(8);
    expect(steps).toBeLessThanOrEqual(64 + 10);
  });

  it("VIEW-6: a chain of 10,000 parents that arrives in reverse folds in its order", async () => {
    const pages = createQuietPages();
    const perPage = 1_000;
    const ids = (at: number): string => idOf("anon.a.1", Math.floor(at / perPage), at % perPage);
    const said = Array.from({ length: 10 }, (_, page) =>
      Array.from({ length: perPage }, (_, index) => {
        const body = page * perPage + index;
        return { clock: 1, body, parents: body > 0 ? [ids(body - 1)] : [] };
      }),
    );
    const lane = await writeLane(pages, "anon.a.1", said);
    const replica = createReplica(pages);
    const view = replica.open<number>({
      key: () => "all",
      init: () => 0,
      step: (next, { body }) => (body === next ? next + 1 : Number.NaN),
    });
    for (let page = 9; page >= 0; page--) replica.deliver(lane, page);
    expect(view.get("all")).toBe(10_000);
  });

  it("VIEW-7: what a view's functions throw is told once, and the key keeps the state that it had", () => {
    const log = createEntryLog();
    const { open, problems } = createReplica(createScriptedPages(), { log });
    const view = open<readonly unknown[]>({
      ...bodies,
      key(entry) {
        if (entry.body === "no key") throw new Error("key");
        return String(entry.body)[0];
      },
      step(state, entry) {
        if (entry.body === "x-bad") throw new Error("step");
        return bodies.step(state, entry);
      },
      isClosed() {
        throw new Error("isClosed");
      },
    });
    arrive(log, [
      at(0, 1, "x1"),
      at(1, 2, "x-bad"),
      at(2, 3, "x-bad"),
      at(3, 4, "no key"),
      at(4, 5, "x2"),
      at(5, 6, "y1"),
    ]);
    // One that comes late folds the key again, and finds the same.
    arrive(log, [{ writer: "b.b.b", number: 0, clock: 0, body: "x0" }]);
    expect([view.get("x"), view.get("y")]).toEqual([["x0", "x1", "x2"], ["y1"]]);
    for (const { name } of log.pages("a.a.a")) expect(log.isHeld("a.a.a", name)).toBe(name.number !== 3);
    expect(problems.map(({ code, details }) => [code, details.what, details.key])).toEqual([
      ["crdt/view-failed", "step", "x"],
      ["crdt/view-failed", "key", "note"],
      ["crdt/view-failed", "isClosed", "x"],
      ["crdt/view-failed", "isClosed", "y"],
    ]);
  });

  it("VIEW-8: a change is told once, with what was before, and only where the state differs", () => {
    const log = createLog([at(0, 1, "x1")]);
    const view = openViewOf(
      log,
      defineView<{ last: unknown }>({
        key: () => "x",
        init: () => ({ last: null }),
        step: (_, { body }) => ({ last: body }),
      }),
    );
    const heard: ViewChange<{ last: unknown }>[] = [];
    const undo = view.onChange((change) => heard.push(change));
    arrive(log, [at(1, 2, "x1"), at(2, 3, "x2"), at(3, 1, "early")]);
    expect(heard).toEqual([{ key: "x", before: { last: "x1" }, after: { last: "x2" } }]);
    undo();
    arrive(log, [at(4, 9, "x3")]);
    expect(heard).toHaveLength(1);
  });

  it("VIEW-8: the definition may say what makes a difference", () => {
    const log = createEntryLog();
    const view = openViewOf(log, { ...bodies, equals: (a, b) => a.length === b.length });
    const heard: number[] = [];
    view.onChange(({ after }) => heard.push(after.length));
    arrive(log, [at(0, 1), at(1, 2)]);
    expect(heard).toEqual([1, 2]);
  });

  it("VIEW-9: entries at hand fold in the order of the room, whatever their own", () => {
    const placed: Placed[] = [
      at(0, 9, "parent"),
      { ...at(1, 1, "child"), parents: ["a.a.a/0-7/0"] },
      at(2, 3, "between"),
    ];
    const log = createLog(placed);
    const entries = placed.map(({ number }) => log.get(`a.a.a/${number}-7/0`) as Entry);
    for (const some of [entries, [...entries].reverse()]) {
      expect(foldEntries(bodies, some).get("note")).toEqual(["between", "parent", "child"]);
    }
    // Without its parent, which counts as absent, it stands by its own clock.
    expect(foldEntries(bodies, entries.slice(1)).get("note")).toEqual(["child", "between"]);
  });
});
