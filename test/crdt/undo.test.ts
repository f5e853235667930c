import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import {
  bindState,
  createOrigin,
  list,
  openUndoHistory,
  text,
  type UndoOptions,
} from "../../src/crdt/index.ts";
import { createWrite } from "../../src/crdt/write.ts";

const planner = createOrigin({ agent: "planner", conversation: "c1" });
const critic = createOrigin({ agent: "critic", conversation: "c1" });
const written = createWrite({ local: async () => undefined, relayed: async () => undefined });

/** A document of one text, with a clock that moves past merging at every change. */
function open() {
  const document = new Y.Doc();
  const words = document.getArray<string>("words");
  let now = 0;
  return {
    document,
    words,
    history: (options?: UndoOptions) =>
      openUndoHistory({ document, clock: { now: () => now }, written: () => written }, options),
    say(word: string, origin?: object, { afterMs = 1_000 } = {}) {
      now += afterMs;
      document.transact(() => words.push([word]), origin);
    },
    said: () => words.toArray(),
  };
}

/** An edit of another replica. */
function receive(document: Y.Doc, word: string): void {
  const other = new Y.Doc();
  Y.applyUpdate(other, Y.encodeStateAsUpdate(document));
  other.getArray<string>("words").push([word]);
  Y.applyUpdate(document, Y.encodeStateAsUpdate(other), "elsewhere");
}

describe("the history of changes", () => {
  it("UNDO-1: takes back what one origin did, and leaves what others did in between", () => {
    const { document, history, say, said } = open();
    const [mine, agent, conversation] = [
      history(),
      history({ of: { agent: "planner" } }),
      history({ of: { conversation: "c1" } }),
    ];
    say("mine");
    say("planner", planner);
    receive(document, "remote");
    say("critic", critic);
    say("editor", { some: "binding" });
    expect([mine, agent, conversation].map(({ steps }) => steps.get().undo)).toEqual([2, 1, 2]);
    expect(agent.undo()).toBe(written);
    expect(said()).toEqual(["mine", "remote", "critic", "editor"]);
    expect(agent.undo()).toBeUndefined();
    conversation.undo();
    expect(said()).toEqual(["mine", "remote", "editor"]);
    mine.undo();
    mine.undo();
    expect(said()).toEqual(["remote"]);
  });

  it("UNDO-2: what was undone can be done again until the origin changes something", () => {
    const { history, say, said } = open();
    const mine = history();
    say("one");
    say("two");
    mine.undo();
    expect(mine.steps.get()).toEqual({ undo: 1, redo: 1 });
    say("planner", planner);
    expect(mine.redo()).toBe(written);
    expect([...said()].sort()).toEqual(["one", "planner", "two"]);
    mine.undo();
    say("three");
    expect(mine.redo()).toBeUndefined();
    expect(mine.steps.get()).toEqual({ undo: 2, redo: 0 });
  });

  it("UNDO-3: changes within the merge time are one step, others' in between or not; a split begins another", () => {
    const { history, say, said } = open();
    const mine = history({ mergeMs: 500 });
    say("one");
    say("planner", planner, { afterMs: 100 });
    say("two", undefined, { afterMs: 100 });
    say("three", undefined, { afterMs: 500 });
    expect(mine.steps.get().undo).toBe(2);
    mine.split();
    say("four", undefined, { afterMs: 0 });
    expect(mine.steps.get().undo).toBe(3);
    mine.undo();
    mine.undo();
    mine.undo();
    expect(said()).toEqual(["planner"]);
  });

  it("UNDO-4: another history's undo is nobody's change", () => {
    const { history, say, said } = open();
    const [mine, agent] = [history(), history({ of: { agent: "planner" } })];
    say("planner", planner);
    agent.undo();
    expect(mine.steps.get()).toEqual({ undo: 0, redo: 0 });
    expect(said()).toEqual([]);
  });

  it("UNDO-5: named parts alone are undone, and a closed history does nothing", () => {
    const document = new Y.Doc();
    const state = bindState(
      {
        document,
        transact(change) {
          document.transact(change);
          return written;
        },
      },
      { notes: text(), log: list<string>() },
    );
    const history = openUndoHistory(
      { document, clock: { now: () => 0 }, written: () => written },
      { parts: [state.notes] },
    );
    state.notes.insert(0, "a");
    state.log.push("b");
    history.undo();
    expect([state.notes.get(), state.log.get()]).toEqual(["", ["b"]]);
    history.redo();
    history.close();
    expect(history.undo()).toBeUndefined();
    expect(state.notes.get()).toBe("a");
  });
});
