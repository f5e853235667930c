import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { createInMemoryPersistence, type EntryLog } from "../../src/crdt/index.ts";
import { defaultLaneLimits } from "../../src/crdt/lanes/lane-limits.ts";
import { countBeyondWindow } from "../../src/crdt/sealing/live-window.ts";
import { readSealBook, type Seal } from "../../src/crdt/sealing/seal-book.ts";
import { batchKey } from "../../src/crdt/writers/writer-records.ts";
import type { LaneMarks } from "../../src/protocol/index.ts";
import { writePage } from "./lanes.ts";
import { refused } from "./scripted-link.ts";
import {
  createWorld,
  eventually,
  heads,
  limits,
  numbers,
  pageKeys,
  rest,
  untilSealed,
  type World,
} from "./sealing-world.ts";
import { writerName } from "./writer-harness.ts";

describe("the live window", () => {
  const page = (length: number, bytes: number) => ({ page: { length, bytes } });

  it("SEAL-1: a page lies beyond once the newer ones hold 512 entries or 128 KiB, or are 64", () => {
    const { liveEntries: entries, liveBytes: bytes } = defaultLaneLimits;
    const cases: [ReturnType<typeof page>[], number][] = [
      [[], 0],
      [[page(entries, bytes)], 0],
      [[page(1, 1), page(entries - 1, 1)], 0],
      [[page(1, 1), page(entries, 1)], 1],
      [[page(1, 1), page(1, bytes - 1)], 0],
      [[page(1, 1), page(1, bytes)], 1],
      [[page(1, 1), page(1, 1), page(300, 1), page(300, 1)], 2],
      [Array.from({ length: 64 }, () => page(1, 1)), 0],
      [Array.from({ length: 67 }, () => page(1, 1)), 3],
    ];
    for (const [pages, beyond] of cases) expect(countBeyondWindow(pages)).toBe(beyond);
  });
});

describe("the book of seals", () => {
  const seal = (number: number): Seal => ({
    page: { number, client: 4_000_000_000 + number },
    length: 1_024,
    hash: number.toString(16).padStart(64, "0"),
    bytes: 262_144,
    newest: 1_700_000_000_000 * 1_024,
  });

  it("SEAL-12: what is noted is read back, by few records, until it is struck out", async () => {
    const records = await createInMemoryPersistence().open("writer");
    const seals = Array.from({ length: 130 }, (_, number) => seal(number));
    const book = await readSealBook(records);
    await records.write({ put: book.note(seals) });
    expect(await records.entries("")).toHaveLength(3);
    const again = await readSealBook(records);
    expect(seals.map(({ page }) => again.get(page.number))).toEqual(seals);
    expect([again.get(130), again.names({ number: 5, client: 1 })]).toEqual([undefined, false]);
    expect([...again.below(66)].map(({ page }) => page.number)).toEqual(
      Array.from({ length: 66 }, (_, at) => at),
    );
    expect(again.earlier(130, 100).map(({ page }) => page.number)).toEqual([128, 126, 122, 114]);
    await records.write(again.forget(Array.from({ length: 65 }, (_, number) => number)));
    const after = await readSealBook(records);
    expect([(await records.entries("")).length, after.get(64), after.get(65)]).toEqual([
      2,
      undefined,
      seals[65],
    ]);
  });

  it("SEAL-12: a record that is torn costs its seals, and nothing else", async () => {
    const records = await createInMemoryPersistence().open("writer");
    const book = await readSealBook(records);
    await records.write({ put: book.note([seal(0), seal(1), seal(64)]) });
    const [[key, value]] = (await records.entries("")) as [[string, Uint8Array]];
    await records.write({ put: [[key, value.slice(0, -3)]] });
    const torn = await readSealBook(records);
    expect([torn.get(0), torn.get(1), torn.get(64)]).toEqual([seal(0), undefined, seal(64)]);
  });
});

