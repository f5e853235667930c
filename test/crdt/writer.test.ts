import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import { clocksIn } from "../../src/crdt/writers/clocks.ts";
import { parseEntryId } from "../../src/protocol/index.ts";
import { settle } from "./fake-relay.ts";
import { acknowledged, createScriptedLink, refused, type ScriptedLink } from "./scripted-link.ts";
import { register, setUpWriter, writerName } from "./writer-harness.ts";

const laneUploads = ({ uploads }: ScriptedLink) => uploads.filter(({ name }) => name.startsWith("lane/"));

describe("appending", () => {
  it("LANE-6: entries of one tick are one batch, one row and one upload", async () => {
    const { writer, log, link, state, append } = await setUpWriter();
    link.online(true);
    const arrivals: number[] = [];
    log.added.on((entries) => arrivals.push(entries.length));
    const made = ["a", "b", "c"].map(append);
    await Promise.all(made.map((each) => each.settled("local")));
    expect([arrivals, state.writes.length, laneUploads(link).length]).toEqual([[3], 1, 1]);
    expect(made.map(({ id }) => log.get(id)?.body)).toEqual(["a", "b", "c"]);
    expect(new Set(made.map(({ id }) => log.get(id)?.clock)).size).toBe(1);
    await writer.close();
  });

  it("LANE-6: an entry is stored before it is sent", async () => {
    const { writer, link, append, state } = await setUpWriter();
    link.online(true);
    state.fails = true;
    append("a");
    expect(laneUploads(link)).toEqual([]);
    state.fails = false;
    await writer.flush();
    expect([state.writes.length, laneUploads(link).length]).toEqual([1, 1]);
    await writer.close();
  });

  it("LANE-7: ids are given at once and stay true, across full pages too", async () => {
    const { writer, log, append, bodies } = await setUpWriter();
    const made = Array.from({ length: 1_030 }, (_, index) => append(`${index}`));
    await writer.flush();
    expect(made.every(({ id }, index) => log.get(id)?.body === `${index}`)).toBe(true);
    expect(bodies().map((page) => page.length)).toEqual([1_024, 6]);
    const [first, second] = log.pages(writerName);
    expect(second?.previous).toMatchObject({ page: first?.name, length: 1_024 });
    expect([first?.name.number, second?.name.number]).toEqual([0, 1]);
    await writer.close();
  });

  it("LANE-7: a page ends at 256 KiB of batches", async () => {
    const { writer, log, append } = await setUpWriter();
    const text = "x".repeat(100_000);
    const made = [];
    for (let count = 0; count < 5; count++) {
      made.push(append(`${count}${text}`));
      if (count % 2) await writer.flush();
    }
    await writer.flush();
    expect(log.pages(writerName).map(({ entries }) => entries.length)).toEqual([2, 2, 1]);
    expect(log.pages(writerName).map(({ previous }) => previous?.length)).toEqual([undefined, 2, 2]);
    expect(made.every(({ id }, index) => String(log.get(id)?.body).startsWith(`${index}x`))).toBe(true);
    await writer.close();
  });

  it("LANE-8: an entry past 128 KiB, or in no form, is refused, and nothing of it stays", async () => {
    const { writer, append, bodies, log } = await setUpWriter();
    expect(() => append("x".repeat(128 * 1024))).toThrow(
      expect.objectContaining({ code: "crdt/entry-too-large" }),
    );
    expect(() => writer.append({ kind: "Not a kind", parents: [], body: 1 })).toThrow(
      expect.objectContaining({ code: "protocol/malformed-batch" }),
    );
    expect(() => writer.append({ kind: "note", parents: ["nowhere"], body: 1 })).toThrow(
      expect.objectContaining({ code: "protocol/malformed-batch" }),
    );
    const { id } = append("fine");
    await writer.flush();
    expect([bodies(), parseEntryId(id)?.index, log.size]).toEqual([[["fine"]], 0, 1]);
    await writer.close();
  });

  it("LANE-8: a value of the last level is read again, and its page goes on", async () => {
    const { writer, bodies, append } = await setUpWriter();
    let deep: unknown = 1;
    for (let level = 0; level < 34; level++) deep = [deep];
    writer.append({ kind: "note", parents: [], body: deep as never });
    await writer.flush();
    append("after");
    await writer.flush();
    expect(bodies()).toEqual([[deep, "after"]]);
    await writer.close();
  });

  it("LANE-9: a closed writer takes nothing, has stored everything, and leaves no timer", async () => {
    const { writer, append, persistence, clock } = await setUpWriter();
    const last = append("last");
    writer.setRegister(register(["plan"]));
    const closing = writer.close();
    expect(() => append("late")).toThrow(expect.objectContaining({ code: "crdt/closed" }));
    await closing;
    await writer.close();
    await last.settled("local");
    await expect(last.settled("relayed")).rejects.toMatchObject({ code: "crdt/closed" });
    expect(clock.delays()).toEqual([]);
    const again = await setUpWriter({ persistence });
    expect([again.bodies(), again.writer.register()?.capabilities]).toEqual([[["last"]], ["plan"]]);
    await again.writer.close();
  });
});

