import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createStore, FlockError } from "../../src/base/index.ts";
import type { Documents } from "../../src/crdt/index.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import { createIdempotencyIndex, type Duplicate } from "../../src/messaging/index.ts";
import { createScriptedPages, type ScriptedPages } from "../crdt/history-lane.ts";
import {
  createReplica,
  idOf,
  type Replica,
  type Said,
  type WorldLane,
  writeLane,
} from "../crdt/views-world.ts";
import { until } from "../refstore/manual-clock.ts";

const here = "alice.shop.AAAAAAAAAAA";
const there = "alice.shop.BBBBBBBBBBB";
const other = "bob.shop.CCCCCCCCCCC";

const keyed = (clock: number, idempotencyKey: string, fields: object = {}): Said => ({
  clock: clock * 1_024,
  kind: "message",
  body: {
    type: "order.created",
    to: "store",
    content: clock,
    schemaVersion: "1.0",
    idempotencyKey,
    ...fields,
  },
});

/** The index over one replica. */
function openIndex(replica: Replica) {
  const online = createStore(false);
  const index = createIdempotencyIndex({
    log: replica.log,
    history: replica.lanes.history,
    views: replica.views,
    online,
    registers: () => new Map([...replica.lanes.writers()].map((writer) => [writer, {}])),
  } as unknown as Documents);
  const messageOf = (id: string) => {
    const [writer = ""] = id.split("/");
    const from = writer.slice(0, writer.lastIndexOf("."));
    return { id, from, type: "order.created", to: "store" };
  };
  return {
    ...index,
    online,
    first: async (key: string, agent = "alice.shop") => (await index.first(agent, key))?.id,
    duplicate: (id: string, key: string, done: readonly string[] = []): Promise<Duplicate | undefined> =>
      index.duplicateOf({ ...messageOf(id), idempotencyKey: key }, (each) => done.includes(each)),
  };
}

async function setUp(lanes: Readonly<Record<string, readonly (readonly Said[])[]>>) {
  const pages = createScriptedPages();
  const written: Record<string, WorldLane> = {};
  for (const [writer, said] of Object.entries(lanes)) written[writer] = await writeLane(pages, writer, said);
  const lane = (writer: string): WorldLane => written[writer] as WorldLane;
  return { pages, lane };
}

/** Seals a lane's pages up to `low`, and lets go of them. */
function seal(replica: Replica, lane: WorldLane, low: number): void {
  replica.mark(lane, low);
  for (let number = 0; number < low; number++) replica.release(lane, number);
}