describe("sealing", () => {
  it("SEAL-2: what lies beyond the live window is sealed, dropped everywhere and read on through its seals", async () => {
    const world = createWorld();
    const { write, writer, look, bodies, log } = await world.open();
    await write(heads(15));
    look();
    // Eight pages of two: a full one and the one that is written are past 256 KiB.
    await untilSealed(world, 6);
    expect(numbers(world.livePages())).toEqual([6, 7]);
    expect([bodies(), world.readable()]).toEqual([heads(3, 12), heads(15)]);
    expect(log.size).toBe(3);
    expect(world.marks()).toMatchObject({ low: 6, first: 0, head: { length: 2 } });
    await rest(world);
    expect(writer.pending).toBe(0);
    expect(world.lost).toEqual([]);
    await writer.close();
  });

  it("SEAL-2: a lane of thousands of small entries keeps its window, and its database stays small", async () => {
    const world = createWorld();
    const { writer, look, log } = await world.open();
    for (let page = 0; page < 10; page++) {
      for (let index = 0; index < 1_024; index++) writer.append({ kind: "note", parents: [], body: index });
      await writer.flush();
    }
    look();
    await untilSealed(world, 9);
    expect([log.size, world.relay.seals.size]).toEqual([1_024, 9]);
    expect((await world.databaseKeys()).length).toBeLessThan(8);
    await writer.close();
  });

  it("SEAL-3: nothing is sealed while the network is away, and all of it once it is back", async () => {
    const world = createWorld();
    const { write, writer, look, go, bodies } = await world.open({ online: false });
    await write(heads(12));
    look();
    await rest(world);
    expect([world.device.size, bodies(), writer.register()?.lane]).toEqual([0, heads(12), undefined]);
    go("online");
    await untilSealed(world, 4);
    expect([world.readable(), world.lost]).toEqual([heads(12), []]);
    await writer.close();
  });

  it("SEAL-3: in a room without a relay pages are sealed on the device", async () => {
    const world = createWorld();
    const { write, writer, look, low, bodies } = await world.open({ alone: true });
    await write(heads(12));
    look();
    await eventually(async () => low() === 4 && !pageKeys(await world.databaseKeys()).includes(3));
    expect([world.device.size, bodies()]).toEqual([4, heads(4, 8)]);
    expect(writer.stageOf({ number: 0, client: 1 }, 0)).toBeUndefined();
    await writer.close();
  });

  it("SEAL-4: a page that somebody here holds stays, with all after it, until it is let go of", async () => {
    const world = createWorld();
    const { write, writer, look, log, bodies } = await world.open();
    let held = "2";
    log.hold(({ body }) => String(body).startsWith(`${held}:`));
    await write(heads(12));
    look();
    await rest(world);
    look();
    await untilSealed(world, 1);
    await rest(world);
    expect(bodies()).toEqual(heads(10, 2));
    held = "";
    look();
    await untilSealed(world, 4);
    expect([bodies(), world.readable()]).toEqual([heads(4, 8), heads(12)]);
    await writer.close();
  });

  it("SEAL-5: a page that is sealed stays the writer's own, and its entries count as relayed", async () => {
    const world = createWorld();
    const { write, writer, look, log } = await world.open();
    await write(heads(6));
    const [first, second] = log.pages(writerName).map(({ name }) => name);
    if (!first || !second) throw new Error("no pages");
    const nameOf = ({ number, client }: typeof first) => `lane/${writerName}/${number}-${client}`;
    await write(heads(4, 6));
    look();
    await untilSealed(world, 3);
    expect([first, second].map((page) => [writer.owns(nameOf(page)), writer.stageOf(page, 1)])).toEqual([
      [true, "relayed"],
      [true, "relayed"],
    ]);
    const other = { ...first, client: first.client + 1 };
    expect([writer.owns(nameOf(other)), writer.stageOf(other, 0)]).toEqual([false, undefined]);
    expect([...writer.documents()].map(([name]) => name)).not.toContain(nameOf(first));
    const late = writer.append({ kind: "note", parents: [], body: "late" });
    await late.settled("relayed");
    await writer.close();
    const again = await world.open();
    expect([again.writer.owns(nameOf(first)), again.writer.owns(nameOf(other))]).toEqual([true, false]);
    await again.writer.close();
  });

  it("SEAL-6: a drop that the relay refuses is told once, left alone, and tried by the next session", async () => {
    const world = createWorld();
    world.relay.answersDrops = refused("edge/forbidden");
    const { write, writer, look, problems, go, low } = await world.open();
    await write(heads(12));
    look();
    await eventually(() => problems.length > 0);
    await rest(world);
    go("online");
    await rest(world);
    expect([problems.map(({ code }) => code), low(), world.relay.drops]).toEqual([["crdt/refused"], 4, []]);
    expect(pageKeys(await world.databaseKeys())).toContain(0);
    await writer.close();
    world.relay.answersDrops = undefined;
    const again = await world.open();
    expect(again.bodies()).toEqual(heads(4, 8));
    await untilSealed(world, 4);
    expect(world.readable()).toEqual(heads(12));
    await again.writer.close();
  });

  it("SEAL-6: a drop that was lost is repeated at the next join", async () => {
    const world = createWorld();
    world.relay.answersDrops = { kind: "lost" };
    const { write, writer, look, problems, go } = await world.open();
    await write(heads(12));
    look();
    await eventually(() => (world.marks()?.low ?? 0) > 0);
    await rest(world);
    expect([world.livePages().length, pageKeys(await world.databaseKeys()).length, problems]).toEqual([
      6,
      6,
      [],
    ]);
    world.relay.answersDrops = undefined;
    go("online");
    await untilSealed(world, 4);
    expect([world.lost, world.readable()]).toEqual([[], heads(12)]);
    await writer.close();
  });

  it("SEAL-6: a device without room for a seal is told of once, and its pages stay until there is", async () => {
    const world = createWorld();
    world.relay.failsPuts = "refstore/quota";
    const { write, writer, look, problems, bodies } = await world.open();
    await write(heads(12));
    look();
    await eventually(() => problems.length > 0);
    await write(heads(2, 12));
    await rest(world);
    expect([problems.map(({ code }) => code), bodies()]).toEqual([["refstore/quota"], heads(14)]);
    world.relay.failsPuts = undefined;
    await write(heads(1, 14));
    await untilSealed(world, 6);
    await writer.close();
  });

  it("SEAL-6: marks that this device can't store drop nothing", async () => {
    const world = createWorld();
    const { write, writer, look, problems, disk, go } = await world.open();
    await write(heads(12));
    await rest(world);
    disk.fails = true;
    look();
    await eventually(() => problems.length > 0);
    await rest(world);
    expect([world.relay.drops, pageKeys(await world.databaseKeys()).length]).toEqual([[], 6]);
    disk.fails = false;
    go("online");
    await untilSealed(world, 4);
    expect(world.lost).toEqual([]);
    await writer.close();
  });

  it("SEAL-7: a restart closes the page that was written, and its header goes on with the chain", async () => {
    const world = createWorld();
    for (let session = 0; session < 9; session++) {
      const { write, writer } = await world.open();
      await write([`${session}`]);
      await writer.close();
    }
    const { log, writer } = await world.open();
    const pages = log.pages(writerName);
    expect(pages.map(({ previous }) => previous?.seal?.earlier.map(({ page }) => page.number))).toEqual([
      undefined,
      [],
      [0],
      [1],
      [2, 0],
      [3, 1],
      [4, 2],
      [5, 3],
      [6, 4, 0],
    ]);
    const hashes = new Map(pages.map(({ name, previous }) => [name.number - 1, previous?.seal?.hash]));
    for (const { previous } of pages) {
      for (const { page, hash } of previous?.seal?.earlier ?? []) expect(hash).toBe(hashes.get(page.number));
    }
    await writer.close();
  });

  it("SEAL-7: an old page is reached from the head in a logarithm of jumps, each named by its hash", async () => {
    const world = createWorld();
    const { write, writer, look } = await world.open();
    await write(heads(38));
    look();
    await untilSealed(world, 17);
    for (let wanted = 0; wanted < 17; wanted++) {
      const { head } = world.marks() as LaneMarks;
      let at = { number: Number.parseInt(head.page, 10), hash: head.hash };
      let jumps = 0;
      for (; at.number > wanted; jumps++) {
        const { page, seal } = world.relay.seals.get(at.hash)?.previous ?? {};
        const links = seal && page ? [{ page, hash: seal.hash }, ...seal.earlier] : [];
        const next = links.filter(({ page: { number } }) => number >= wanted).at(-1);
        if (!next) throw new Error(`no link from ${at.number} to ${wanted}`);
        at = { number: next.page.number, hash: next.hash };
      }
      expect(jumps).toBeLessThanOrEqual(5);
      expect(world.relay.seals.get(at.hash)?.heads).toEqual(heads(2, 2 * wanted));
    }
    await writer.close();
  });

  it("SEAL-8: numbers go on although the pages are gone from the database", async () => {
    const world = createWorld();
    const first = await world.open();
    await first.write(heads(12));
    first.look();
    await untilSealed(world, 4);
    await first.writer.close();
    const records = await world.persistence.open(`writer/${writerName}`);
    await records.write({ remove: (await world.databaseKeys()).filter((key) => key.startsWith("page/")) });
    const second = await world.open();
    await second.write(["after"]);
    const [page] = second.log.pages(writerName);
    expect(page?.name.number).toBe(4);
    expect(page?.previous).toMatchObject({ length: 2, seal: { hash: world.marks()?.head.hash } });
    await second.writer.close();
  });

  it("SEAL-8: a seal is that of the page of its name: a number that is used again gets another", async () => {
    const world = createWorld();
    const first = await world.open();
    await first.write(heads(12));
    await first.writer.close();
    const records = await world.persistence.open(`writer/${writerName}`);
    // What a database keeps of pages that it has lost.
    await records.write({ remove: (await world.databaseKeys()).filter((key) => key.startsWith("page/")) });
    world.relay.pages.clear();
    const second = await world.open();
    await second.write(heads(12));
    second.look();
    await untilSealed(world, 4);
    expect([second.problems, world.readable()]).toEqual([[], heads(12)]);
    await second.writer.close();
  });

  it("SEAL-9: a frozen writer seals and drops nothing, and still sends", async () => {
    const world = createWorld();
    const { write, writer, look, bodies } = await world.open();
    await write(heads(4));
    writer.freeze();
    await write(heads(8, 4));
    look();
    await rest(world);
    expect([bodies(), world.readable(), world.device.size]).toEqual([heads(12), heads(12), 0]);
    await writer.close();
  });
});