describe("restarts", () => {
  it("LANE-10: a restart begins a new page, of another Yjs client, that names the one before", async () => {
    const persistence = createInMemoryPersistence();
    const first = await setUpWriter({ persistence });
    first.append("a");
    first.append("b");
    await first.writer.close();
    const second = await setUpWriter({ persistence });
    const { id } = second.append("c");
    await second.writer.flush();
    const pages = second.log.pages(writerName);
    expect(second.bodies()).toEqual([["a", "b"], ["c"]]);
    expect(pages[1]?.previous).toMatchObject({ page: pages[0]?.name, length: 2 });
    expect(pages[1]?.name.client).not.toBe(pages[0]?.name.client);
    expect(second.log.get(id)?.body).toBe("c");
    await second.writer.close();
  });

  it("LANE-10: entries after a restart are later than those before it, whatever the wall says", async () => {
    const persistence = createInMemoryPersistence();
    const first = await setUpWriter({ persistence, startMs: 30_000 });
    const before = first.append("a");
    await first.writer.close();
    const second = await setUpWriter({ persistence, startMs: 1_000 });
    const after = second.append("b");
    await second.writer.flush();
    const clockOf = (id: string) => second.log.get(id)?.clock ?? 0;
    expect(clockOf(after.id)).toBeGreaterThan(clockOf(before.id));
    await second.writer.close();
  });

  it("LANE-11: what the relay has acknowledged is not sent again after a restart, unless its epoch is another", async () => {
    const persistence = createInMemoryPersistence();
    const first = await setUpWriter({ persistence });
    first.link.online(true);
    first.writer.joined("epoch");
    const write = first.append("a");
    await write.settled("local");
    await settle();
    await first.link.uploads[0]?.answer(acknowledged);
    await write.settled("relayed");
    await first.writer.close();

    const second = await setUpWriter({ persistence });
    second.append("b");
    await second.writer.flush();
    second.link.online(true);
    second.writer.joined("epoch");
    expect(laneUploads(second.link)).toHaveLength(1);
    await second.writer.close();

    const third = await setUpWriter({ persistence });
    third.link.online(true);
    third.writer.joined("another epoch");
    await laneUploads(third.link)[0]?.answer(acknowledged);
    expect(laneUploads(third.link)).toHaveLength(2);
    await third.writer.close();
  });

  it("LANE-13: a page is sent only once the relay has every page before it whole", async () => {
    const persistence = createInMemoryPersistence();
    const first = await setUpWriter({ persistence, alone: true });
    first.append("a");
    await first.writer.close();
    const second = await setUpWriter({ persistence });
    second.link.online(true);
    second.writer.joined("epoch");
    second.append("b");
    await second.writer.flush();
    const [before, ...more] = laneUploads(second.link);
    expect([before?.name, more]).toEqual([expect.stringMatching(/\/0-\d+$/), []]);
    await before?.answer(acknowledged);
    expect(laneUploads(second.link).map(({ name }) => name)).toEqual([
      before?.name,
      expect.stringMatching(/\/1-\d+$/),
    ]);
    await second.writer.close();
  });
});

