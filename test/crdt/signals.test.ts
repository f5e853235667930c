import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { openPresence } from "../../src/crdt/presence.ts";
import { createSignals, type Signal } from "../../src/crdt/signals.ts";
import { encodeSignal, type Presence } from "../../src/protocol/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";
import { settle } from "./fake-relay.ts";
import { online } from "./link-harness.ts";

const own = "AAAAAAAAAAA";
const other = "BBBBBBBBBBB";
const me = "ann.planner.x7";
const ben = "ben.critic.y8";
const cem = "cem.critic.z9";

const presence = (writers: readonly string[], session = other): Presence => ({
  session,
  writers: [...writers],
  awareness: null,
});
const entry = (id: number, state: Presence | undefined) => ({
  id,
  clock: 1,
  state: state && JSON.stringify(state),
});
const bytesOf = (signal: Signal): Uint8Array => encodeSignal(signal) as Uint8Array;

/** Signals of a replica in which `me` is open; what it sends is listed as `relay 7` or `tab B`. */
function setUp({ relay = true, tabs = true } = {}) {
  const board = openPresence({ session: own, clock: createManualClock(), announce: () => undefined });
  onTestFinished(() => board.close());
  const sent: string[] = [];
  const heard: Signal[] = [];
  const signals = createSignals({
    presence: board,
    link: {
      signal(to) {
        if (relay) sent.push(`relay ${to}`);
        return relay;
      },
    },
    tabs: () => (tabs ? { signal: (to) => void sent.push(`tab ${to[0]}`) } : undefined),
    isHere: (writer) => writer === me,
  });
  signals.received.on((signal) => heard.push(signal));
  return { board, signals, sent, heard };
}

const toBen = { from: me, to: ben, body: "hello" } satisfies Signal;
const toMe = { from: ben, to: me, body: "hello" } satisfies Signal;

describe("sending", () => {
  it("SIG-3: a signal goes by the relay to the newest connection of the replica in which the writer is open", () => {
    const { board, signals, sent } = setUp();
    board.heardRelay([entry(9, presence([ben])), entry(7, presence([ben])), entry(12, presence([cem]))]);
    board.heardTab(presence([ben]));
    expect([signals.send(toBen), sent]).toEqual([true, ["relay 9"]]);
    board.heardRelay([entry(9, undefined)]);
    expect([signals.send(toBen), sent.at(-1)]).toEqual([true, "relay 7"]);
  });

  it("SIG-3: a tab carries it where the relay cannot", () => {
    const silent = setUp({ relay: false });
    silent.board.heardRelay([entry(9, presence([ben]))]);
    expect(silent.signals.send(toBen)).toBe(false);
    silent.board.heardTab(presence([ben], "CCCCCCCCCCC"));
    expect([silent.signals.send(toBen), silent.sent]).toEqual([true, ["tab C"]]);
    const { board, signals, sent } = setUp();
    board.heardTab(presence([ben]));
    board.heardRelay([entry(9, presence([cem]))]);
    expect([signals.send(toBen), sent]).toEqual([true, ["tab B"]]);
  });

  it("SIG-3: it is false for who is not within reach, is here, or for whom a writer speaks that is not", () => {
    const { board, signals, sent } = setUp({ tabs: false });
    expect(signals.send(toBen)).toBe(false);
    board.heardTab(presence([ben]));
    expect(signals.send(toBen)).toBe(false);
    board.heardRelay([entry(9, presence([ben, me]))]);
    expect(signals.send({ ...toBen, to: me })).toBe(false);
    expect(signals.send({ ...toBen, from: cem })).toBe(false);
    expect(signals.send({ ...toBen, body: "x".repeat(17_000) })).toBe(false);
    board.lostRelay();
    expect(signals.send(toBen)).toBe(false);
    expect(sent).toEqual([]);
  });
});

