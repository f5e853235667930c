import { describe, expect, it } from "vitest";
import { timestampFromMs } from "../../src/base/index.ts";
import { defaultRetention } from "../../src/crdt/index.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import { registerName } from "../../src/protocol/index.ts";
import { until } from "../refstore/manual-clock.ts";
import { settle } from "./fake-relay.ts";
import { createScriptedPages, writeLane } from "./history-lane.ts";
import { writePage } from "./lanes.ts";
import { openReader, type Reader, theirs, writeRegister } from "./reader-harness.ts";

const dayMs = 86_400_000;
const nowMs = 1_000 * dayMs;
const longAgo = nowMs - 91 * dayMs;
/** Somebody who was seen since. */
const another = "carol.clerk.CCCCCCCCCCC";

/** What a replica asked the relay to drop. */
const dropped = ({ relay }: Reader) =>
  relay.last.sent.flatMap((each) =>
    each.type === "document" && each.message.type === "drop" ? [each.name ?? ""] : [],
  );

/** The relay acknowledges everything that comes, until the condition holds. */
async function acknowledge(reader: Reader, holds: () => boolean): Promise<void> {
  await until(() => {
    if (holds()) return true;
    const { mark } = reader.relay.last;
    if (mark > 0) reader.relay.last.send({ type: "acknowledge", number: mark });
    return false;
  });
}

const isKnown = (reader: Reader) => reader.documents.registers().has(theirs);

/** A minute passes, in which the relay is heard of. */
async function pass(reader: Reader): Promise<void> {
  for (let seconds = 0; seconds < 60; seconds += 10) {
    reader.relay.last.send({ type: "cursor", sequence: 99 });
    reader.clock.advance(10_000);
    await settle();
  }
}

async function setUp({
  principal = "bob",
  seenAt = longAgo,
  scopes = ["write:own"] as const,
  ...rest
}: {
  principal?: string;
  seenAt?: number | null;
  scopes?: readonly ("admin" | "write:own")[];
  since?: number;
} = {}) {
  const pages = createScriptedPages();
  const lane = await writeLane({ writer: theirs, pages, count: 8 });
  const persistence = createInMemoryPersistence();
  const reader = await openReader({ pages, persistence, principal, startMs: nowMs });
  reader.documents.connect();
  const register = writeRegister();
  const seen = writeRegister(another);
  const record = { lane: lane.marks(6), since: rest.since ?? 1, ...(seenAt !== null && { seenAt }) };
  const begin = async (own: Reader) => {
    await until(() => {
      own.clock.advance(1_000);
      return !own.relay.last.closed;
    });
    own.relay.last.open();
    own.relay.last.send(
      { type: "welcome", version: 1, epoch: "e", sequence: 0, resumed: true, presence: 1 },
      { type: "granted", principal, scopes, expiresAt: undefined },
    );
  };
  /** Joins a relay that has a register, and the pages that are not sealed. */
  const join = async (own: Reader = reader, update = register.update(record)) => {
    await begin(own);
    await own.tell(seen.name, seen.update({ seenAt: nowMs + 2 * dayMs }));
    for (const { document, update } of lane.written.slice(6)) await own.tell(document, update);
    await own.tell(register.name, update);
    own.relay.last.send({ type: "joined" });
    await pass(own);
  };
  /** Nothing is new. */
  const rejoin = async () => {
    await begin(reader);
    reader.relay.last.send({ type: "joined" });
    await pass(reader);
  };
  return { pages, lane, persistence, reader, register, record, join, rejoin };
}