describe("messages with a key", () => {
  it("MSG-90: the first of an agent's messages with a key is found in any of its lanes, and in no other agent's", async () => {
    const { pages, lane } = await setUp({
      [here]: [[keyed(2, "a"), keyed(3, "b")]],
      [there]: [[keyed(1, "a")]],
      [other]: [[keyed(0, "a")]],
    });
    const replica = createReplica(pages);
    const index = openIndex(replica);
    for (const writer of [here, there, other]) replica.deliver(lane(writer), 0);
    expect(await index.first("a")).toBe(idOf(there, 0, 0));
    expect(await index.first("b")).toBe(idOf(here, 0, 1));
    expect(await index.first("a", "bob.shop")).toBe(idOf(other, 0, 0));
    expect(await index.first("c")).toBeUndefined();
  });

  it("MSG-91: it is found once its page is sealed and let go of, and after a reload without reading history", async () => {
    const { pages, lane } = await setUp({ [here]: [[keyed(1, "a")], [keyed(2, "b")]] });
    const records = createInMemoryPersistence();
    const replica = createReplica(pages, { records });
    const index = openIndex(replica);
    replica.deliver(lane(here), 0);
    replica.deliver(lane(here), 1);
    expect(await index.first("a")).toBe(idOf(here, 0, 0));
    seal(replica, lane(here), 1);
    expect(replica.log.get(idOf(here, 0, 0))).toBeUndefined();
    expect(await index.first("a")).toBe(idOf(here, 0, 0));
    await replica.views.close();

    const reloaded = createReplica(pages, { records });
    reloaded.mark(lane(here), 1);
    reloaded.deliver(lane(here), 1);
    const again = openIndex(reloaded);
    await again.first("b");
    const asked = pages.gets.length;
    expect(await again.first("a")).toBe(idOf(here, 0, 0));
    expect(await again.first("b")).toBe(idOf(here, 1, 0));
    expect(pages.gets.length).toBe(asked);
  });

  it("MSG-91: a message that comes after its key has left memory joins those before it", async () => {
    const { pages, lane } = await setUp({
      [here]: [[keyed(1, "a")], [keyed(2, "b")]],
      [there]: [[keyed(5, "a")]],
    });
    const records = createInMemoryPersistence();
    for (const isReloaded of [false, true]) {
      const replica = createReplica(pages, { records });
      const index = openIndex(replica);
      if (!isReloaded) replica.deliver(lane(here), 0);
      replica.deliver(lane(here), 1);
      if (!isReloaded) await index.first("a");
      seal(replica, lane(here), 1);
      await index.first("b");
      replica.deliver(lane(there), 0);
      expect(await index.first("a")).toBe(idOf(here, 0, 0));
      expect(await index.duplicate(idOf(there, 0, 0), "a")).toEqual({ of: idOf(here, 0, 0), isDone: false });
      expect(replica.problems).toEqual([]);
      await replica.views.close();
    }
  });

  it("MSG-91: a second tab, which may not write the snapshot, finds it too", async () => {
    const { pages, lane } = await setUp({
      [here]: [[keyed(1, "a")], [keyed(2, "b")]],
      [there]: [[keyed(5, "a")]],
    });
    const records = createInMemoryPersistence();
    const tabs = [createReplica(pages, { records }), createReplica(pages, { records })];
    const indexes = tabs.map(openIndex);
    for (const [at, tab] of tabs.entries()) {
      tab.deliver(lane(here), 0);
      tab.deliver(lane(here), 1);
      await indexes[at]?.first("a");
    }
    for (const tab of tabs) seal(tab, lane(here), 1);
    for (const [at, tab] of tabs.entries()) {
      expect(await indexes[at]?.first("a")).toBe(idOf(here, 0, 0));
      tab.deliver(lane(there), 0);
      expect(await indexes[at]?.first("a")).toBe(idOf(here, 0, 0));
    }
  });

  it("MSG-92: before all of history is read, what is sealed of the agent's own lanes counts, as far as it is within reach", async () => {
    const { pages, lane } = await setUp({
      [here]: [[keyed(1, "a")], [keyed(2, "b")]],
      [other]: [[keyed(1, "x")], [keyed(2, "y")]],
    });
    const replica = createReplica(pages);
    for (const writer of [here, other]) {
      replica.mark(lane(writer), 1);
      replica.deliver(lane(writer), 1);
    }
    // Of the other agent nothing sealed can be had, so that the index is never whole.
    const lost = lane(other).pages[0]?.hash as string;
    const { get } = pages;
    pages.get = async (hash, ...rest) => {
      if (hash === lost) throw new FlockError("refstore/unavailable", "offline");
      return get(hash, ...rest);
    };
    const index = openIndex(replica);
    expect(await index.first("a")).toBe(idOf(here, 0, 0));
    expect(await index.first("b")).toBe(idOf(here, 1, 0));
    expect(await index.first("x", "bob.shop")).toBeUndefined();
    pages.get = get;
    index.online.set(true);
    expect(await index.first("x", "bob.shop")).toBe(idOf(other, 0, 0));
  });

  it("MSG-93: a key lasts as long as its lane", async () => {
    const { pages, lane } = await setUp({ [here]: [[keyed(1, "a")], [keyed(2, "b")]] });
    const replica = createReplica(pages);
    const index = openIndex(replica);
    replica.deliver(lane(here), 0);
    replica.deliver(lane(here), 1);
    expect(await index.first("a")).toBe(idOf(here, 0, 0));
    replica.mark(lane(here), 1, { first: 1 });
    replica.release(lane(here), 0);
    expect(await index.first("a")).toBeUndefined();
    expect(await index.first("b")).toBe(idOf(here, 1, 0));
  });
});

