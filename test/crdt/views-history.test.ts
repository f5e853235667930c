import { describe, expect, it } from "vitest";
import { createInMemoryPersistence, defineView } from "../../src/crdt/index.ts";
import { until } from "../refstore/manual-clock.ts";
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

describe("views over what is sealed", () => {
  it("VIEW-10: a view folds all of history in the background, then is ready, and stays whole as pages go", async () => {
    const pages = createQuietPages();
    const lane = await writeLane(pages, a, [[said(1, "1")], [said(2, "2")], [said(3, "3")]]);
    const replica = createReplica(pages);
    replica.mark(lane, 2);
    replica.deliver(lane, 2);
    const view = replica.open(bodies);
    expect([view.get("note"), view.status("note")]).toEqual([["3"], "loading"]);
    await view.ready;
    expect([view.get("note"), view.status("note")]).toEqual([["1", "2", "3"], "ready"]);
    replica.mark(lane, 3);
    expect(replica.release(lane, 2)).toBe(true);
    expect([view.get("note"), view.entries("note")]).toEqual([["1", "2", "3"], []]);
    await pages.quiet();
    // Nothing is read again of what was live here whole.
    expect(pages.gets).not.toContain(lane.pages[2]?.hash);
  });

  it("VIEW-10: what is out of reach is tried again, and nothing is shown as ready before", async () => {
    const pages = createQuietPages();
    const lane = await writeLane(pages, a, [[said(1, "1")], [said(2, "2")]]);
    pages.isOffline = true;
    const replica = createReplica(pages);
    replica.mark(lane, 1);
    replica.deliver(lane, 1);
    const view = replica.open(bodies);
    await pages.quiet();
    expect(view.status("note")).toBe("loading");
    await expect(view.fetch("note")).rejects.toMatchObject({ code: "refstore/unavailable" });
    pages.isOffline = false;
    replica.reachable.emit();
    await view.ready;
    expect([view.get("note"), replica.problems]).toEqual([["1", "2"], []]);
    await view.close();
    await view.close();
  });

  it("VIEW-10: a view that closes before it is ready says so", async () => {
    const pages = createQuietPages();
    const lane = await writeLane(pages, a, [[said(1, "1")]]);
    pages.isOffline = true;
    const replica = createReplica(pages);
    replica.mark(lane, 1);
    const view = replica.open(bodies);
    await view.close();
    await expect(view.ready).rejects.toMatchObject({ code: "crdt/closed" });
    await expect(view.fetch("note")).rejects.toMatchObject({ code: "crdt/closed" });
    await replica.views.close();
    expect(replica.clock.delays()).toEqual([]);
  });

  it("VIEW-11: a parent that is sealed is read, and its child folds after it", async () => {
    const pages = createQuietPages();
    const old = await writeLane(pages, a, [[said(50, "parent", [], "other")], [said(60, "x", [], "other")]]);
    const young = await writeLane(pages, b, [[said(1, "child", [idOf(a, 0, 0)]), said(20, "plain")]]);
    const replica = createReplica(pages);
    const view = replica.open(bodies, { history: false });
    replica.mark(old, 1);
    replica.deliver(young, 0);
    expect([view.get("note"), view.status("note")]).toEqual([["plain"], "loading"]);
    await until(() => view.status("note") === "ready");
    expect(view.get("note")).toEqual(["plain", "child"]);
    expect(replica.views.order.effectiveOf(idOf(b, 0, 0))).toBe(51);
  });

  it("VIEW-11: a parent past retention, or past the end of its page, is absent; one that may come is awaited", async () => {
    const pages = createQuietPages();
    const old = await writeLane(pages, a, [
      [said(50, "x", [], "other")],
      [said(60, "x", [], "other")],
      [said(70, "x", [], "other")],
    ]);
    const young = await writeLane(pages, b, [
      [
        said(1, "lost", [idOf(a, 0, 0)]),
        said(2, "past", [idOf(a, 1, 5)]),
        said(3, "to come", [idOf(a, 2, 0)]),
      ],
    ]);
    const replica = createReplica(pages);
    const view = replica.open(bodies, { history: false });
    replica.mark(old, 2, { first: 1 });
    replica.deliver(young, 0);
    await until(() => view.status("note") === "waiting");
    expect(view.get("note")).toEqual(["lost", "past"]);
    replica.deliver(old, 2);
    expect([view.get("note"), view.status("note")]).toEqual([["lost", "past", "to come"], "ready"]);
  });

  it("VIEW-11: the page after one says where it ends", async () => {
    const pages = createQuietPages();
    const old = await writeLane(pages, a, [[said(50, "x", [], "other")], [said(60, "x", [], "other")]]);
    const young = await writeLane(pages, b, [[said(1, "past", [idOf(a, 0, 1)])]]);
    const replica = createReplica(pages);
    const view = replica.open(bodies);
    replica.deliver(young, 0);
    expect([view.get("note"), view.status("note")]).toEqual([undefined, "waiting"]);
    replica.deliver(old, 1);
    expect(view.get("note")).toEqual(["past"]);
  });

  it("VIEW-11: a chain of sealed parents of any length is read without recursion", async () => {
    const pages = createQuietPages();
    const length = 3_000;
    const chain = Array.from({ length }, (_, at) =>
      said(1, at, at > 0 ? [idOf(a, Math.floor((at - 1) / 1_000), (at - 1) % 1_000)] : [], "other"),
    );
    const old = await writeLane(pages, a, [
      chain.slice(0, 1_000),
      chain.slice(1_000, 2_000),
      chain.slice(2_000),
    ]);
    const young = await writeLane(pages, b, [[said(1, "end", [idOf(a, 2, 999)])]]);
    const replica = createReplica(pages);
    const view = replica.open(bodies, { history: false });
    replica.mark(old, 3);
    replica.deliver(young, 0);
    await until(() => view.get("note") !== undefined);
    expect(replica.views.order.effectiveOf(idOf(b, 0, 0))).toBe(length + 1);
  });

  it("VIEW-11: sealed parents that were out of reach are read although others are being read when they come into it", async () => {
    const pages = createQuietPages();
    const old = await writeLane(pages, a, [[said(1, "one", [], "other")], [said(2, "two", [], "other")]]);
    const parents = [idOf(a, 1, 0), idOf(a, 0, 0)] as const;
    const young = await writeLane(pages, b, [
      [said(3, "on two", [parents[0]]), said(4, "on one", [parents[1]])],
    ]);
    const get = pages.get;
    let asked = 0;
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    pages.isOffline = true;
    pages.get = async (hash) => {
      if (++asked === 2) await held;
      return get(hash);
    };
    const replica = createReplica(pages);
    const view = replica.open(bodies, { history: false });
    replica.mark(old, 2);
    replica.deliver(young, 0);
    await until(() => asked === 2);
    pages.isOffline = false;
    replica.reachable.emit();
    letGo();
    await until(() => view.get("note")?.length === 2);
    expect(view.get("note")).toEqual(["on two", "on one"]);
  });

  it("VIEW-12: pages of open keys are held; closed keys leave memory with them, and are found again", async () => {
    const pages = createQuietPages();
    const lane = await writeLane(pages, a, [
      [said(1, "begun", [], "t1")],
      [said(2, "done", [idOf(a, 0, 0)], "t1")],
      [said(3, "revised", [idOf(a, 1, 0)], "t1")],
    ]);
    const replica = createReplica(pages);
    const view = replica.open(task);
    replica.deliver(lane, 0);
    replica.mark(lane, 1);
    expect([replica.release(lane, 0), view.get("t1")]).toEqual([false, ["begun"]]);
    replica.deliver(lane, 1);
    expect(replica.release(lane, 0)).toBe(true);
    expect(view.get("t1")).toEqual(["begun", "done"]);
    replica.mark(lane, 2);
    replica.release(lane, 1);
    expect([[...view.keys()], view.get("t1"), view.status("t1")]).toEqual([[], undefined, undefined]);
    expect(await view.fetch("t1")).toEqual(["begun", "done"]);
    expect(await view.fetch("t2")).toBeUndefined();
    const heard: unknown[] = [];
    view.onChange(({ before, after }) => heard.push([before, after]));
    replica.deliver(lane, 2);
    expect(view.status("t1")).toBe("loading");
    await until(() => view.status("t1") === "ready");
    expect(view.get("t1")).toEqual(["begun", "done", "revised"]);
    expect(heard).toEqual([
      [
        ["begun", "done"],
        ["begun", "done", "revised"],
      ],
    ]);
  });

  it("VIEW-12: a view with no word on closing holds nothing", async () => {
    const pages = createQuietPages();
    const lane = await writeLane(pages, a, [[said(1, "1")], [said(2, "2")]]);
    const replica = createReplica(pages);
    const list = replica.open(bodies, { history: false });
    const all = replica.open(bodies);
    replica.deliver(lane, 0);
    replica.deliver(lane, 1);
    replica.mark(lane, 1);
    expect(replica.release(lane, 0)).toBe(true);
    expect(list.entries("note").map(({ body }) => body)).toEqual(["2"]);
    expect(all.get("note")).toEqual(["1", "2"]);
  });
});