describe("departed writers", () => {
  it("HIST-20: what a writer left goes from memory and database once nobody has had it open for 90 days", async () => {
    const { reader, join } = await setUp();
    await join();
    expect([isKnown(reader), reader.live(), dropped(reader)]).toEqual([false, [], []]);
    expect(await reader.stored()).toEqual([registerName(another)]);
  });

  it.each([
    ["was seen since", { seenAt: nowMs - 89 * dayMs }],
    ["does not say so, and began since", { seenAt: null, since: nowMs - 89 * dayMs }],
  ])("HIST-20: control: one that %s stays", async (_, options) => {
    const { reader, join, rejoin } = await setUp(options);
    await join();
    expect([isKnown(reader), reader.live()]).toEqual([true, [6, 7]]);
    reader.clock.advance(2 * dayMs);
    await settle();
    expect(isKnown(reader)).toBe(true);
    await rejoin();
    expect(isKnown(reader)).toBe(false);
    expect(await reader.stored()).toEqual([registerName(another)]);
  });

  it("HIST-21: a device that was away for long first hears who was there meanwhile", async () => {
    const { reader, join, persistence, register, record, pages } = await setUp({ seenAt: nowMs });
    await join();
    await reader.documents.flush();
    await reader.documents.close();
    const again = await openReader({
      persistence,
      pages,
      principal: "bob",
      startMs: nowMs + 200 * dayMs,
    });
    again.documents.connect();
    again.clock.advance(3_600_000);
    await settle();
    expect([isKnown(again), again.live()]).toEqual([true, [6, 7]]);
    await join(again, register.update({ ...record, seenAt: nowMs + 199 * dayMs }));
    expect([isKnown(again), again.live()]).toEqual([true, [6, 7]]);
  });

  it("HIST-21: a clock that is far ahead of everybody else's lets nobody depart", async () => {
    const { reader, join } = await setUp({ seenAt: nowMs });
    reader.clock.advance(365 * dayMs);
    await join();
    expect([isKnown(reader), reader.live()]).toEqual([true, [6, 7]]);
  });

  it("HIST-21: whoever is present has not departed, whatever its register says", async () => {
    const { reader, join } = await setUp();
    reader.relay.last.open();
    const state = JSON.stringify({ session: "AAAAAAAAAAB", writers: [theirs], awareness: null });
    await reader.documents.presence.heardRelay([{ id: 9, clock: 1, state }]);
    await join();
    expect(isKnown(reader)).toBe(true);
    await reader.documents.presence.heardRelay([{ id: 9, clock: 2, state: undefined }]);
    await pass(reader);
    await until(() => !isKnown(reader));
  });

  it("HIST-22: a replica of its principal drops it at the relay, its seals first and its register last", async () => {
    const { reader, join, pages, lane } = await setUp({ principal: "ann" });
    await join();
    await until(() => pages.deleted.length === 6);
    expect(isKnown(reader)).toBe(true);
    await acknowledge(reader, () => !isKnown(reader));
    expect(dropped(reader)).toEqual([lane.page(6).document, lane.page(7).document, `register/${theirs}`]);
    expect(pages.deleted).toEqual(lane.written.slice(0, 6).map(({ hash }) => hash));
    expect(await reader.stored()).toEqual([registerName(another)]);
  });

  it("HIST-22: so does an administrator's, but for the seals: a lane may name another's as its own", async () => {
    const { reader, join, pages } = await setUp({ scopes: ["write:own", "admin"] });
    await join();
    await acknowledge(reader, () => !isKnown(reader));
    expect([dropped(reader).length, pages.deleted]).toEqual([3, []]);
  });

  it("HIST-22: cut off on the way, it goes on at the next join", async () => {
    const { reader, join, pages, lane } = await setUp({ principal: "ann" });
    pages.isOffline = true;
    await join();
    await settle();
    expect([isKnown(reader), dropped(reader)]).toEqual([true, []]);
    pages.isOffline = false;
    for (const number of [0, 1, 2]) pages.seals.delete(lane.page(number).hash);
    await pass(reader);
    await until(() => dropped(reader).length > 0);
    expect([pages.seals.size, isKnown(reader)]).toEqual([2, true]);
    reader.relay.last.close(1006);
    await settle();
    expect(isKnown(reader)).toBe(true);
    reader.clock.advance(1_000);
    await join();
    await acknowledge(reader, () => !isKnown(reader));
    expect(reader.live()).toEqual([]);
  });

  it("HIST-23: its own database on this device goes, unless another tab has it open", async () => {
    const { persistence, pages } = await setUp();
    const first = await openReader({
      persistence,
      pages,
      principal: "ann",
      startMs: longAgo,
      hasRelay: false,
    });
    const { writer } = await first.documents.openWriter("planner");
    writer.setRegister({ version: 1, since: longAgo, capabilities: [], consumers: {} });
    await writer.append({ kind: "note", parents: [], body: "mine" }).settled("local");
    await writer.flush();
    const open = { persistence, pages, principal: "ann", startMs: nowMs + dayMs, hasRelay: false };
    const since = await openReader({ ...open, startMs: nowMs });
    const { writer: another } = await since.documents.openWriter("clerk");
    another.setRegister({ version: 1, since: nowMs, capabilities: [], consumers: {} });
    await another.flush();
    await since.documents.close();
    const second = await openReader(open);
    const has = (reader: Reader) => [reader.documents.registers().has(writer.id), reader.bodies(writer.id)];
    await settle();
    expect(has(second)).toEqual([true, ["mine"]]);
    await first.documents.close();
    second.clock.advance(60_000);
    await until(() => !second.documents.registers().has(writer.id));
    expect(has(second)).toEqual([false, []]);
    const records = await persistence.open("room/records");
    await until(async () => (await records.get(`writer/${writer.id}`)) === undefined);
    await settle();
    expect(has(await openReader(open))).toEqual([false, []]);
  });

  it("HIST-24: what a stale replica brings back of it is not taken up, until the writer itself is back", async () => {
    const { reader, join, lane, register, record } = await setUp();
    await join();
    expect(isKnown(reader)).toBe(false);
    await reader.tell(lane.page(6).document, lane.page(6).update);
    expect(reader.live()).toEqual([]);
    await reader.tell(register.name, writeRegister().update(record));
    await until(() => !isKnown(reader));
    await reader.tell(register.name, writeRegister().update({ ...record, seenAt: nowMs }));
    const page = writePage(8, 8);
    await reader.tell(`lane/${theirs}/8-8`, page.append({ bodies: ["back"] }));
    expect([isKnown(reader), reader.bodies()]).toEqual([true, ["back"]]);
  });

  it("HIST-25: where the writer's page comes before its word that it is back, the relay is joined from zero, once", async () => {
    const {
      reader,
      join,
      rejoin,
      register: { name },
      record,
    } = await setUp();
    await join();
    const page = writePage(8, 8);
    const update = page.append({ bodies: ["back"] });
    const document = `lane/${theirs}/8-8`;
    const sockets = reader.relay.sockets.length;
    await reader.tell(document, update);
    const back = writeRegister();
    await reader.tell(name, back.update({ ...record, seenAt: nowMs }));
    expect([reader.bodies(), reader.documents.online.get()]).toEqual([[], false]);
    await rejoin();
    expect(reader.relay.sockets.length).toBe(sockets + 1);
    await reader.tell(document, update);
    expect([reader.bodies(), reader.documents.online.get()]).toEqual([["back"], true]);
    await reader.tell(name, back.update({ ...record, seenAt: longAgo }));
    await pass(reader);
    await until(() => !isKnown(reader));
    await reader.tell(document, update);
    await reader.tell(name, writeRegister().update({ ...record, seenAt: nowMs + dayMs }));
    expect([isKnown(reader), reader.documents.online.get()]).toEqual([true, true]);
  });

  it("HIST-25: a register that goes on and on about its past has nobody join from zero more than once an hour", async () => {
    const { reader, join, rejoin, register, record } = await setUp();
    await join();
    const sockets = reader.relay.sockets.length;
    const say = (since: number) => reader.tell(register.name, register.update({ ...record, since }));
    await say(2);
    expect(reader.documents.online.get()).toBe(false);
    await rejoin();
    for (const since of [3, 4, 5]) await say(since);
    expect([reader.relay.sockets.length, reader.documents.online.get()]).toEqual([sockets + 1, true]);
    reader.clock.advance(3_600_000);
    await settle();
    await rejoin();
    await say(6);
    expect([reader.documents.online.get(), reader.problems]).toEqual([false, []]);
  });

  it("HIST-24: with no end to it, nobody departs", async () => {
    const { pages } = await setUp();
    const reader = await openReader({
      pages,
      startMs: nowMs,
      retention: { ...defaultRetention, departedMs: Number.POSITIVE_INFINITY },
    });
    reader.documents.connect();
    reader.relay.last.join();
    const register = writeRegister();
    await reader.tell(register.name, register.update({ since: 1 }));
    reader.clock.advance(7_200_000);
    await settle();
    expect(isKnown(reader)).toBe(true);
  });
});

