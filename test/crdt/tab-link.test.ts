import { describe, expect, it } from "vitest";
import { openTabLink } from "../../src/crdt/transports/tab-link.ts";
import type { Presence } from "../../src/protocol/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";

/** A BroadcastChannel whose messages arrive at once, cloned as a browser clones them. */
function createBus() {
  const ends = new Set<(message: unknown) => void>();
  const posted: unknown[] = [];
  return {
    posted,
    ends,
    post(message: unknown, from?: (message: unknown) => void) {
      posted.push(message);
      for (const end of [...ends]) if (end !== from) end(structuredClone(message));
    },
    open(onMessage: (message: unknown) => void) {
      ends.add(onMessage);
      return {
        post: (message: unknown) => this.post(message, onMessage),
        close: () => void ends.delete(onMessage),
      };
    },
  };
}

const bytes = (...values: number[]) => new Uint8Array(values);

function openTab(
  bus: ReturnType<typeof createBus>,
  session: string,
  documents: Record<string, Uint8Array> = {},
  isCaughtUp = true,
) {
  const clock = createManualClock();
  const heard: string[] = [];
  const own: Presence = { session, writers: [], awareness: null };
  const link = openTabLink({
    name: "room",
    session,
    clock,
    openChannel: (_, onMessage) => bus.open(onMessage),
    events: {
      have: () => Object.entries(documents),
      *lacks(others) {
        for (const [name, update] of Object.entries(documents)) if (!others.has(name)) yield [name, update];
      },
      received: (name, update) => heard.push(`received ${name} ${update.join()}`),
      presence: (presence) => heard.push(`presence ${presence.session[0]}`),
      signalled: (from, signal) => heard.push(`signalled ${from[0]} ${signal.join()}`),
      left: (other) => heard.push(`left ${other[0]}`),
      own: () => own,
      answered: (byCaughtUp) => heard.push(byCaughtUp ? "answered" : "answered in vain"),
      isCaughtUp: () => isCaughtUp,
    },
  });
  return { link, clock, heard };
}

const a = "AAAAAAAAAAA";
const b = "BBBBBBBBBBB";
const c = "CCCCCCCCCCC";

