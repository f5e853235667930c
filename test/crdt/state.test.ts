import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import * as z from "zod/mini";
import { bindState, list, map, type StateSchema, table, text } from "../../src/crdt/index.ts";
import { createWrite } from "../../src/crdt/write.ts";
import { emptyUpdate, gateLimits, rootPlace, scanUpdate } from "../../src/protocol/index.ts";

const finding = z.object({ id: z.string(), score: z.number() });
const schema = {
  notes: text(),
  board: map(),
  scores: map(z.number()),
  log: list(),
  names: list(z.string()),
  findings: table(finding, { key: "id" }),
};

function bind<S extends StateSchema>(declared: S, document = new Y.Doc()) {
  const write = createWrite({ local: async () => undefined, relayed: async () => undefined });
  const state = bindState(
    {
      document,
      transact(change) {
        document.transact(change);
        return write;
      },
    },
    declared,
  );
  return { state, document };
}

/** Another replica, after it has heard everything. */
const replica = (document: Y.Doc) => {
  const other = new Y.Doc();
  Y.applyUpdate(other, Y.encodeStateAsUpdate(document));
  return other;
};

const invalid = expect.objectContaining({ code: "crdt/invalid-value" });

describe("state handles", () => {
  it("STATE-3: what is written is read, here and at every replica; binding writes nothing", () => {
    const { state, document } = bind(schema);
    expect(Y.encodeStateAsUpdate(document)).toEqual(emptyUpdate);
    state.notes.insert(0, "hello");
    state.notes.delete(0, 1);
    state.board.set("a", { deep: [1, null] });
    state.board.set("b", 1);
    state.board.delete("b");
    state.log.push(1, "two", [3]);
    state.log.insert(1, { between: true });
    state.log.delete(0);
    state.findings.set({ id: "b", score: 2 });
    state.findings.set({ id: "a", score: 1 });
    state.findings.set({ id: "b", score: 3 });
    for (const read of [state, bind(schema, replica(document)).state]) {
      expect(read.notes.get()).toBe("ello");
      expect({ ...read.board.get() }).toEqual({ a: { deep: [1, null] } });
      expect(read.log.get()).toEqual([{ between: true }, "two", [3]]);
      expect(read.findings.get()).toEqual([
        { id: "a", score: 1 },
        { id: "b", score: 3 },
      ]);
      expect(read.findings.row("b")).toEqual({ id: "b", score: 3 });
      expect(read.findings.row("c")).toBeUndefined();
    }
  });

  it("STATE-4: a snapshot is frozen, and the same object until something changes", () => {
    const { state } = bind(schema);
    state.board.set("a", { list: [1] });
    state.log.push({ a: 1 });
    state.findings.set({ id: "a", score: 1 });
    for (const handle of [state.board, state.log, state.findings]) {
      const snapshot = handle.get();
      expect(handle.get()).toBe(snapshot);
      expect(Object.isFrozen(snapshot)).toBe(true);
      for (const value of Object.values(snapshot)) expect(Object.isFrozen(value)).toBe(true);
    }
    const before = state.board.get();
    expect(() => {
      (before["a"] as { list: number[] }).list.push(2);
    }).toThrow(TypeError);
    state.board.set("b", 1);
    expect(state.board.get()).not.toBe(before);
    expect(Object.keys(before)).toEqual(["a"]);
  });

  it("STATE-4: what was written stays as it was when the writer changes its own object", () => {
    const { state } = bind(schema);
    const mine = { tags: ["a"] };
    state.board.set("k", mine);
    const snapshot = state.board.get();
    mine.tags.push("b");
    state.board.set("other", 1);
    expect(snapshot["k"]).toEqual({ tags: ["a"] });
    expect(state.board.get()["k"]).toEqual({ tags: ["a"] });
  });

  it("STATE-5: subscribers hear each change once, a transaction as one", () => {
    const { state, document } = bind(schema);
    const heard: unknown[] = [];
    const undo = state.board.subscribe((value) => heard.push({ ...value }));
    document.transact(() => {
      state.board.set("a", 1);
      state.board.set("b", 2);
    });
    expect(heard).toEqual([{ a: 1, b: 2 }]);
    undo();
    state.board.set("c", 3);
    expect(heard).toHaveLength(1);
  });

  it("STATE-6: a selector tells its own changes only, and gives one object until then", () => {
    const { state } = bind(schema);
    state.findings.set({ id: "a", score: 1 });
    const best = state.findings.select((rows) => Math.max(...rows.map(({ score }) => score)));
    const ids = state.findings.select((rows) => rows.map(({ id }) => id));
    expect(ids.get()).toBe(ids.get());
    const heard: number[] = [];
    best.subscribe((score) => heard.push(score));
    state.findings.set({ id: "b", score: 0 });
    state.findings.set({ id: "c", score: 5 });
    state.findings.set({ id: "d", score: 5 });
    expect([heard, best.get(), ids.get()]).toEqual([[5], 5, ["a", "b", "c", "d"]]);
  });

  it.each<[string, (state: ReturnType<typeof bind<typeof schema>>["state"]) => unknown]>([
    ["a value that its schema refuses", (state) => state.scores.set("a", "one" as never)],
    ["a row that its schema refuses", (state) => state.findings.set({ id: "a" } as never)],
    ["a row without a key", (state) => state.findings.set({ id: "", score: 1 })],
    ["a row with a key that is a prototype", (state) => state.findings.set({ id: "__proto__", score: 1 })],
    ["a key that is a prototype", (state) => state.board.set("__proto__", 1)],
    ["a date", (state) => state.board.set("a", new Date(0) as never)],
    ["an undefined field", (state) => state.log.push({ a: undefined } as never)],
    ["a value with a __proto__ key", (state) => state.log.push(JSON.parse('{"__proto__":1}'))],
    ["one wrong value among good ones", (state) => state.names.push("a", 7 as never)],
    ["an index past the end", (state) => state.log.insert(1, "x")],
    ["a negative index", (state) => state.log.delete(-1)],
    ["half an index", (state) => state.log.insert(0.5, "x")],
    ["a length past the end", (state) => state.log.delete(0, 1)],
  ])("STATE-7: %s is refused with a code, and nothing is written", (_, write) => {
    const { state, document } = bind(schema);
    expect(() => write(state)).toThrow(invalid);
    expect(Y.encodeStateAsUpdate(document)).toEqual(emptyUpdate);
  });

  it("STATE-7: an asynchronous schema is refused", () => {
    const slow = {
      "~standard": { version: 1, vendor: "test", validate: async (value: unknown) => ({ value }) },
    } as const;
    const { state } = bind({ board: map(slow) });
    expect(() => state.board.set("a", 1)).toThrow(invalid);
  });

  it("STATE-8: what others wrote and does not fit is left out, whatever it is", () => {
    const { state, document } = bind(schema);
    const foreign = new Y.Doc();
    foreign.getMap("scores").set("bad", "text");
    foreign.getMap("scores").set("good", 1);
    foreign.getMap("board").set("bytes", new Uint8Array([1]));
    foreign.getMap("board").set("good", "yes");
    foreign.getMap("findings").set("a", { id: "a", score: 1 });
    foreign.getMap("findings").set("b", { id: "another key", score: 1 });
    foreign.getMap("findings").set("c", { id: "c" });
    foreign.getMap("findings").set("d", null);
    foreign.getMap("findings").set("e", new Y.Text("e"));
    foreign.getArray("log").push([1, new Uint8Array([2]), { big: 1n }, "three"]);
    foreign.getArray("names").push(["a", 7]);
    Y.applyUpdate(document, Y.encodeStateAsUpdate(foreign));
    expect({ ...state.scores.get() }).toEqual({ good: 1 });
    expect({ ...state.board.get() }).toEqual({ good: "yes" });
    expect(state.findings.get()).toEqual([{ id: "a", score: 1 }]);
    expect(state.findings.row("b")).toBeUndefined();
    expect(state.log.get()).toEqual([1, "three"]);
    expect(state.names.get()).toEqual(["a"]);
  });

  it("STATE-8: a nested Yjs type is read as its contents, and can be edited on", () => {
    const { state, document } = bind(schema);
    const nested = new Y.Map();
    state.board.y.set("nested", nested);
    nested.set("inner", new Y.Text("hi"));
    expect({ ...state.board.get() }).toEqual({ nested: { inner: "hi" } });
    (nested.get("inner") as Y.Text).insert(2, "!");
    nested.set("more", 1);
    expect({ ...state.board.get() }).toEqual({ nested: { inner: "hi!", more: 1 } });
    expect({ ...bind(schema, replica(document)).state.board.get() }).toEqual({
      nested: { inner: "hi!", more: 1 },
    });
  });

  it("STATE-8: a type of another kind under a known name reads as nothing", () => {
    const { state, document } = bind(schema);
    const foreign = new Y.Doc();
    foreign.getArray("board").push([1]);
    foreign.getMap("log").set("a", 1);
    foreign.getMap("notes").set("a", 1);
    Y.applyUpdate(document, Y.encodeStateAsUpdate(foreign));
    expect([{ ...state.board.get() }, state.log.get(), state.notes.get()]).toEqual([{}, [], ""]);
  });

  it("STATE-9: everything that a handle lets through passes the gate", () => {
    const value = fc
      .jsonValue({ maxDepth: 6 })
      .filter((drawn) => !JSON.stringify(drawn).includes("__proto__"));
    let deep: unknown = 1;
    for (let level = 0; level < gateLimits.valueDepth; level++) deep = level % 2 ? [deep] : { a: deep };
    const written = (change: (state: ReturnType<typeof bind<typeof schema>>["state"]) => void) => {
      const { state, document } = bind(schema);
      change(state);
      const context = { clockOf: () => 0, placeOf: () => rootPlace };
      expect(scanUpdate(Y.encodeStateAsUpdate(document), { profile: "shared", context })).toMatchObject({
        ok: true,
      });
    };
    written((state) => state.board.set("deep", deep as never));
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), value, fc.string({ unit: "binary" }), (key, json, typed) => {
        fc.pre(key !== "__proto__");
        written((state) => {
          state.board.set(key, json as never);
          state.log.push(json as never, typed);
          state.notes.insert(0, typed);
        });
      }),
      { numRuns: 200 },
    );
  });

  it("STATE-10: a name that is no id is refused", () => {
    for (const name of ["", "a b", "a.b", "__proto__", "x".repeat(65)]) {
      const declared = Object.fromEntries([[name, text()]]);
      expect(() => bind(declared)).toThrow(expect.objectContaining({ code: "crdt/invalid-state" }));
    }
    expect(Object.isFrozen(bind(schema).state)).toBe(true);
  });
});