describe("what keys cost", () => {
  const many = Array.from({ length: 300 }, (_, at) => keyed(at + 1, `k${at}`));

  it("MSG-136: each live entry is read about once before all of history is, however many keys are asked for", async () => {
    const { pages, lane } = await setUp({ [here]: [many], [other]: [[keyed(1, "x")], [keyed(2, "y")]] });
    const replica = createReplica(pages);
    replica.mark(lane(other), 1);
    pages.get = async () => {
      throw new FlockError("refstore/unavailable", "offline");
    };
    let reads = 0;
    const counted = {
      ...replica.log,
      pages: (writer: string) =>
        replica.log.pages(writer).map((page) => ({
          ...page,
          entries: page.entries.map((entry) => ({
            ...entry,
            get kind() {
              reads++;
              return entry.kind;
            },
          })),
        })),
    };
    const index = openIndex({ ...replica, log: counted } as Replica);
    for (let at = 0; at < many.length; at++) {
      replica.deliver(lane(here), 0, at + 1);
      expect(await index.first(`k${at}`)).toBe(idOf(here, 0, at));
    }
    // A reading looks at an entry's kind a few times.
    expect(reads).toBeLessThan(10 * many.length);
  });

  it("MSG-136: a key that is new to a view whose keys may return is found out without reading what is live", async () => {
    const { pages, lane } = await setUp({ [here]: [many] });
    const replica = createReplica(pages);
    let reads = 0;
    const view = replica.open<number>({
      key: ({ body }) => {
        reads++;
        return (body as { idempotencyKey: string }).idempotencyKey;
      },
      init: () => 0,
      step: (count) => count + 1,
      isClosed: () => true,
      mayReturn: true,
    });
    await view.ready;
    for (let at = 0; at < many.length; at++) {
      replica.deliver(lane(here), 0, at + 1);
      expect(await view.fetch(`k${at}`)).toBe(1);
    }
    expect(reads).toBeLessThan(10 * many.length);
  });
});

describe("messages with a key in two tabs", () => {
  it("MSG-91: one that a second tab took from the snapshot and let go of first is found there", async () => {
    const { pages, lane } = await setUp({
      [here]: [[keyed(1, "a")], [keyed(2, "b")]],
      [there]: [[keyed(5, "a")]],
    });
    const records = createInMemoryPersistence();
    const writing = createReplica(pages, { records });
    writing.deliver(lane(here), 0);
    await openIndex(writing).first("a");
    const store = await records.open("records");
    await until(async () => {
      writing.clock.advance(1_000);
      return (await store.entries("view/idempotency-keys/1/live/=")).length > 0;
    }, "the snapshot");

    const second = createReplica(pages, { records });
    const index = openIndex(second);
    second.deliver(lane(here), 0);
    second.deliver(lane(here), 1);
    await index.first("a");
    seal(second, lane(here), 1);
    second.deliver(lane(there), 0);
    expect(await index.first("a")).toBe(idOf(here, 0, 0));
    await writing.views.close();
    await second.views.close();
  });
});

