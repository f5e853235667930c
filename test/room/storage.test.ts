import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { createStore, get, set, type UseStore } from "idb-keyval";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openIndexedDbPersistence } from "../../src/crdt/index.ts";
import {
  openRoom,
  type RoomPlatform,
  type StorageFailure,
  type StorageManagerPort,
  storageFailureOf,
  text,
} from "../../src/index.ts";
import { createFakeLocks } from "../crdt/persistence/fake-locks.ts";
import { indexedDbFaults } from "../crdt/persistence/indexeddb-faults.ts";
import { createManualClock, until } from "../refstore/manual-clock.ts";
import { restoreRoomOfVersion1 } from "./stored-room.ts";

const state = { notes: text() };
const prefix = "flockstate/@local/team/anon/";
let browser = { indexedDB: globalThis.indexedDB, locks: createFakeLocks() };
const { fillDisk, abortWrite } = indexedDbFaults();

beforeEach(() => {
  browser = { indexedDB: new IDBFactory(), locks: createFakeLocks() };
  globalThis.indexedDB = browser.indexedDB;
});

let undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo) each();
  undo = [];
});

/** A tab of the browser. */
async function openTab(platform: RoomPlatform = {}, id = "team") {
  const persistence = platform.persistence ?? (await openIndexedDbPersistence(browser));
  const room = await openRoom(id, {
    state,
    platform: { persistence, openTabChannel: false, clock: createManualClock(), ...platform },
  });
  const problems: (StorageFailure | undefined)[] = [];
  room.onProblem((problem) => problems.push(storageFailureOf(problem)));
  return { room, problems, persistence };
}

const storageOf = ({ room }: Awaited<ReturnType<typeof openTab>>) => room.status.get().storage;
const namesLeft = async () =>
  (await browser.indexedDB.databases()).flatMap(({ name }) => (name?.startsWith(prefix) ? [name] : []));

/** Everything that a room keeps, of each kind. */
async function fill({ room }: Awaited<ReturnType<typeof openTab>>) {
  const planner = await room.agent("planner");
  const sent = await planner.send({ to: "planner", type: "NOTE", content: "kept" });
  await sent.settled("local");
  await room.state.notes.insert(0, "kept").settled("local");
  await room.refs.put(new Uint8Array(20_000));
  return planner;
}

describe("storage that fails", () => {
  it("STORE-32: a full disk is told and shown; what was written meanwhile is stored once there is room", async () => {
    const clock = createManualClock();
    const tab = await openTab({ clock });
    const planner = await fill(tab);
    const empty = fillDisk(tab.persistence);
    undo.push(empty);
    const note = tab.room.state.notes.insert(0, "late ");
    await expect(note.settled("local")).rejects.toMatchObject({ details: { reason: "quota" } });
    const sent = await planner.send({ to: "planner", type: "NOTE", content: "late" });
    await expect(sent.settled("local")).rejects.toMatchObject({ details: { reason: "quota" } });
    await expect(tab.room.refs.put(new Uint8Array(20_001))).rejects.toMatchObject({ code: "refstore/quota" });
    expect(storageOf(tab)).toBe("failed");
    expect(tab.problems.length).toBeGreaterThan(0);
    expect(new Set(tab.problems)).toEqual(new Set(["quota"]));
    empty();
    // Nothing more is written by the application: the room tries again by itself.
    for (let turn = 0; turn < 5; turn++) {
      clock.advance(60_000);
      await until(() => clock.delays().length > 0 || storageOf(tab) === "ready");
    }
    await tab.room.refs.put(new Uint8Array(20_001));
    await until(() => storageOf(tab) === "ready");
    await note.settled("local");
    await sent.settled("local");
    const reader = await openTab();
    expect(reader.room.state.notes.get()).toBe("late kept");
    expect(reader.room.messages.get().map(({ content }) => content)).toEqual(["kept", "late"]);
    await Promise.all([tab.room.close(), reader.room.close()]);
  });

  it("STORE-32: one aborted transaction is told, and gone with the next write", async () => {
    const tab = await openTab();
    const planner = await fill(tab);
    abortWrite(tab.persistence);
    const sent = await planner.send({ to: "planner", type: "NOTE", content: "again" });
    await expect(sent.settled("local")).rejects.toMatchObject({ details: { reason: "aborted" } });
    expect([storageOf(tab), tab.problems]).toEqual(["failed", ["aborted"]]);
    const next = await planner.send({ to: "planner", type: "NOTE", content: "next" });
    await until(() => storageOf(tab) === "ready");
    await Promise.all([sent.settled("local"), next.settled("local")]);
    await tab.room.close();
  });

  it("STORE-28: data that is cleared under the room is noticed at once, and the room works on in memory", async () => {
    const tab = await openTab();
    await fill(tab);
    for (const name of await namesLeft()) browser.indexedDB.deleteDatabase(name);
    await until(() => storageOf(tab) === "failed");
    expect(new Set(tab.problems)).toEqual(new Set(["closed"]));
    tab.room.state.notes.insert(0, "still ");
    expect(tab.room.state.notes.get()).toBe("still kept");
    await tab.room.close();
    const after = await openTab();
    expect([after.room.state.notes.get(), after.room.messages.get()]).toEqual(["", []]);
    await after.room.close();
  });

  for (const [what, refuse] of Object.entries<() => void>({
    "there is no IndexedDB": () => Object.assign(globalThis, { indexedDB: undefined }),
    "opening throws": () => {
      browser.indexedDB.open = () => {
        throw new DOMException("denied", "SecurityError");
      };
    },
    "the first write fails": () => undo.push(breakWritesForGood()),
  })) {
    it(`STORE-34: where ${what} the room works in memory, and says so`, async () => {
      refuse();
      const room = await openRoom("team", { state });
      const planner = await room.agent("planner");
      const sent = await planner.send({ to: "planner", type: "NOTE", content: "here" });
      await sent.settled("local");
      await room.state.notes.insert(0, "here").settled("local");
      const reference = await room.refs.put(new Uint8Array(20_000));
      expect((await room.refs.get(reference)).length).toBe(20_000);
      expect(room.status.get()).toMatchObject({ storage: "memory-only" });
      expect(room.status.get().quota).toBeUndefined();
      expect(await room.persist()).toBe(false);
      await room.deleteLocal();
    });
  }

  function breakWritesForGood(): () => void {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = () => {
      throw new DOMException("no room for anything", "QuotaExceededError");
    };
    return () => Object.assign(IDBObjectStore.prototype, { put });
  }
});