describe("stages", () => {
  it("LANE-12: local and relayed settle by themselves, and pending counts what is not relayed", async () => {
    const { writer, link, append } = await setUpWriter();
    const a = append("a");
    const b = append("b");
    const at = (id: string) => {
      const place = parseEntryId(id);
      return place && writer.stageOf(place.page, place.index);
    };
    expect([writer.pending, at(a.id)]).toEqual([2, "pending"]);
    await b.settled("local");
    expect([writer.pending, at(a.id), at(b.id)]).toEqual([2, "local", "local"]);
    link.online(true);
    writer.joined("epoch");
    const c = append("c");
    expect([at(a.id), at(c.id)]).toEqual(["local", "pending"]);
    await c.settled("local");
    await settle();
    const [first, second] = laneUploads(link);
    await first?.answer(acknowledged);
    await b.settled("relayed");
    expect([writer.pending, at(a.id), at(b.id), at(c.id)]).toEqual([1, "relayed", "relayed", "local"]);
    await second?.answer(acknowledged);
    await c.settled("relayed");
    expect(writer.pending).toBe(0);
    await writer.close();
  });

  it("LANE-12: a refusal fails the relayed stage with its code, and local stands", async () => {
    const { writer, link, append, problems } = await setUpWriter();
    link.online(true);
    const write = append("a");
    await write.settled("local");
    await settle();
    const relayed = expect(write.settled("relayed")).rejects.toMatchObject({ code: "crdt/refused" });
    await link.uploads[0]?.answer(refused("gate/origin"));
    await relayed;
    expect(problems.map(({ code }) => code)).toEqual(["crdt/refused"]);
    await writer.close();
  });

  it("STORE-3: a database that fails is reported, the relay gets the entry, and the next store keeps it too", async () => {
    const { writer, link, append, problems, state, persistence } = await setUpWriter();
    link.online(true);
    state.fails = true;
    const lost = append("a");
    await expect(lost.settled("local")).rejects.toMatchObject({ code: "crdt/storage-failed" });
    await settle();
    expect(problems.map(({ code }) => code)).toEqual(["crdt/storage-failed"]);
    expect(laneUploads(link)).toHaveLength(1);
    const place = parseEntryId(lost.id);
    expect(place && writer.stageOf(place.page, place.index)).toBe("pending");
    state.fails = false;
    const kept = append("b");
    await writer.flush();
    await kept.settled("local");
    await lost.settled("local");
    await writer.close();
    const again = await setUpWriter({ persistence });
    expect(again.bodies()).toEqual([["a", "b"]]);
    await again.writer.close();
  });

  it("STORE-3: a write after a failed one waits for its own outcome", async () => {
    const { writer, append, state } = await setUpWriter();
    state.fails = true;
    const lost = append("a");
    await expect(lost.settled("local")).rejects.toMatchObject({ code: "crdt/storage-failed" });
    state.fails = false;
    await append("b").settled("local");
    await lost.settled("local");
    await writer.close();
  });

  it("STORE-1: until all that went out is stored, a writer does not confirm, and tells other tabs nothing of it", async () => {
    const { writer, link, append, state, told } = await setUpWriter();
    link.online(true);
    expect(await writer.confirm()).toBe(true);
    state.fails = true;
    append("a");
    writer.setRegister(register(["unstored"]));
    await writer.flush();
    expect(laneUploads(link)).toHaveLength(1);
    expect([await writer.confirm(), told]).toEqual([false, []]);
    const offered = [...writer.documents()].map(([name, document]) => [name, clocksIn(document).size]);
    expect(offered).toEqual([
      [`register/${writer.id}`, 0],
      [expect.stringContaining("lane/"), 0],
    ]);
    state.fails = false;
    expect([await writer.confirm(), told.length]).toEqual([true, 2]);
    await writer.close();
  });

  it("STORE-3: what could not be stored is tried again at a flush", async () => {
    const { writer, append, state, persistence } = await setUpWriter();
    state.fails = true;
    append("a");
    await writer.flush();
    state.fails = false;
    await writer.close();
    const again = await setUpWriter({ persistence });
    expect(again.bodies()).toEqual([["a"]]);
    await again.writer.close();
  });
});