describe("a relay that has lost what was sealed", () => {
  /** A lane of eight pages, six of them sealed, at a relay. */
  async function setUp() {
    const world = createWorld();
    const session = await world.open();
    await session.write(heads(15));
    session.look();
    await untilSealed(world, 6);
    await rest(world);
    return { world, session };
  }

  function reset({ relay }: World): void {
    relay.seals.clear();
    relay.pages.clear();
  }

  it("SEAL-13: is given the seals again, with the pages, once it is met under another epoch", async () => {
    const { world, session } = await setUp();
    reset(world);
    session.go("online");
    await rest(world);
    // Control: under the same epoch it is believed to have what it had acknowledged.
    expect(world.readable()).toEqual([]);
    session.go("online", "another");
    await eventually(() => world.readable().length === 15);
    expect(world.readable()).toEqual(heads(15));
    await session.close();
  });

  it("SEAL-13: so it is whatever crash comes between, and asked once for each epoch", async () => {
    for (let diesAfter = 1; diesAfter < 8; diesAfter++) {
      const { world, session } = await setUp();
      await session.close();
      reset(world);
      const second = await world.open({ epoch: "another", diesAfter });
      await eventually(() => second.isDead() || world.relay.seals.size === 6, `${diesAfter}`);
      if (!second.isDead()) await rest(world);
      if (!second.isDead()) await second.close();
      const third = await world.open({ epoch: "another" });
      await eventually(() => world.readable().length === 15, `${diesAfter}`);
      await rest(world);
      await third.close();
      world.relay.seals.clear();
      const fourth = await world.open({ epoch: "another" });
      await rest(world);
      expect(world.relay.seals.size).toBe(0);
      await fourth.close();
    }
  });

  it("SEAL-14: is given everything again where it has let go of the register, as of a writer that departed", async () => {
    const { world, session } = await setUp();
    const { document } = world.relay.register;
    reset(world);
    session.writer.resync(`register/${writerName}`, Y.encodeStateVector(document));
    await rest(world);
    // Control: it has the register, so nothing is believed to be lost.
    expect([world.relay.seals.size, world.livePages()]).toEqual([0, []]);
    session.writer.resync(`register/${writerName}`, Y.encodeStateVector(new Y.Doc()));
    await eventually(() => world.readable().length === 15);
    expect(world.readable()).toEqual(heads(15));
    await session.close();
  });

  it("SEAL-15: is given what a writer never sent in all its time away, and all that this rests on", async () => {
    const dayMs = 86_400_000;
    const { world, session } = await setUp();
    session.go("offline");
    await session.write(["15"]);
    await session.close();
    reset(world);
    const back = await world.open({ startMs: 91 * dayMs, isAgent: false });
    await eventually(() => world.readable().length === 16);
    expect([world.readable(), world.relay.register.get()?.seenAt]).toEqual([heads(16), 91 * dayMs]);
    await back.close();
    reset(world);
    const control = await world.open({ startMs: 200 * dayMs, isAgent: false });
    await rest(world);
    // Nothing was left to be sent, so that nobody hears of it.
    expect([world.readable(), world.relay.register.get()?.seenAt]).toEqual([[], 91 * dayMs]);
    await control.close();
  });
});