describe("how full storage is", () => {
  function createManager() {
    const manager = { usage: 10, quota: 100, isPersisted: false, asked: 0, measured: 0 };
    const storage: StorageManagerPort = {
      async estimate() {
        manager.measured++;
        return { usage: manager.usage, quota: manager.quota };
      },
      async persist() {
        manager.asked++;
        manager.isPersisted = true;
        return true;
      },
      persisted: async () => manager.isPersisted,
    };
    return { manager, storage };
  }

  it("STORE-33: is measured at opening, after a failure, and at most every five minutes while the room writes", async () => {
    const { manager, storage } = createManager();
    const clock = createManualClock();
    const tab = await openTab({ storage, clock });
    await until(() => tab.room.status.get().quota !== undefined);
    expect(tab.room.status.get().quota).toEqual({ usedBytes: 10, quotaBytes: 100, persisted: false });
    manager.usage = 20;
    await fill(tab);
    expect(manager.measured).toBe(1);
    clock.advance(5 * 60_000);
    await tab.room.state.notes.insert(0, "more ").settled("local");
    await until(() => tab.room.status.get().quota?.usedBytes === 20);
    expect(manager.measured).toBe(2);
    manager.usage = 100;
    const empty = fillDisk(tab.persistence);
    undo.push(empty);
    tab.room.state.notes.insert(0, "too much ");
    await until(() => tab.room.status.get().quota?.usedBytes === 100);
    expect([manager.measured, tab.room.status.get().storage]).toEqual([3, "failed"]);
    empty();
    await tab.room.close();
  });

  it("STORE-33: the browser is asked to keep the data when the application says so, never before", async () => {
    const { manager, storage } = createManager();
    const tab = await openTab({ storage });
    await fill(tab);
    expect(manager.asked).toBe(0);
    expect(await tab.room.persist()).toBe(true);
    expect(tab.room.status.get().quota?.persisted).toBe(true);
    await tab.room.close();
  });

  it("STORE-33: a browser that does not tell leaves the figures out", async () => {
    const refuse = () => Promise.reject(new DOMException("denied", "SecurityError"));
    const tab = await openTab({
      storage: { estimate: refuse, persist: async () => false, persisted: refuse },
    });
    await fill(tab);
    expect([tab.room.status.get().quota, await tab.room.persist()]).toEqual([undefined, false]);
    await tab.room.close();
  });
});