describe("tabs", () => {
  it("TAB-1: a new tab and those that are there give each other what they lack, and say who they are", () => {
    const bus = createBus();
    const first = openTab(bus, a, { "lane/a": bytes(1), both: bytes(9) });
    const second = openTab(bus, b, { "lane/b": bytes(2), both: bytes(9) });
    expect(second.heard).toContain("received lane/a 1");
    expect(second.heard.filter((event) => event.startsWith("received"))).toHaveLength(1);
    expect(second.heard).toContain("answered");
    expect(first.heard).toEqual(expect.arrayContaining(["received lane/b 2", "presence B"]));
    expect(first.heard.filter((event) => event.startsWith("received"))).toHaveLength(1);
    expect(second.heard).toContain("presence A");
  });

  it("TAB-1: answers are for the tab that asked; updates are for all", () => {
    const bus = createBus();
    const first = openTab(bus, a, { x: bytes(1) });
    const second = openTab(bus, b, { x: bytes(1) });
    const third = openTab(bus, c);
    expect(second.heard.filter((event) => event.startsWith("received"))).toEqual([]);
    expect(third.heard.filter((event) => event === "received x 1").length).toBeGreaterThan(0);
    first.link.publish("y", bytes(7));
    expect([second.heard.at(-1), third.heard.at(-1)]).toEqual(["received y 7", "received y 7"]);
  });

  it("TAB-6: a signal reaches the tab that it is for, at once, and no other", () => {
    const bus = createBus();
    const [first, second, third] = [openTab(bus, a), openTab(bus, b), openTab(bus, c)];
    for (const { heard } of [first, second, third]) heard.length = 0;
    first.link.signal(b, bytes(1, 2));
    expect([first.heard, second.heard, third.heard]).toEqual([[], ["signalled A 1,2"], []]);
  });

  it("TAB-5: an answer says whether its tab has caught up itself; one of an older version has not", () => {
    const bus = createBus();
    openTab(bus, a, {}, false);
    const second = openTab(bus, b);
    expect(second.heard.filter((event) => event.startsWith("answered"))).toEqual(["answered in vain"]);
    second.heard.length = 0;
    bus.post({ type: "answered", from: c, to: b });
    bus.post({ type: "answered", from: c, to: b, caughtUp: true });
    expect(second.heard).toEqual(["answered in vain", "answered"]);
  });

  it("TAB-2: what is no message of this version is not heard, nor are one's own", () => {
    const bus = createBus();
    const tab = openTab(bus, a);
    tab.heard.length = 0;
    for (const message of [
      undefined,
      null,
      "have",
      { type: "have" },
      { type: "shout", from: b },
      { type: "update", from: b, name: "x", update: [1, 2] },
      { type: "update", from: b, name: "x".repeat(500), update: bytes(1) },
      { type: "update", from: "not a session", name: "x", update: bytes(1) },
      { type: "update", from: b, to: c, name: "x", update: bytes(1) },
      { type: "answered", from: b, to: c },
      { type: "signal", from: b, bytes: bytes(1) },
      { type: "signal", from: b, to: c, bytes: bytes(1) },
      { type: "signal", from: b, to: a, bytes: [1] },
      { type: "presence", from: b, presence: { session: b } },
      { type: "presence", from: b, presence: { session: b, writers: [], awareness: [] } },
      { type: "update", from: a, name: "x", update: bytes(1) },
    ]) {
      bus.post(message);
    }
    expect(tab.heard).toEqual([]);
  });

  it("TAB-3: a tab that closes says so; one that crashes is gone after two probes that it does not answer", () => {
    const bus = createBus();
    const first = openTab(bus, a);
    const second = openTab(bus, b);
    first.heard.length = 0;
    second.link.close();
    expect(first.heard).toEqual(["left B"]);
    bus.post({ type: "presence", from: c, presence: { session: c, writers: [], awareness: null } });
    first.heard.length = 0;
    first.clock.advance(19_000);
    expect(first.heard).toEqual([]);
    first.clock.advance(1_000);
    expect(first.heard).toEqual(["left C"]);
    first.clock.advance(60_000);
    expect(first.heard).toEqual(["left C"]);
  });

  it("TAB-3: a page that goes away says so, and is back with its next word", () => {
    const bus = createBus();
    const first = openTab(bus, a);
    const second = openTab(bus, b);
    first.heard.length = 0;
    second.link.depart();
    second.clock.advance(5_000);
    expect(first.heard).toEqual(["left B", "presence B"]);
  });

  it("TAB-3: a tab that lives says so every 5 s", () => {
    const bus = createBus();
    const first = openTab(bus, a);
    const second = openTab(bus, b);
    first.heard.length = 0;
    for (let beat = 0; beat < 6; beat++) {
      second.clock.advance(5_000);
      first.clock.advance(5_000);
    }
    expect(new Set(first.heard)).toEqual(new Set(["presence B"]));
  });

  it("TAB-3: a hidden tab, whose timers hardly run, answers and stays", () => {
    const bus = createBus();
    const first = openTab(bus, a);
    openTab(bus, b);
    first.heard.length = 0;
    first.clock.advance(300_000);
    expect(new Set(first.heard)).toEqual(new Set(["presence B"]));
  });

  it("TAB-4: a closed link posts nothing, hears nothing and leaves no timer", () => {
    const bus = createBus();
    const tab = openTab(bus, a);
    tab.link.close();
    const { length } = bus.posted;
    tab.link.publish("x", bytes(1));
    tab.link.announce({ session: a, writers: [], awareness: null });
    bus.post({ type: "presence", from: b, presence: { session: b, writers: [], awareness: null } });
    expect([bus.posted.length, tab.heard, tab.clock.delays(), bus.ends.size]).toEqual([
      length + 1,
      [],
      [],
      0,
    ]);
  });
});
