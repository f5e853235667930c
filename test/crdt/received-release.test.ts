import { describe, expect, it } from "vitest";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import { until } from "../refstore/manual-clock.ts";
import { settle } from "./fake-relay.ts";
import { createScriptedPages, writeLane } from "./history-lane.ts";
import { writePage } from "./lanes.ts";
import { openReader, type Reader, theirs, writeRegister } from "./reader-harness.ts";

const graceMs = 10_000;

/** A joined reader that has the first pages of a lane; its views have had the time to open. */
async function setUp({ count = 8, have = count }: { count?: number; have?: number } = {}) {
  const pages = createScriptedPages();
  const lane = await writeLane({ writer: theirs, pages, count });
  const persistence = createInMemoryPersistence();
  const reader = await openReader({ pages, persistence });
  reader.documents.connect();
  reader.relay.last.join();
  reader.clock.advance(graceMs);
  for (const { document, update } of lane.written.slice(0, have)) await reader.tell(document, update);
  const register = writeRegister();
  const raise = (low: number, first = 0) =>
    reader.tell(register.name, register.update({ lane: lane.marks(low, first) }));
  return { pages, lane, reader, raise, register, persistence };
}

const documentsOf = async (reader: Reader) =>
  (await reader.stored()).flatMap((name) => (name.startsWith("lane/") ? [name.split("/").at(-1)] : []));

