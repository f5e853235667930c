import { describe, expect, it } from "vitest";
import { FlockError } from "../../src/base/index.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import type { StoredChange } from "../../src/crdt/persistence/port.ts";
import { createSaver, cursorKey } from "../../src/crdt/saver.ts";
import { settle } from "./fake-relay.ts";

async function setUp() {
  const records = await createInMemoryPersistence().open("records");
  const events: string[] = [];
  const state: {
    unsaved: [string, string][];
    obsolete: string[];
    fails: boolean;
    confirmFails: boolean;
    confirm: Promise<void>;
    isOwnStored: boolean;
  } = {
    unsaved: [],
    obsolete: [],
    fails: false,
    confirmFails: false,
    confirm: Promise.resolve(),
    isOwnStored: true,
  };
  const saver = createSaver({
    records: {
      ...records,
      async write(change: StoredChange) {
        if (state.fails) throw new FlockError("crdt/storage-failed", "disk full");
        events.push(`write ${(change.put ?? []).map(([key]) => key).join(" ")}`);
        await records.write(change);
      },
    },
    takeUnsaved() {
      const put = state.unsaved;
      state.unsaved = [];
      return { put, remove: state.obsolete };
    },
    async confirmShared() {
      events.push("confirm");
      await state.confirm;
      if (state.confirmFails) throw new FlockError("crdt/storage-failed", "not confirmed");
    },
    confirmOwn: async () => state.isOwnStored,
    onFailed: () => events.push("failed"),
  });
  return { saver, records, events, state };
}

const cursor = (sequence: number) => ({ epoch: "e", sequence });

describe("the saver", () => {
  it("STORE-1: the cursor goes with the changes that it covers, after the shared documents are confirmed", async () => {
    const { saver, events, state, records } = await setUp();
    let confirmed = () => {};
    state.confirm = new Promise((resolve) => {
      confirmed = resolve;
    });
    state.unsaved = [["update/a", "a"]];
    saver.note(cursor(5));
    await settle();
    expect([events, await records.get(cursorKey)]).toEqual([["confirm"], undefined]);
    confirmed();
    await saver.flush();
    expect(events).toEqual(["confirm", "write update/a cursor"]);
    expect(await records.get(cursorKey)).toEqual(cursor(5));
  });

  it("STORE-1: what arrives while one store runs goes into the next, with its own cursor", async () => {
    const { saver, events, state, records } = await setUp();
    let confirmed = () => {};
    state.confirm = new Promise((resolve) => {
      confirmed = resolve;
    });
    state.unsaved = [["update/a", "a"]];
    saver.note(cursor(5));
    await settle();
    state.unsaved = [["update/b", "b"]];
    saver.note(cursor(6));
    state.unsaved.push(["update/c", "c"]);
    saver.note();
    confirmed();
    await saver.flush();
    expect(events.filter((event) => event.startsWith("write"))).toEqual([
      "write update/a cursor",
      "write update/b update/c cursor",
    ]);
    expect(await records.get(cursorKey)).toEqual(cursor(6));
  });

  it("STORE-1: without a cursor nothing is confirmed", async () => {
    const { saver, events, state } = await setUp();
    state.unsaved = [["update/a", "a"]];
    saver.note();
    await saver.flush();
    expect(events).toEqual(["write update/a"]);
  });

  it("STORE-2: a store that fails keeps its changes and its cursor, and the next one has them first", async () => {
    const { saver, events, state, records } = await setUp();
    state.fails = true;
    state.unsaved = [["update/a", "a"]];
    saver.note(cursor(5));
    await saver.flush();
    expect(events).toEqual(["confirm", "failed"]);
    state.unsaved = [["update/b", "b"]];
    state.fails = false;
    saver.note();
    await saver.flush();
    expect(events.slice(2)).toEqual(["confirm", "write update/a update/b cursor"]);
    expect(await records.get(cursorKey)).toEqual(cursor(5));
  });

  it("STORE-2: what became obsolete while its store failed is not stored any more", async () => {
    const { saver, state, records } = await setUp();
    state.fails = true;
    state.unsaved = [["update/a", "a"]];
    saver.note();
    await settle();
    state.fails = false;
    state.unsaved = [["update/b", "b"]];
    state.obsolete = ["update/a"];
    saver.note();
    await saver.flush();
    expect((await records.entries("")).map(([key]) => key)).toEqual(["update/b"]);
  });

  it("STORE-2: a flush tries again what is left, and a newer cursor is not replaced by an older", async () => {
    const { saver, events, state, records } = await setUp();
    state.fails = true;
    state.unsaved = [["update/a", "a"]];
    saver.note(cursor(5));
    await settle();
    saver.note(cursor(7));
    await settle();
    state.fails = false;
    await saver.flush();
    expect(events.at(-1)).toBe("write update/a cursor");
    expect(await records.get(cursorKey)).toEqual(cursor(7));
  });

  it("STORE-2: no cursor is stored while a shared document is not confirmed", async () => {
    const { saver, state, records, events } = await setUp();
    state.confirmFails = true;
    saver.note(cursor(5));
    await saver.flush();
    expect([await records.get(cursorKey), events]).toEqual([undefined, ["confirm", "failed"]]);
    state.confirmFails = false;
    await saver.flush();
    expect(await records.get(cursorKey)).toEqual(cursor(5));
  });

  it("STORE-1: no cursor is stored past what a writer has sent and not stored; what others wrote is", async () => {
    const { saver, state, records } = await setUp();
    state.isOwnStored = false;
    state.unsaved = [["update/a", "a"]];
    saver.note(cursor(5));
    await saver.flush();
    expect([await records.get(cursorKey), await records.get("update/a")]).toEqual([undefined, "a"]);
    state.isOwnStored = true;
    await saver.flush();
    expect(await records.get(cursorKey)).toEqual(cursor(5));
  });
});
