import { describe, expect, it } from "vitest";
import {
  createInMemoryPersistence,
  type KeyValueStore,
  type Persistence,
  storageFailed,
} from "../../../src/crdt/index.ts";
import { migrate, type SchemaStep, schemaKey, withSchemas } from "../../../src/crdt/persistence/schema.ts";

/** Each leaves its mark, and takes the one before it away. */
const steps: readonly SchemaStep[] = [
  async () => ({ put: [["two", 2]] }),
  async (store) => ({ put: [["three", (await store.get("two")) ?? "missed"]], remove: ["two"] }),
  async (store) => ({ put: [["four", (await store.get("three")) ?? "missed"]], remove: ["three"] }),
];

const open = async () => createInMemoryPersistence().open("a");
const versionOf = async (store: KeyValueStore) =>
  (await store.get(schemaKey)) as { version: number } | undefined;

/** Fails at the given write, as a process that dies before it. */
function dyingAt(store: KeyValueStore, count: number): KeyValueStore {
  let left = count;
  return {
    ...store,
    async write(change) {
      if (left-- === 0) throw storageFailed("write a", "aborted");
      await store.write(change);
    },
  };
}

describe("schema versions", () => {
  it("STORE-30: a database without a version is of version 1 and takes every step, in order", async () => {
    const store = await open();
    await store.write({ put: [["old", 1]] });
    await migrate("a", store, steps);
    expect(await store.entries("")).toEqual([
      ["four", 2],
      ["old", 1],
      [schemaKey, { version: 4 }],
    ]);
  });

  it("STORE-30: one that is up to date is not written", async () => {
    const store = await open();
    await migrate("a", store, steps);
    await migrate("a", dyingAt(store, 0), steps);
    expect(await versionOf(store)).toEqual({ version: 4 });
  });

  for (const count of [0, 1, 2]) {
    it(`STORE-30: a crash before step ${count + 1} is gone on from at the next opening`, async () => {
      const store = await open();
      await expect(migrate("a", dyingAt(store, count), steps)).rejects.toMatchObject({
        code: "crdt/storage-failed",
      });
      expect((await versionOf(store))?.version ?? 1).toBe(count + 1);
      await migrate("a", store, steps);
      expect((await store.entries("")).map(([key]) => key)).toEqual(["four", schemaKey]);
      expect(await store.get("four")).toBe(2);
    });
  }

  it("STORE-30: a step that changes nothing but the version may wait for space on the disk", async () => {
    const store = await open();
    await migrate("a", dyingAt(store, 0), [async () => ({})]);
    expect(await versionOf(store)).toBeUndefined();
    await migrate("a", store, [async () => ({})]);
    expect(await versionOf(store)).toEqual({ version: 2 });
  });

  it("STORE-31: a later version is refused with a code, and nothing is written", async () => {
    const store = await open();
    await store.write({ put: [[schemaKey, { version: 9 }] as const, ["old", 1] as const] });
    await expect(migrate("a", dyingAt(store, 0), steps)).rejects.toMatchObject({
      code: "crdt/storage-newer",
      details: { database: "a", version: 9, latest: 4 },
    });
    expect((await store.entries("")).length).toBe(2);
  });

  it("STORE-30: opening a database by its name takes that name's steps; one that fails is let go of", async () => {
    const memory = createInMemoryPersistence();
    const versioned: Persistence = withSchemas(memory, (name) => (name === "a" ? steps : []));
    const [a, b] = [await versioned.open("a"), await versioned.open("b")];
    expect([await versionOf(a), await versionOf(b)]).toEqual([{ version: 4 }, undefined]);
    await a.write({ put: [[schemaKey, { version: 5 }]] });
    await Promise.all([a.close(), b.close()]);
    await expect(versioned.open("a")).rejects.toMatchObject({ code: "crdt/storage-newer" });
    // Nobody has it open.
    await memory.forget("a");
  });
});