describe("what others have sealed", () => {
  it("LANE-30: pages of the chain below the mark leave log and database, and are read from history", async () => {
    const { reader, raise, lane, pages, persistence } = await setUp();
    const released: number[] = [];
    reader.documents.log.released.on(({ page }) => released.push(page.name.number));
    await raise(6);
    expect([reader.live(), released]).toEqual([
      [6, 7],
      [0, 1, 2, 3, 4, 5],
    ]);
    expect(await documentsOf(reader)).toEqual(["6-106", "7-107"]);
    expect(pages.gets).toEqual([]);
    expect(reader.documents.marks(theirs)).toEqual(lane.marks(6));
    const page = await reader.documents.history.page(theirs, 2);
    expect(page.entries.map(({ body }) => body)).toEqual(lane.page(2).bodies);
    await reader.documents.close();
    const again = await openReader({ persistence, pages });
    expect([again.live(), again.documents.marks(theirs)?.low]).toEqual([[6, 7], 6]);
  });

  it("LANE-30: so they do where the marks were here before the pages, and where pages between are missing", async () => {
    const { reader, raise, lane, pages } = await setUp({ count: 40, have: 5 });
    await raise(38);
    await until(() => reader.live().length === 0);
    expect(await documentsOf(reader)).toEqual([]);
    expect(pages.gets.length).toBeLessThanOrEqual(8);
    await reader.tell(lane.page(12).document, lane.page(12).update);
    await reader.tell(lane.page(39).document, lane.page(39).update);
    await until(async () => (await documentsOf(reader)).length === 1);
    expect([reader.live(), await documentsOf(reader)]).toEqual([[39], ["39-139"]]);
  });

  it("LANE-31: what somebody holds stays until it is let go of, though no tab is offered it", async () => {
    const { reader, raise } = await setUp();
    const stop = reader.documents.log.hold(({ body }) => body === "2/0" || body === "5/1");
    await raise(7);
    expect(reader.live()).toEqual([2, 5, 7]);
    expect(await documentsOf(reader)).toEqual(["2-102", "5-105", "7-107"]);
    stop();
    reader.clock.advance(60_000);
    await settle();
    expect([reader.live(), await documentsOf(reader)]).toEqual([[7], ["7-107"]]);
  });

  it("LANE-31: held pages are looked at again when the mark moves", async () => {
    const { reader, raise } = await setUp();
    let isHeld = true;
    reader.documents.log.hold(({ body }) => isHeld && body === "2/0");
    await raise(5);
    expect(reader.live()).toEqual([2, 5, 6, 7]);
    isHeld = false;
    await raise(6);
    expect(reader.live()).toEqual([6, 7]);
  });

  it("LANE-31: nothing is let go of before views have had the time to open", async () => {
    const { reader, raise, persistence, pages } = await setUp();
    reader.documents.log.hold(() => true);
    await raise(7);
    expect(reader.live()).toHaveLength(8);
    await reader.documents.close();
    const again = await openReader({ persistence, pages });
    expect(again.live()).toHaveLength(8);
    again.clock.advance(graceMs - 1);
    await settle();
    again.documents.log.hold(({ body }) => body === "3/0");
    expect(again.live()).toHaveLength(8);
    again.clock.advance(1);
    await settle();
    expect([again.live(), await documentsOf(again)]).toEqual([
      [3, 7],
      ["3-103", "7-107"],
    ]);
  });

  it("LANE-32: a clone's page of an equal number stays, and one that comes later is taken up", async () => {
    const { reader, raise } = await setUp();
    const clone = writePage(3, 9);
    await reader.tell(`lane/${theirs}/3-9`, clone.append({ bodies: ["clone"] }));
    await raise(7);
    expect(reader.live()).toEqual([3, 7]);
    expect(reader.bodies().slice(0, 1)).toEqual(["clone"]);
    await reader.tell(`lane/${theirs}/3-9`, clone.append({ bodies: ["clone again"] }));
    const late = writePage(1, 8);
    await reader.tell(`lane/${theirs}/1-8`, late.append({ bodies: ["late clone"] }));
    expect(reader.bodies().slice(0, 3)).toEqual(["late clone", "clone", "clone again"]);
    expect(await documentsOf(reader)).toEqual(["1-8", "3-9", "7-107"]);
  });

  it("LANE-33: a sealed page that comes late is never shown", async () => {
    const { reader, raise, lane } = await setUp({ have: 0 });
    const shown: unknown[] = [];
    reader.documents.log.added.on((entries) => shown.push(...entries.map(({ body }) => body)));
    await raise(7);
    for (const { document, update } of lane.written) await reader.tell(document, update);
    await until(async () => (await documentsOf(reader)).length === 1);
    expect([reader.live(), shown]).toEqual([[7], lane.page(7).bodies]);
    expect([await documentsOf(reader), reader.problems]).toEqual([["7-107"], []]);
  });

  it("LANE-33: control: without the marks it is shown", async () => {
    const { reader, lane } = await setUp({ have: 0 });
    await reader.tell(lane.page(2).document, lane.page(2).update);
    expect(reader.bodies()).toEqual(lane.page(2).bodies);
  });

  it("LANE-34: where the chain can't be read now, a page is taken up, and let go of on proof", async () => {
    const { reader, raise, lane, pages } = await setUp({ count: 40, have: 0 });
    await raise(38);
    pages.isOffline = true;
    const { document, update, bodies } = lane.page(4);
    await reader.tell(document, update);
    await settle();
    expect(reader.bodies()).toEqual(bodies);
    expect(await documentsOf(reader)).toEqual(["4-104"]);
    pages.isOffline = false;
    reader.clock.advance(60_000);
    await until(() => reader.live().length === 0);
    expect(await documentsOf(reader)).toEqual([]);
  });

  it("LANE-34: a page past retention of which nothing can be proven stays, and nobody asks for ever", async () => {
    const { reader, raise, pages, lane } = await setUp({ count: 40, have: 1 });
    for (const { name, hash } of lane.written) if (name.number < 30) pages.seals.delete(hash);
    await raise(38, 30);
    await settle();
    expect(reader.live()).toEqual([0]);
    const asked = pages.gets.length;
    reader.clock.advance(600_000);
    await settle();
    expect(pages.gets.length).toBe(asked);
  });

  it("LANE-34: a page that can't be read is asked for once in a look, however many lie behind it", async () => {
    const { reader, raise, pages } = await setUp({ count: 40, have: 20 });
    pages.seals.clear();
    await raise(38);
    await until(() => pages.gets.length > 0);
    await settle();
    expect([pages.gets.length, reader.live().length]).toEqual([1, 20]);
    reader.clock.advance(60_000);
    await until(() => pages.gets.length > 1);
    await settle();
    expect(pages.gets.length).toBe(2);
  });

  it("LANE-35: a register that goes back brings no page back", async () => {
    const { reader, raise, lane } = await setUp();
    await raise(6);
    await raise(3);
    expect(reader.documents.register(theirs)?.lane?.low).toBe(3);
    // What was read by the further marks would be missing wherever it has to be read again.
    expect(reader.documents.marks(theirs)?.low).toBe(6);
    await reader.tell(lane.page(4).document, lane.page(4).update);
    expect(reader.live()).toEqual([6, 7]);
  });

  it("LANE-36: a tab offers no sealed page and takes none from another", async () => {
    const channels = new Map<string, Set<(message: unknown) => void>>();
    const openTabChannel = (name: string, onMessage: (message: unknown) => void) => {
      const all = channels.get(name) ?? new Set();
      channels.set(name, all);
      all.add(onMessage);
      return {
        post(message: unknown) {
          for (const each of all)
            if (each !== onMessage) queueMicrotask(() => each(structuredClone(message)));
        },
        close: () => void all.delete(onMessage),
      };
    };
    const pages = createScriptedPages();
    const lane = await writeLane({ writer: theirs, pages, count: 8 });
    const first = await openReader({ pages, openTabChannel });
    first.documents.connect();
    first.relay.last.join();
    first.clock.advance(graceMs);
    for (const { document, update } of lane.written) await first.tell(document, update);
    first.documents.log.hold(({ body }) => body === "2/0");
    const register = writeRegister();
    await first.tell(register.name, register.update({ lane: lane.marks(6) }));
    expect(first.live()).toEqual([2, 6, 7]);
    const second = await openReader({ pages, openTabChannel });
    await settle();
    expect(second.live()).toEqual([6, 7]);
    // One that has not heard of the marks yet offers its pages in vain.
    const third = await openReader({ pages });
    third.documents.connect();
    third.relay.last.join();
    for (const { document, update } of lane.written) await third.tell(document, update);
    expect(third.live()).toHaveLength(8);
    await first.tell(lane.page(1).document, lane.page(1).update);
    expect(first.live()).toEqual([2, 6, 7]);
  });
});