it("VIEW-16: what rests on a writer of whom nothing is left folds, once all was told and it had a day to come", async () => {
  const reader = await openReader({ startMs: nowMs });
  const view = reader.documents.views.open<readonly unknown[]>({
    key: ({ kind }) => kind,
    init: () => [],
    step: (state, { body }) => [...state, body],
  });
  const page = writePage();
  const parents = ["ann.gone.AAAAAAAAAAA/0-9/0"];
  reader.documents.connect();
  await until(() => {
    reader.clock.advance(1_000);
    return !reader.relay.last.closed;
  });
  const { last } = reader.relay;
  last.open();
  last.send(
    { type: "welcome", version: 1, epoch: "e", sequence: 0, resumed: true, presence: 1 },
    { type: "granted", principal: "anon", scopes: ["write:own"], expiresAt: undefined },
  );
  await reader.tell(writeRegister().name, writeRegister().update());
  for (const ago of [2 * dayMs, 0]) {
    const clock = timestampFromMs(nowMs - ago);
    await reader.tell(`lane/${theirs}/0-7`, page.append({ bodies: [ago], clock, parents }));
  }
  expect([view.get("note"), view.status("note")]).toEqual([undefined, "waiting"]);
  last.send({ type: "joined" });
  await settle();
  expect([view.get("note"), view.status("note")]).toEqual([[2 * dayMs], "waiting"]);
});
