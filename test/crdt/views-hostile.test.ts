import { describe, expect, it } from "vitest";
import { createInMemoryPersistence, defineView } from "../../src/crdt/index.ts";
import { createManualClock, until } from "../refstore/manual-clock.ts";
import { createQuietPages, createReplica, idOf, type Said, writeLane } from "./views-world.ts";

const bodies = defineView<readonly unknown[]>({
  key: ({ kind }) => kind,
  init: () => [],
  step: (state, { body }) => [...state, body],
});
const task = defineView<readonly unknown[]>({ ...bodies, isClosed: (state) => state.includes("done") });

const said = (clock: number, body: Said["body"], parents: string[] = [], kind = "note"): Said => ({
  clock,
  kind,
  parents,
  ...(body !== undefined && { body }),
});
const a = "anon.a.1";
const b = "anon.b.1";
const liar = "mallory.m.1";

describe("lanes that nobody can read", () => {
  it.each([
    [
      "nobody has its seal",
      "refstore/not-found",
      (seals: Map<string, Uint8Array>, hash: string) => void seals.delete(hash),
    ],
    [
      "it lies",
      "refstore/corrupt",
      (seals: Map<string, Uint8Array>, hash: string) => void seals.set(hash, new Uint8Array([1])),
    ],
  ])("VIEW-16: keep no view from being ready: %s", async (_, code, spoil) => {
    const pages = createQuietPages();
    const lane = await writeLane(pages, a, [[said(1, "1")], [said(2, "2")], [said(3, "3")], [said(4, "4")]]);
    const bad = await writeLane(pages, liar, [[said(1, "bad")], [said(2, "worse")]]);
    const hash = bad.pages[0]?.hash ?? "";
    const good = pages.seals.get(hash) as Uint8Array;
    spoil(pages.seals, hash);
    const replica = createReplica(pages);
    replica.mark(lane, 2);
    replica.mark(bad, 1);
    replica.deliver(lane, 2);
    const view = replica.open(bodies);
    await view.ready;
    expect([view.get("note"), view.status("note")]).toEqual([["1", "2", "3"], "ready"]);
    expect(await view.fetch("note")).toEqual(["1", "2", "3"]);
    expect(replica.problems.map((each) => each.code)).toEqual([code]);
    // What else is to be read is not kept waiting, and the lane is tried again.
    replica.mark(lane, 4);
    await until(() => view.get("note")?.length === 4);
    pages.seals.set(hash, good);
    replica.clock.advance(1_000);
    await until(() => view.get("note")?.length === 5);
    await view.close();
    await replica.views.close();
    expect(replica.clock.delays()).toEqual([]);
  });

  it("VIEW-16: a parent there is absent, and one of a writer that has departed too", async () => {
    const pages = createQuietPages();
    const bad = await writeLane(pages, liar, [[said(1, "bad", [], "other")]]);
    pages.seals.clear();
    const gone = await writeLane(pages, b, [[said(1, "gone", [], "other")]]);
    const lane = await writeLane(pages, a, [
      [said(5, "on a lie", [idOf(liar, 0, 0)]), said(6, "on one that left", [idOf(b, 0, 0)])],
    ]);
    const replica = createReplica(pages);
    replica.mark(bad, 1);
    replica.deliver(lane, 0);
    const view = replica.open(bodies);
    await until(() => view.status("note") === "waiting");
    expect(view.get("note")).toEqual(["on a lie"]);
    replica.unknown.add(gone.writer);
    replica.reachable.emit();
    expect(view.get("note")).toEqual(["on a lie", "on one that left"]);
    await until(() => view.status("note") === "ready");
  });

  it("VIEW-16: a lane older than seals is read from its first sealed page on", async () => {
    const pages = createQuietPages();
    const lane = await writeLane(pages, a, [[said(1, "1")], [said(2, "2")], [said(3, "3")]], {
      sealedFrom: 1,
    });
    const replica = createReplica(pages);
    replica.mark(lane, 3);
    const view = replica.open(bodies);
    await view.ready;
    expect([view.get("note"), replica.problems]).toEqual([["2", "3"], []]);
  });

  it("VIEW-16: marks past all numbers cost nothing", async () => {
    const pages = createQuietPages();
    const bad = await writeLane(pages, liar, [[said(1, "1")]]);
    const replica = createReplica(pages);
    replica.mark(bad, 1, { low: Number.MAX_SAFE_INTEGER });
    const view = replica.open(bodies);
    await view.ready;
    expect(view.get("note")).toEqual(["1"]);
  });
});