describe("rows of received pages", () => {
  it("LANE-37: a page's rows become one when there are many, and when the next page is here", async () => {
    const { reader, persistence, pages } = await setUp({ have: 0 });
    const page = writePage(0, 7);
    const bodies: string[] = [];
    for (let count = 0; count < 200; count++) {
      bodies.push(`${count}`);
      await reader.tell(`lane/${theirs}/0-7`, page.append({ bodies: [`${count}`] }));
      if (count % 30 === 0) expect(await reader.rows()).toBeLessThanOrEqual(65);
    }
    expect(await reader.rows()).toBeLessThanOrEqual(65);
    const next = writePage(1, 8);
    const update = next.append({ bodies: ["next"], previous: { page: page.name, length: 200 } });
    await reader.tell(`lane/${theirs}/1-8`, update);
    expect(await reader.rows()).toBe(2);
    await reader.documents.close();
    const again = await openReader({ persistence, pages });
    expect(again.bodies()).toEqual([...bodies, "next"]);
  });

  it("LANE-37: whatever store fails on the way, nothing of a page is lost", async () => {
    const persistence = createInMemoryPersistence();
    const failing = new Set<number>();
    let writes = 0;
    const flaky = {
      ...persistence,
      async open(name: string) {
        const store = await persistence.open(name);
        return {
          ...store,
          async write(change: Parameters<typeof store.write>[0]) {
            if (failing.has(++writes % 3)) throw new Error("disk full");
            await store.write(change);
          },
        };
      },
    };
    const reader = await openReader({ persistence: flaky });
    reader.documents.connect();
    reader.relay.last.join();
    failing.add(0).add(1);
    const page = writePage(0, 7);
    for (let count = 0; count < 150; count++) {
      await reader.tell(`lane/${theirs}/0-7`, page.append({ bodies: [count] }));
      if (count % 20 === 0) {
        await reader.documents.flush();
        const crashed = await openReader({ persistence });
        expect(crashed.bodies()).toEqual(
          Array.from({ length: crashed.bodies().length }, (_, index) => index),
        );
      }
    }
    failing.clear();
    await reader.documents.flush();
    const again = await openReader({ persistence });
    expect(again.bodies()).toHaveLength(150);
  });
});