describe("hearing", () => {
  it("SIG-4: a writer speaks from where it is open, by its presence, to one that is open here", () => {
    const { board, signals, heard } = setUp();
    board.heardRelay([entry(9, presence([ben]))]);
    board.heardTab(presence([cem], "CCCCCCCCCCC"));
    signals.heardRelay(9, bytesOf(toMe));
    signals.heardTab("CCCCCCCCCCC", bytesOf({ ...toMe, from: cem }));
    expect(heard).toEqual([toMe, { ...toMe, from: cem }]);
  });

  it.each<[string, number | string, Signal]>([
    ["another's words", 9, { ...toMe, from: cem }],
    ["the words of one who is open here", 9, { ...toMe, from: me }],
    ["the words of a presence that nobody told of", 8, toMe],
    ["the words of a presence that has left", 12, { ...toMe, from: cem }],
    ["what is for another", 9, { ...toMe, to: cem }],
    ["another tab's words", "CCCCCCCCCCC", toMe],
    ["the words of a tab that nobody heard of", other, toMe],
  ])("SIG-4: %s are dropped in silence", (_, place, signal) => {
    const { board, signals, heard } = setUp();
    board.heardRelay([entry(9, presence([ben])), entry(12, presence([cem])), entry(12, undefined)]);
    board.heardTab(presence([], "CCCCCCCCCCC"));
    if (typeof place === "number") signals.heardRelay(place, bytesOf(signal));
    else signals.heardTab(place, bytesOf(signal));
    expect(heard).toEqual([]);
  });

  it("SIG-4: a stock client's presence speaks for nobody, and neither does one without form", () => {
    const { board, signals, heard } = setUp();
    board.heardRelay([
      { id: 9, clock: 1, state: JSON.stringify({ writers: [ben] }) },
      { id: 10, clock: 1, state: "{" },
    ]);
    for (const id of [9, 10]) signals.heardRelay(id, bytesOf(toMe));
    expect(heard).toEqual([]);
  });

  it("SIG-2: garbage from the relay or a tab is dropped, whatever its bytes, and the next signal is heard", () => {
    const { board, signals, heard } = setUp();
    board.heardRelay([entry(9, presence([ben]))]);
    board.heardTab(presence([ben]));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        signals.heardRelay(9, bytes);
        signals.heardTab(other, bytes);
      }),
      { numRuns: 1_000 },
    );
    expect(heard).toEqual([]);
    signals.heardRelay(9, bytesOf(toMe));
    expect(heard).toEqual([toMe]);
  });
});

describe("signals on the link", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const signalled = { type: "signal", to: 9, bytes };

  it("SIG-5: one goes out in the turn in which it was said, in one frame with what else that turn says", async () => {
    const { relay, link } = online();
    const before = relay.last.frames.length;
    expect(link.signal(9, bytes)).toBe(true);
    link.announce("{}");
    await Promise.resolve();
    expect(relay.last.frames.slice(before)).toEqual([[signalled, { type: "presence", state: "{}" }]]);
  });

  it("SIG-5: without a connection, a join or the scope it cannot be sent", async () => {
    const { relay, link } = online();
    relay.last.send({
      type: "granted",
      principal: "anon",
      scopes: ["read", "write:own"],
      expiresAt: undefined,
    });
    expect(link.signal(9, bytes)).toBe(false);
    link.rejoin();
    expect(link.signal(9, bytes)).toBe(false);
    await settle();
    expect(relay.sockets.flatMap(({ sent }) => sent).filter(({ type }) => type === "signal")).toEqual([]);
  });

  it("SIG-5: what others signalled is told with whom the relay names, whatever it holds", () => {
    const { relay, heard, problems, link } = online();
    for (const garbage of [new Uint8Array(), Uint8Array.of(255, 0), new Uint8Array(20_000)]) {
      relay.last.send({ type: "signalled", from: 4, bytes: garbage });
    }
    relay.last.send({ type: "signalled", from: 9, bytes });
    expect([heard.length, heard.at(-1), problems, link.status.get()]).toEqual([
      4,
      "signalled 9 1,2,3",
      [],
      "online",
    ]);
  });
});
