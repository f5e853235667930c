import { describe, expect, test } from "vitest";
import { createInMemoryStore } from "../../src/refstore/index.ts";
import {
  localReferenceStoreContract,
  referenceStoreContract,
} from "../../src/testing/reference-store-contract.ts";

const open = async () => createInMemoryStore();

describe("the contract in memory", () => {
  for (const { id, title, run } of [...referenceStoreContract(open), ...localReferenceStoreContract(open)]) {
    test(`${id}: ${title}`, run);
  }
});

const filled = (value: number, length = 10) => new Uint8Array(length).fill(value);

test("REF-12: past the cap the reference unused for longest goes first", async () => {
  const store = createInMemoryStore({ maxBytes: 30 });
  const [first, second, third] = [
    await store.put(filled(1)),
    await store.put(filled(2)),
    await store.put(filled(3)),
  ];
  await store.get(first);
  await store.put(filled(2));
  const fourth = await store.put(filled(4));
  expect(await Promise.all([first, second, third, fourth].map(({ id }) => store.has(id)))).toEqual([
    true,
    true,
    false,
    true,
  ]);
  expect(await store.stats()).toEqual({ count: 3, bytes: 30 });
});

test("REF-12: as many go as the new one needs, and no more", async () => {
  const store = createInMemoryStore({ maxBytes: 30 });
  for (const value of [1, 2, 3]) await store.put(filled(value));
  await store.put(filled(4, 15));
  expect(await store.stats()).toEqual({ count: 2, bytes: 25 });
});

test("REF-12: one larger than the cap is refstore/too-large and evicts nothing", async () => {
  const store = createInMemoryStore({ maxBytes: 30 });
  await store.put(filled(1, 30));
  await expect(store.put(filled(2, 31))).rejects.toMatchObject({ code: "refstore/too-large" });
  expect(await store.stats()).toEqual({ count: 1, bytes: 30 });
});

test("REF-12: what waits for its upload is never evicted; where that fills the store a put is refstore/quota", async () => {
  const store = createInMemoryStore({ maxBytes: 30 });
  const waiting = await store.put(filled(1, 20), { pending: true });
  const free = await store.put(filled(2));
  await store.put(filled(3));
  expect(await store.has(free.id)).toBe(false);
  await expect(store.put(filled(4, 11))).rejects.toMatchObject({ code: "refstore/quota" });
  expect(await store.stats()).toEqual({ count: 2, bytes: 30 });
  await store.uploads.remove(waiting.id);
  await store.put(filled(4, 11));
  expect(await store.has(waiting.id)).toBe(false);
});