describe("late entries", () => {
  it("VIEW-17: in a row fold their key once, when it is next asked for", async () => {
    const pages = createQuietPages();
    const lane = await writeLane(pages, a, [Array.from({ length: 100 }, (_, at) => said(1_000 + at, at))]);
    const late = await writeLane(pages, liar, [Array.from({ length: 100 }, (_, at) => said(at, at))]);
    const replica = createReplica(pages);
    let steps = 0;
    const view = replica.open<number>({
      key: () => "all",
      init: () => 0,
      step: (count) => {
        steps++;
        return count + 1;
      },
      isClosed: () => false,
    });
    replica.deliver(lane, 0);
    for (let upTo = 1; upTo <= 100; upTo++) replica.deliver(late, 0, upTo);
    expect(steps).toBe(100);
    expect([view.get("all"), steps]).toEqual([200, 300]);
  });

  it("VIEW-17: read a key back for no more than a fifth of the time", async () => {
    const pages = createQuietPages();
    const clock = createManualClock();
    const { get } = pages;
    const replica = createReplica(
      { ...pages, get: (...asked) => get(...asked).finally(() => clock.advance(100)) },
      { clock },
    );
    const lane = await writeLane(pages, a, [[said(100, "1")], [said(101, "2")]]);
    const late = await writeLane(pages, liar, [[said(3, "x"), said(2, "y"), said(1, "z")]]);
    replica.deliver(lane, 0);
    const view = replica.open(bodies);
    await view.ready;
    replica.mark(lane, 1);
    replica.release(lane, 0);
    const statuses: unknown[] = [];
    for (let upTo = 1; upTo <= 3; upTo++) {
      replica.deliver(late, 0, upTo);
      await pages.quiet();
      statuses.push(view.status("note"));
    }
    expect(statuses).toEqual(["ready", "loading", "loading"]);
    clock.advance(400);
    await until(() => view.status("note") === "ready");
    expect(view.get("note")).toEqual(["z", "y", "x", "1"]);
    await replica.views.close();
    expect(clock.delays()).toEqual([]);
  });
});

