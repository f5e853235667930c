import { describe, expect, it, onTestFinished } from "vitest";
import { openPresence } from "../../src/crdt/presence.ts";
import type { Presence } from "../../src/protocol/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";

const own = "AAAAAAAAAAA";
const other = "BBBBBBBBBBB";

function setUp() {
  const clock = createManualClock();
  const announced: Presence[] = [];
  const board = openPresence({ session: own, clock, announce: (presence) => announced.push(presence) });
  onTestFinished(() => board.close());
  const states = () => [...board.awareness.states.values()].filter((state) => Object.keys(state).length > 0);
  return { board, clock, announced, states };
}

const presence = (name: string, session = other): Presence => ({
  session,
  writers: [`anon.${name}.x7`],
  awareness: { user: { name } },
});
const entry = (id: number, state: object | undefined) => ({
  id,
  clock: 1,
  state: state && JSON.stringify(state),
});

describe("presence", () => {
  it("AWARE-1: changes of one's own are announced together, and those of others never", () => {
    const { board, clock, announced } = setUp();
    board.awareness.setLocalStateField("user", { name: "Ann" });
    board.awareness.setLocalStateField("cursor", 3);
    board.setWriters(["anon.planner.x7"]);
    expect(announced).toEqual([]);
    clock.advance(30);
    expect(announced).toEqual([
      { session: own, writers: ["anon.planner.x7"], awareness: { user: { name: "Ann" }, cursor: 3 } },
    ]);
    board.heardRelay([entry(7, presence("ben"))]);
    board.heardTab(presence("cem", "CCCCCCCCCCC"));
    clock.advance(1_000);
    expect(announced).toHaveLength(1);
  });

  it("AWARE-2: who comes through the relay is shown, changes, and leaves", () => {
    const { board, states } = setUp();
    const told: number[] = [];
    board.others.subscribe((others) => told.push(others.length));
    board.heardRelay([entry(7, presence("ben"))]);
    expect([states(), board.others.get()]).toEqual([[{ user: { name: "ben" } }], [presence("ben")]]);
    board.heardRelay([entry(7, { ...presence("ben"), awareness: { user: { name: "Ben" } } })]);
    expect(states()).toEqual([{ user: { name: "Ben" } }]);
    board.heardRelay([entry(7, undefined)]);
    expect([states(), board.others.get(), told]).toEqual([[], [], [1, 1, 0]]);
  });

  it("AWARE-3: one session that comes through the relay and a tab is here once", () => {
    const { board, states } = setUp();
    board.heardTab(presence("ben"));
    board.heardRelay([entry(7, presence("ben"))]);
    expect([states().length, board.others.get().length]).toEqual([1, 1]);
    board.heardTab(presence("ben"));
    expect([states().length, board.others.get().length]).toEqual([1, 1]);
    board.lostRelay();
    expect([states(), board.others.get()]).toEqual([[{ user: { name: "ben" } }], [presence("ben")]]);
    board.lostTab(other);
    board.lostTab(other);
    expect([states(), board.others.get()]).toEqual([[], []]);
  });

  it("AWARE-3: a tab that leaves is still here while the relay says so", () => {
    const { board, states } = setUp();
    board.heardTab(presence("ben"));
    board.heardRelay([entry(7, presence("ben"))]);
    board.lostTab(other);
    expect([states().length, board.others.get().length]).toEqual([1, 1]);
  });

  it("AWARE-4: a connection of one's own that the relay still shows is nobody else", () => {
    const { board, states } = setUp();
    board.heardRelay([entry(7, presence("me", own))]);
    expect([states(), board.others.get()]).toEqual([[], []]);
  });

  it("AWARE-5: a stock client's state is its awareness; what is no object shows nothing", () => {
    const { board, states } = setUp();
    board.heardRelay([entry(8, { user: { name: "stock" } })]);
    board.heardRelay([
      { id: 9, clock: 1, state: "{" },
      { id: 10, clock: 1, state: "[1]" },
    ]);
    board.heardRelay([{ id: 11, clock: 1, state: '{"__proto__":{"isAdmin":true}}' }]);
    expect([states(), board.others.get()]).toEqual([[{ user: { name: "stock" } }], []]);
  });

  it("AWARE-7: who takes another's session hides nobody, whether it names writers of its own or none", () => {
    const { board } = setUp();
    const honest = { ...presence("ben"), writers: ["ben.planner.x7"] };
    const hijack = { ...honest, writers: ["mallory.agent.z9"] };
    board.heardRelay([entry(7, honest), entry(8, hijack), entry(9, { ...honest, writers: [] })]);
    expect(board.others.get()).toEqual([honest, hijack]);
    board.heardRelay([entry(7, { ...honest, writers: ["ben.planner.x7", "ben.critic.y8"] })]);
    expect(board.others.get().flatMap(({ writers }) => writers)).toContain("ben.critic.y8");
    board.heardRelay([entry(7, undefined), entry(8, undefined)]);
    expect(board.others.get()).toEqual([{ ...honest, writers: [] }]);
  });

  it("AWARE-3: of two connections of a session the newer word counts", () => {
    const { board } = setUp();
    board.heardRelay([
      entry(7, presence("ben")),
      entry(8, { ...presence("ben"), writers: ["anon.ben.new"] }),
    ]);
    expect(board.others.get().map(({ writers }) => writers)).toEqual([["anon.ben.new"]]);
  });

  it("AWARE-6: closing leaves no timer and announces nothing more", () => {
    const { board, clock, announced } = setUp();
    board.awareness.setLocalStateField("user", 1);
    board.close();
    clock.advance(1_000);
    expect([announced, clock.delays()]).toEqual([[], []]);
  });
});
