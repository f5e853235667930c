import { describe, expect, it } from "vitest";
import { timestampFromMs } from "../../src/base/index.ts";
import type { Entry } from "../../src/crdt/index.ts";
import { type ConsumerStart, seekStart, startOf } from "../../src/messaging/consumer/history-start.ts";
import { createLaneCursor } from "../../src/messaging/consumer/lane-cursor.ts";
import { laneStart } from "../../src/messaging/consumer/position-union.ts";
import { type Contents, writeLongLane } from "./sealed-world.ts";
import { createWorld } from "./world.ts";

const planner = "anon.planner.CCCCCCCCCCC";
const { signal } = new AbortController();

/** Pages of two messages each; page `n` was said at second `n + 1`. */
async function openLane(count: number) {
  const world = createWorld();
  const contents: Contents[] = Array.from({ length: count }, (_, page) => [`${page}/0`, `${page}/1`]);
  const lane = await writeLongLane(world, planner, contents, {
    clockOf: (number) => timestampFromMs(1_000 * (number + 1)),
  });
  return { world, lane };
}

type World = Awaited<ReturnType<typeof openLane>>["world"];

async function begin(world: World, start: ConsumerStart) {
  const options = { start, since: 0 };
  const known = startOf(planner, options, world.documents);
  return known === "sealed" ? seekStart(planner, { ...options, signal }, world.documents) : known;
}

/** The contents that a consumer at a position reads, sealed or live. */
async function readFrom(world: World, position: Awaited<ReturnType<typeof begin>>): Promise<unknown[]> {
  const cursor = createLaneCursor(position ?? laneStart);
  const { low = 0, first = 0 } = world.documents.history.marks(planner) ?? {};
  const read: Entry[] = [];
  for (let number = Math.max(first, cursor.record().below); number < low; number++) {
    const page = await world.documents.history.page(planner, number);
    read.push(...page.entries.filter(({ index }) => !cursor.isDone(page.name, index, [page])));
  }
  const live = world.log.pages(planner).filter(({ name }) => name.number >= low);
  for (const page of live) {
    read.push(...page.entries.filter(({ index }) => !cursor.isDone(page.name, index, live)));
  }
  return read.map(({ body }) => (body as { content: unknown }).content);
}

const from = (number: number, count: number) =>
  Array.from({ length: count }, (_, page) => [`${page}/0`, `${page}/1`])
    .slice(number)
    .flat();

describe("where a new consumer begins", () => {
  it.each([
    [0, 0],
    [1, 0],
    [7, 0],
    [7, 3],
    [12, 0],
    [12, 5],
  ])(
    "MSG-40: at any time, where pages below %i are sealed and those below %i are taken",
    async (low, first) => {
      const count = 12;
      const { world, lane } = await openLane(count);
      lane.arrive(low);
      if (low > 0) lane.seal(low, { first });
      for (let number = first; number <= count; number++) {
        for (const time of [1_000 * number + 1, 1_000 * (number + 1)]) {
          expect([time, await readFrom(world, await begin(world, { time }))]).toEqual([
            time,
            from(number, count),
          ]);
        }
      }
      expect(await readFrom(world, await begin(world, { time: 0 }))).toEqual(from(first, count));
    },
  );

  it("MSG-41: at a place of the room's order, in the midst of a page too", async () => {
    const count = 9;
    const { world, lane } = await openLane(count);
    lane.arrive(6);
    lane.seal(6);
    const all = from(0, count);
    for (const [at, content] of all.entries()) {
      const wanted = ({ body }: Entry): boolean => all.indexOf((body as { content: string }).content) >= at;
      expect([content, await readFrom(world, await begin(world, { wanted }))]).toEqual([
        content,
        all.slice(at),
      ]);
    }
    expect(await readFrom(world, await begin(world, { wanted: () => false }))).toEqual([]);
  });

  it("MSG-40: it reads a logarithm of the sealed pages, and none where what is live tells it", async () => {
    const { world, lane } = await openLane(130);
    lane.arrive(128);
    lane.seal(128);
    expect(startOf(planner, { start: { time: 130_000 }, since: 0 }, world.documents)).toEqual({
      below: 129,
      pages: { "129-229": 0 },
    });
    expect(startOf(planner, { start: { time: 999_000 }, since: 0 }, world.documents)).toEqual({
      below: 129,
      pages: { "129-229": 2 },
    });
    expect(world.pages.gets).toEqual([]);
    expect(await begin(world, { time: 40_001 })).toEqual({ below: 40, pages: { "40-140": 0 } });
    expect(world.pages.gets.length).toBeLessThan(64);
  });

  it("MSG-40: history that is out of reach is no beginning: it is asked for again", async () => {
    const { world, lane } = await openLane(10);
    lane.arrive(8);
    lane.seal(8);
    world.pages.isOffline = true;
    await expect(begin(world, { time: 3_000 })).rejects.toMatchObject({ code: "refstore/unavailable" });
    world.pages.isOffline = false;
    expect(await begin(world, { time: 3_000 })).toEqual({ below: 2, pages: { "2-102": 0 } });
  });

  it("MSG-40: copies of a page number each begin where the time says", async () => {
    const { world, lane } = await openLane(3);
    lane.arrive();
    const clone = await writeLongLane(world, planner, [["c/0"], ["c/1"]], {
      clockOf: (number) => timestampFromMs(1_000 * (number + 1) - 500),
      from: { number: 1, client: 500, before: undefined },
    });
    clone.arrive();
    expect(await begin(world, { time: 1_800 })).toEqual({ below: 1, pages: { "1-101": 0, "1-501": 1 } });
  });
});