describe("lanes from before there were seals", () => {
  it("SEAL-11: the next page names their seals; what no page names by its seal stays", async () => {
    const world = createWorld();
    const records = await world.persistence.open(`writer/${writerName}`);
    const names = [0, 1, 2, 3].map((number) => ({ number, client: 7 + number }));
    for (const [index, name] of names.entries()) {
      const before = names[index - 1];
      const written = writePage(name.number, name.client);
      const previous = before && { page: before, length: 1 };
      const update = written.append({
        bodies: [`${index}:${"x".repeat(120_000)}`],
        clock: index + 1,
        previous,
      });
      await records.write({ put: [[batchKey(name, 0), update]] });
    }
    const { write, writer, look, log, problems } = await world.open();
    await write(heads(6, 4));
    look();
    await rest(world);
    const next = log.pages(writerName)[4]?.previous;
    expect(next?.seal?.earlier.map(({ page }) => page.number)).toEqual([2, 0]);
    expect([problems, world.marks(), world.readable()]).toEqual([[], undefined, heads(10)]);
    await writer.close();
  });
});

describe("crashes", () => {
  const total = 14;

  /** Dies after so many durable steps, again after others, and then lives. */
  async function survive(deaths: readonly number[], lies?: "register" | "seal") {
    const world = createWorld();
    world.relay.lies = lies;
    let sessions = 0;
    for (const diesAfter of [...deaths, Number.POSITIVE_INFINITY]) {
      const session = await world.open({ diesAfter });
      sessions++;
      const known = new Set([...world.readable(), ...session.bodies()]);
      await session.write(heads(total).filter((head) => !known.has(head)));
      session.look();
      await eventually(
        async () => session.isDead() || (await isSealed(world, session.log)),
        "the end of sealing",
      );
      await session.close();
      if (!session.isDead()) break;
    }
    return { world, sessions };
  }

  /** Whether what lies beyond the window is gone from everywhere. */
  async function isSealed(world: ReturnType<typeof createWorld>, log: EntryLog): Promise<boolean> {
    const live = log.pages(writerName).map(({ name }) => name.number);
    const sizes = log.pages(writerName).map(({ entries }) => ({
      page: { length: entries.length, bytes: entries.length * 100_000 },
    }));
    if (countBeyondWindow(sizes, limits) > 0 || world.marks()?.low !== live[0]) return false;
    return [numbers(world.livePages()), pageKeys(await world.databaseKeys())].every(
      (present) => present.join() === live.join(),
    );
  }

  it("SEAL-10: a crash after any durable step of sealing loses nothing, and ends as if it had not been", async () => {
    const { world, sessions } = await survive([]);
    const steps = world.steps;
    expect([world.readable(), sessions]).toEqual([heads(total), 1]);
    expect(steps).toBeGreaterThan(20);
    for (let step = 1; step <= steps; step++) {
      const { world: after, sessions } = await survive([step, ((step * 7) % 11) + 2]);
      expect({ step, lost: after.lost, sessions: sessions > 1 || step === steps }).toEqual({
        step,
        lost: [],
        sessions: true,
      });
      expect([...after.readable()].sort()).toEqual(heads(total).sort());
    }
  }, 60_000);

  it.each(["register", "seal"] as const)(
    "SEAL-10: a sealer that does not wait until the relay has the %s is caught",
    async (lies) => {
      const { world } = await survive([], lies);
      expect(world.lost.length).toBeGreaterThan(0);
    },
  );
});