describe("consumers of messages with a key", () => {
  const [one, two] = [idOf(here, 0, 0), idOf(there, 0, 0)];

  it("MSG-94: one that is done stands for the others; else the one with the earliest clock comes first", async () => {
    const { pages, lane } = await setUp({ [here]: [[keyed(1, "a")]], [there]: [[keyed(2, "a")]] });
    const replica = createReplica(pages);
    const index = openIndex(replica);
    replica.deliver(lane(there), 0);
    expect(await index.duplicate(two, "a")).toBeUndefined();
    replica.deliver(lane(here), 0);
    expect(await index.duplicate(one, "a")).toBeUndefined();
    expect(await index.duplicate(two, "a")).toEqual({ of: one, isDone: false });
    expect(await index.duplicate(two, "a", [one])).toEqual({ of: one, isDone: true });
    expect(await index.duplicate(one, "a", [two])).toEqual({ of: two, isDone: true });
  });

  it("MSG-156: nothing waits for a message whose lane has departed", async () => {
    const { pages, lane } = await setUp({ [here]: [[keyed(1, "a")]], [there]: [[keyed(2, "a")]] });
    const replica = createReplica(pages);
    const index = openIndex(replica);
    replica.deliver(lane(here), 0);
    replica.deliver(lane(there), 0);
    expect(await index.duplicate(two, "a")).toEqual({ of: one, isDone: false });
    for (const { name } of [...replica.log.pages(here)]) replica.log.release(here, name);
    expect(await index.duplicate(two, "a")).toBeUndefined();
    expect(await index.first("a")).toBe(two);
  });

  it("MSG-94: a message to somebody else, or of another type, stands for none", async () => {
    const { pages, lane } = await setUp({
      [here]: [[keyed(1, "a", { to: "clerk" }), keyed(2, "a", { type: "LOG" })]],
      [there]: [[keyed(3, "a")]],
    });
    const replica = createReplica(pages);
    const index = openIndex(replica);
    replica.deliver(lane(here), 0);
    replica.deliver(lane(there), 0);
    expect(await index.duplicate(two, "a", [one, idOf(here, 0, 1)])).toBeUndefined();
  });

  /** Handles what arrives until all is done; returns what was handled, by key. */
  async function consume(
    pages: ScriptedPages,
    arrivals: readonly { lane: WorldLane; key: string }[],
    waits: boolean,
  ): Promise<Map<string, number>> {
    const replica = createReplica(pages);
    const index = openIndex(replica);
    const done: string[] = [];
    const handled = new Map<string, number>();
    const open: [id: string, key: string][] = [];
    async function work(): Promise<void> {
      for (let isMoving = true; isMoving; ) {
        isMoving = false;
        for (const [id, key] of [...open]) {
          const duplicate = await index.duplicate(id, key, done);
          if (waits && duplicate?.isDone === false) continue;
          if (!duplicate) handled.set(key, (handled.get(key) ?? 0) + 1);
          done.push(id);
          open.splice(
            open.findIndex(([each]) => each === id),
            1,
          );
          isMoving = true;
        }
      }
    }
    for (const [at, { lane, key }] of arrivals.entries()) {
      replica.deliver(lane, 0);
      open.unshift([lane.entries[0]?.id as string, key]);
      if (at % 3 !== 1) await work();
    }
    await work();
    expect(open).toEqual([]);
    await replica.views.close();
    return handled;
  }

  const writers = ["AAAAAAAAAAA", "BBBBBBBBBBB", "CCCCCCCCCCC", "DDDDDDDDDDD"];

  const handlesOneOfEach = (waits: boolean) =>
    fc.asyncProperty(
      fc.array(fc.record({ clock: fc.integer({ min: 1, max: 9 }), key: fc.constantFrom("a", "b") }), {
        minLength: 4,
        maxLength: 4,
      }),
      fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
      async (said, arrival) => {
        const pages = createScriptedPages();
        const lanes: { lane: WorldLane; key: string }[] = [];
        for (const [at, { clock, key }] of said.entries()) {
          const lane = await writeLane(pages, `alice.shop.${writers[at]}`, [[keyed(clock, key)]]);
          lanes.push({ lane, key });
        }
        const handled = await consume(
          pages,
          arrival.map((at) => lanes[at] as (typeof lanes)[number]),
          waits,
        );
        for (const { key } of said) expect(handled.get(key)).toBe(1);
      },
    );

  it("MSG-95: of each key exactly one is handled, in whatever order they come and become known", async () => {
    await fc.assert(handlesOneOfEach(true), { numRuns: 150 });
  });

  it("MSG-95 (control): a consumer that passes one that comes later without waiting loses messages", async () => {
    expect((await fc.check(handlesOneOfEach(false), { numRuns: 150 })).failed).toBe(true);
  });
});