describe("snapshots", () => {
  const kept = { ...bodies, snapshot: { name: "kept", version: 1 } };

  async function world() {
    const pages = createQuietPages();
    const records = createInMemoryPersistence();
    const lane = await writeLane(pages, a, [
      [said(10, "1"), said(20, "2")],
      [said(30, "3")],
      [said(5, "late")],
    ]);
    const steps: unknown[] = [];
    const counted = {
      ...kept,
      step(state: readonly unknown[], entry: Parameters<typeof bodies.step>[1]) {
        steps.push(entry.body);
        return bodies.step(state, entry);
      },
    };
    return { pages, records, lane, steps, counted };
  }

  it("VIEW-13: opening folds only what is newer; a late entry folds its key anew", async () => {
    const { pages, records, lane, steps, counted } = await world();
    const first = createReplica(pages, { records });
    first.deliver(lane, 0);
    const before = first.open(counted);
    await before.ready;
    await first.views.close();
    steps.length = 0;
    const second = createReplica(pages, { records });
    second.deliver(lane, 0);
    second.deliver(lane, 1);
    const view = second.open(counted);
    await view.ready;
    expect([view.get("note"), steps]).toEqual([["1", "2", "3"], ["3"]]);
    expect(view.entries("note").map(({ body }) => body)).toEqual(["1", "2", "3"]);
    second.deliver(lane, 2);
    await until(() => view.status("note") === "ready");
    expect(view.get("note")).toEqual(["late", "1", "2", "3"]);
    await second.views.close();
  });

  it("VIEW-13: it is written some time after a change, not only at the close", async () => {
    const { pages, records, lane, steps, counted } = await world();
    const first = createReplica(pages, { records });
    const before = first.open(counted);
    await before.ready;
    first.deliver(lane, 0);
    first.clock.advance(1_000);
    const rows = async () => (await records.open("records")).entries("view/kept/1/live/=");
    await until(async () => (await rows()).length > 0);
    // The tab died: its lock goes with it.
    const second = createReplica(pages, { records: { ...records, tryLock: async () => () => undefined } });
    second.deliver(lane, 0);
    steps.length = 0;
    const view = second.open(counted);
    await view.ready;
    expect([view.get("note"), steps]).toEqual([["1", "2"], []]);
    await first.views.close();
    await second.views.close();
  });

  it.each([
    ["another version", { name: "kept", version: 2 }, undefined],
    ["one that cannot be read", { name: "kept", version: 1 }, { end: "nowhere" }],
  ])("VIEW-13: %s is dropped, and all is folded anew", async (_, snapshot, broken) => {
    const { pages, records, lane, steps, counted } = await world();
    const first = createReplica(pages, { records });
    first.deliver(lane, 0);
    await first.open(counted).ready;
    await first.views.close();
    const store = await records.open("records");
    if (broken) await store.write({ put: [["view/kept/1/live/=note", broken]] });
    steps.length = 0;
    const second = createReplica(pages, { records });
    second.deliver(lane, 0);
    const view = second.open({ ...counted, snapshot });
    await view.ready;
    expect([view.get("note"), steps]).toEqual([
      ["1", "2"],
      ["1", "2"],
    ]);
    await second.views.close();
    const rows = (await store.entries("view/kept/")).map(([key]) => key.split("/")[2]);
    expect(new Set(rows)).toEqual(new Set([String(snapshot.version)]));
  });

  it("VIEW-13: a state that is no plain JSON is told, and not kept", async () => {
    const { pages, records, lane } = await world();
    const replica = createReplica(pages, { records });
    replica.deliver(lane, 0);
    const view = replica.open<Date>({
      key: () => "date",
      init: () => new Date(0),
      step: () => new Date(1),
      snapshot: { name: "dates", version: 1 },
    });
    await view.ready;
    await view.close();
    expect(replica.problems.map(({ code, details }) => [code, details.what])).toEqual([
      ["crdt/view-failed", "snapshot"],
    ]);
    expect(await (await records.open("records")).entries("view/dates/1/")).toEqual([]);
    await replica.views.close();
  });

  it("VIEW-13: of two tabs one writes, and closed keys are found in the snapshot", async () => {
    const pages = createQuietPages();
    const records = createInMemoryPersistence();
    const lane = await writeLane(pages, a, [
      [said(1, "begun", [], "t1"), said(2, "done", [idOf(a, 0, 0)], "t1")],
      [said(3, "x", [], "other")],
    ]);
    const definition = { ...task, snapshot: { name: "tasks", version: 1 } };
    const tabs = [createReplica(pages, { records }), createReplica(pages, { records })] as const;
    for (const tab of tabs) {
      tab.deliver(lane, 0);
      await tab.open(definition).ready;
      tab.mark(lane, 1);
      expect(tab.release(lane, 0)).toBe(true);
    }
    for (const tab of tabs) await tab.views.close();
    const later = createReplica(pages, { records });
    later.mark(lane, 1);
    later.deliver(lane, 1);
    const view = later.open(definition);
    await view.ready;
    pages.isOffline = true;
    expect([view.get("t1"), await view.fetch("t1")]).toEqual([undefined, ["begun", "done"]]);
    await later.views.close();
  });

  it("VIEW-13: a name that is no id is refused", () => {
    const { open } = createReplica(createQuietPages());
    expect(() => open({ ...bodies, snapshot: { name: "a/b", version: 1 } })).toThrow(
      expect.objectContaining({ code: "base/invalid-id" }),
    );
  });
});