describe("snapshots of two tabs", () => {
  it("VIEW-13: a tab that does not write believes no record older than what it has folded", async () => {
    const pages = createQuietPages();
    const records = createInMemoryPersistence();
    const lane = await writeLane(pages, a, [
      [said(1, "begun", [], "t"), said(2, "done", [idOf(a, 0, 0)], "t")],
      [said(3, "more", [idOf(a, 0, 1)], "t")],
      [said(4, "last", [idOf(a, 1, 0)], "t")],
    ]);
    const definition = { ...task, snapshot: { name: "tasks", version: 1 } };
    const first = createReplica(pages, { records });
    const second = createReplica(pages, { records });
    await first.open(definition).ready;
    const view = second.open(definition);
    await view.ready;
    for (const tab of [first, second]) {
      tab.deliver(lane, 0);
      tab.mark(lane, 1);
      expect(tab.release(lane, 0)).toBe(true);
    }
    await first.views.close();
    for (const number of [1, 2]) {
      second.deliver(lane, number);
      await until(() => view.status("t") === "ready");
      second.mark(lane, number + 1);
      expect(second.release(lane, number)).toBe(true);
      expect(await view.fetch("t")).toEqual(["begun", "done", "more", "last"].slice(0, number + 2));
    }
  });

  it("VIEW-13: only the lanes of which more was dealt with are written", async () => {
    const pages = createQuietPages();
    const records = createInMemoryPersistence();
    const written: string[][] = [];
    const lanes = await Promise.all(
      [a, b].map((writer) => writeLane(pages, writer, [[said(1, "1")], [said(2, "2")]])),
    );
    const replica = createReplica(pages, {
      records,
      bend(change) {
        written.push((change.put ?? []).map(([key]) => key));
        return change;
      },
    });
    await replica.open({ ...bodies, snapshot: { name: "kept", version: 1 } }).ready;
    for (const lane of lanes) replica.deliver(lane, 0);
    replica.clock.advance(1_000);
    await until(() => written.length === 2);
    replica.deliver(lanes[0] as (typeof lanes)[0], 1);
    replica.clock.advance(1_000);
    await until(() => written.length === 3);
    const root = "view/kept/1/live/";
    expect(written.slice(1)).toEqual([
      [root, `${root}${a}`, `${root}${b}`, `${root}=note`],
      [root, `${root}${a}`, `${root}=note`],
    ]);
    await replica.views.close();
    const later = createReplica(pages, { records });
    for (const lane of lanes) later.deliver(lane, 0);
    const view = later.open({ ...bodies, snapshot: { name: "kept", version: 1 } });
    await view.ready;
    expect(view.get("note")).toEqual(["1", "1", "2"]);
    await later.views.close();
  });

  it.each(["the child", "the parent"])(
    "VIEW-13: what a snapshot left waiting folds also where its page comes after the view was opened: %s first",
    async (first) => {
      const pages = createQuietPages();
      const records = createInMemoryPersistence();
      const parent = await writeLane(pages, b, [[said(1, "parent", [], "other")]]);
      const child = await writeLane(pages, a, [[said(2, "child", [idOf(b, 0, 0)])]]);
      const definition = { ...bodies, snapshot: { name: "kept", version: 1 } };
      const before = createReplica(pages, { records });
      await before.open(definition).ready;
      before.deliver(child, 0);
      await before.views.close();
      const replica = createReplica(pages, { records });
      const view = replica.open(definition);
      await view.ready;
      await pages.quiet();
      for (const lane of first === "the child" ? [child, parent] : [parent, child]) {
        expect(view.get("note")).toBeUndefined();
        replica.deliver(lane, 0);
      }
      expect([view.get("note"), view.status("note")]).toEqual([["child"], "ready"]);
      await replica.views.close();
    },
  );

  it("VIEW-13: writing it takes a fiftieth of the time at most", async () => {
    const clock = createManualClock();
    const records = createInMemoryPersistence();
    let writes = 0;
    const replica = createReplica(createQuietPages(), {
      clock,
      records,
      bend(change) {
        writes++;
        clock.advance(100);
        return change;
      },
    });
    const view = replica.open({ ...bodies, snapshot: { name: "kept", version: 1 } });
    await view.ready;
    const lane = await writeLane(createQuietPages(), a, [[said(1, "1")], [said(2, "2")]]);
    replica.deliver(lane, 0);
    clock.advance(1_000);
    await until(() => writes === 2);
    replica.deliver(lane, 1);
    expect(clock.delays()).toEqual([5_000]);
    await replica.views.close();
    expect([writes, clock.delays()]).toEqual([3, []]);
  });

  it("VIEW-13: a database that refuses is told, and the view goes on without it", async () => {
    const records = createInMemoryPersistence();
    const refusing = { ...records, tryLock: () => Promise.reject(new TypeError("no locks here")) };
    const replica = createReplica(createQuietPages(), { records: refusing });
    const view = replica.open({ ...bodies, snapshot: { name: "kept", version: 1 } });
    await view.ready;
    expect(replica.problems.map(({ code }) => code)).toEqual(["crdt/storage-failed"]);
    await replica.views.close();
    expect(() => replica.open(bodies)).toThrow(expect.objectContaining({ code: "crdt/closed" }));
  });

  it("VIEW-14: what is still being read when a view closes is told to nobody, and leaves no timer", async () => {
    const pages = createQuietPages();
    const records = createInMemoryPersistence();
    const lane = await writeLane(pages, a, [
      [said(1, "begun", [], "t"), said(2, "done", [idOf(a, 0, 0)], "t")],
      [said(3, "more", [idOf(a, 0, 1)], "t")],
    ]);
    let isAsked = false;
    let answer: () => void = () => undefined;
    const slow = {
      ...records,
      async open(name: string) {
        const store = await records.open(name);
        return {
          ...store,
          async get(key: string) {
            if (key.includes("archived")) {
              isAsked = true;
              await new Promise<void>((resolve) => {
                answer = resolve;
              });
            }
            return store.get(key);
          },
        };
      },
    };
    const replica = createReplica(pages, { records: slow });
    const view = replica.open({ ...task, snapshot: { name: "tasks", version: 1 } });
    await view.ready;
    replica.deliver(lane, 0);
    replica.mark(lane, 1);
    expect(replica.release(lane, 0)).toBe(true);
    replica.clock.advance(1_000);
    const rows = async () => (await records.open("records")).entries("view/tasks/1/archived/");
    await until(async () => (await rows()).length > 0);
    replica.deliver(lane, 1);
    await until(() => isAsked);
    const heard: unknown[] = [];
    view.subscribe((keys) => heard.push(keys));
    await replica.views.close();
    answer();
    await pages.quiet();
    expect([heard, replica.clock.delays()]).toEqual([[], []]);
  });
});