describe("registers", () => {
  it("REG-1: changes within a short time are stored and sent as one; readers see each at once", async () => {
    const { writer, clock, link, state, told } = await setUpWriter({
      link: createScriptedLink({ answer: acknowledged }),
    });
    link.online(true);
    let heard = 0;
    writer.registerChanged.on(() => heard++);
    const later = () => [...clock.delays()].length > 0 && clock.runNext();
    writer.setRegister(register(["first"]));
    later();
    await settle();
    const { length } = state.writes;
    for (const name of ["a", "b", "c"]) {
      writer.setRegister(register([name]));
      expect(writer.register()?.capabilities).toEqual([name]);
    }
    await settle();
    expect([heard, state.writes.length]).toEqual([4, length]);
    later();
    await settle();
    const registers = state.writes.filter((keys) => keys.includes("register"));
    expect(registers).toHaveLength(2);
    expect(told).toEqual([`register/${writerName}`, `register/${writerName}`]);
    const document = new Y.Doc();
    for (const { name, update } of link.uploads)
      if (name.startsWith("register/")) Y.applyUpdate(document, update);
    expect(document.getMap("r").get("v")).toEqual({ ...register(["c"]), seenAt: 0 });
    await writer.close();
  });

  it("REG-1: a register stays small however often it is written", async () => {
    const { writer, clock } = await setUpWriter({ alone: true });
    for (let count = 0; count < 300; count++) {
      writer.setRegister(register([`${count}`]));
      clock.runNext();
      await settle();
    }
    const [[, document] = ["", new Y.Doc()]] = writer.documents();
    expect(Y.encodeStateAsUpdate(document).length).toBeLessThan(1_000);
    await writer.close();
  });

  it("REG-3: what the writer says of itself stands beside what its agent says, and neither loses the other's", async () => {
    const dayMs = 24 * 3_600_000;
    const { writer, clock } = await setUpWriter({ alone: true, startMs: 3 * dayMs + 5 });
    expect(writer.register()).toBeUndefined();
    writer.leave();
    const lane = { low: 1, first: 0, head: { page: "0-1", length: 1, hash: "ab".repeat(32) } };
    writer.setRegister({ ...register(["a"]), lane, left: true, seenAt: 1 });
    expect(writer.register()).toEqual({ ...register(["a"]), seenAt: 3 * dayMs });
    await writer.flush();
    for (let hour = 0; hour < 25; hour++) clock.advance(dayMs / 24);
    expect(writer.register()).toEqual({ ...register(["a"]), seenAt: 4 * dayMs });
    writer.leave();
    writer.setRegister(register(["b"]));
    expect(writer.register()).toEqual({ ...register(["b"]), seenAt: 4 * dayMs, left: true });
    await writer.close();
  });

  it("REG-3: a day costs one write, a writer that nobody uses none, and who comes back has not left", async () => {
    const dayMs = 24 * 3_600_000;
    const persistence = createInMemoryPersistence();
    const first = await setUpWriter({ persistence, alone: true });
    first.writer.setRegister(register());
    first.writer.leave();
    await first.writer.close();
    const second = await setUpWriter({ persistence, alone: true, startMs: 5 * dayMs });
    for (let hour = 0; hour < 48; hour++) second.clock.advance(dayMs / 24);
    await second.writer.flush();
    expect(second.state.writes.flat()).not.toContain("register");
    expect(second.writer.register()).toEqual({ ...register(), seenAt: 0, left: true });
    second.writer.setRegister(register());
    await second.writer.flush();
    for (let hour = 0; hour < 23; hour++) second.clock.advance(dayMs / 24);
    await second.writer.flush();
    expect(second.writer.register()).toEqual({ ...register(), seenAt: 7 * dayMs });
    expect(second.state.writes.flat().filter((key) => key === "register")).toHaveLength(1);
    await second.writer.close();
  });

  it("REG-1: a record that could not be stored is stored by the next flush", async () => {
    const { writer, state, persistence } = await setUpWriter({ alone: true });
    state.fails = true;
    writer.setRegister(register(["kept"]));
    await writer.flush();
    state.fails = false;
    await writer.close();
    const again = await setUpWriter({ persistence });
    expect(again.writer.register()?.capabilities).toEqual(["kept"]);
    await again.writer.close();
  });
});