describe("deleteLocal", () => {
  it("STORE-35: leaves no database; what is opened next is a new writer with an empty history", async () => {
    const tab = await openTab();
    const { writer } = await fill(tab);
    expect((await namesLeft()).length).toBeGreaterThanOrEqual(4);
    await tab.room.deleteLocal();
    expect(await namesLeft()).toEqual([]);
    const again = await openTab();
    expect((await again.room.agent("planner")).writer).not.toBe(writer);
    expect([again.room.state.notes.get(), again.room.messages.get()]).toEqual(["", []]);
    await again.room.close();
  });

  it("STORE-35: while another tab has the room open nothing is deleted; a second call finishes", async () => {
    const [tab, other] = [await openTab(), await openTab()];
    await fill(tab);
    await expect(tab.room.deleteLocal()).rejects.toMatchObject({
      code: "crdt/storage-failed",
      details: { reason: "blocked" },
    });
    await other.room.state.notes.insert(0, "other ").settled("local");
    expect(storageOf(other)).toBe("ready");
    const reader = await openTab();
    // The two tabs did not hear each other, so either text may come first.
    expect(["other kept", "keptother "]).toContain(reader.room.state.notes.get());
    expect(reader.room.messages.get().length).toBe(1);
    await Promise.all([other.room.close(), reader.room.close()]);
    await tab.room.deleteLocal();
    expect(await namesLeft()).toEqual([]);
  });

  for (const isClosedFirst of [false, true]) {
    it(`STORE-35: finds every database by the room's own records where a browser lists none${isClosedFirst ? ", after closing too" : ""}`, async () => {
      const tab = await openTab();
      await fill(tab);
      await tab.room.close();
      const later = await openTab();
      const list = browser.indexedDB.databases.bind(browser.indexedDB);
      Object.assign(browser.indexedDB, { databases: undefined });
      if (isClosedFirst) await later.room.close();
      await later.room.deleteLocal();
      Object.assign(browser.indexedDB, { databases: list });
      expect(await namesLeft()).toEqual([]);
    });
  }

  it("STORE-35: one that was cut short is finished by the next room", async () => {
    const tab = await openTab();
    await fill(tab);
    const { deleteDatabase } = browser.indexedDB;
    let left = 2;
    browser.indexedDB.deleteDatabase = (name) => {
      if (left-- === 0) throw new DOMException("crashed", "UnknownError");
      return deleteDatabase.call(browser.indexedDB, name);
    };
    Object.assign(browser.indexedDB, { databases: undefined });
    await expect(tab.room.deleteLocal()).rejects.toMatchObject({ code: "crdt/storage-failed" });
    browser.indexedDB.deleteDatabase = deleteDatabase;
    Reflect.deleteProperty(browser.indexedDB, "databases");
    expect((await namesLeft()).length).toBeGreaterThan(0);
    Object.assign(browser.indexedDB, { databases: undefined });
    await (await openTab()).room.deleteLocal();
    Reflect.deleteProperty(browser.indexedDB, "databases");
    expect(await namesLeft()).toEqual([]);
  });
});

describe("schema versions of a room", () => {
  const records = "flockstate/@local/fixture/anon/records";
  const writerOf = (id: string) => `flockstate/@local/fixture/anon/writer/${id}`;

  /** Reads or writes one pair of a database that nobody has open. */
  async function raw<T>(database: string, task: (store: UseStore) => Promise<T>): Promise<T> {
    const store = createStore(database, "pairs");
    const result = await task(store);
    await store("readonly", (pairs) => pairs.transaction.db.close());
    return result;
  }
  const read = (database: string, key: string) => raw(database, (store) => get<unknown>(key, store));

  it("STORE-30: what version 1 had left is all there, and its writer writes on", async () => {
    await restoreRoomOfVersion1(browser.indexedDB);
    const clock = createManualClock(Date.UTC(2026, 11, 1));
    const tab = await openTab({ clock }, "fixture");
    expect(tab.room.state.notes.get()).toBe("written by version 1");
    expect(tab.room.messages.get().map(({ content }) => content)).toEqual(["one", "two", "three"]);
    expect((await tab.room.refs.stats()).count).toBeGreaterThanOrEqual(1);
    const planner = await tab.room.agent("planner");
    expect(planner.writer).toBe("anon.planner.EEFUoftlCcO");
    const sent = await planner.send({ to: "planner", type: "NOTE", content: "four" });
    await sent.settled("local");
    await tab.room.close();
    expect(tab.problems).toEqual([]);
    expect(await read(records, "schema")).toEqual({ version: 2 });
    const writer = writerOf(planner.writer);
    expect([await read(writer, "schema"), await read(writer, "identity")]).toEqual([
      { version: 2 },
      { version: 1 },
    ]);
    const again = await openTab({}, "fixture");
    expect(again.room.messages.get().map(({ content }) => content)).toEqual(["one", "two", "three", "four"]);
    await again.room.close();
  });

  it("STORE-31: a room that a later version kept is refused with a code, and left as it is", async () => {
    await restoreRoomOfVersion1(browser.indexedDB);
    await raw(records, (store) => set("schema", { version: 3 }, store));
    await expect(openTab({}, "fixture")).rejects.toMatchObject({ code: "crdt/storage-newer" });
    expect(await read(records, "schema")).toEqual({ version: 3 });
    expect(await read(writerOf("anon.planner.EEFUoftlCcO"), "schema")).toBeUndefined();
    // Nobody has it open any more.
    await (await openIndexedDbPersistence(browser)).forget("flockstate/@local/fixture/");
  });
});
