import { expect, test } from "vitest";
import { createInMemoryStore, type LocalReferenceStore } from "../../src/refstore/index.ts";
import {
  localReferenceStoreContract,
  referenceStoreContract,
} from "../../src/testing/reference-store-contract.ts";

/** The rules that a store breaks which differs from a good one in these members. */
async function brokenRules(change: (good: LocalReferenceStore) => Partial<LocalReferenceStore>) {
  const open = async () => {
    const good = createInMemoryStore();
    return { ...good, ...change(good) };
  };
  const broken = new Set<string>();
  for (const { id, run } of [...referenceStoreContract(open), ...localReferenceStoreContract(open)]) {
    await run().catch(() => broken.add(id));
  }
  return [...broken].sort();
}

test("negative control: the contract finds nothing in a good store", async () => {
  expect(await brokenRules(() => ({}))).toEqual([]);
});

/** By what is wrong with a store: the rule that must notice, and how to break it. */
const faults: Record<string, [rule: string, change: Parameters<typeof brokenRules>[0]]> = {
  "hands out its own bytes": [
    "REF-3",
    (good) => {
      const handedOut = new Map<string, Uint8Array>();
      return {
        async get(reference, options) {
          const id = typeof reference === "string" ? reference : reference.id;
          const bytes = handedOut.get(id) ?? (await good.get(reference, options));
          handedOut.set(id, bytes);
          return bytes;
        },
      };
    },
  ],
  "forgets the content type": [
    "REF-1",
    (good) => ({ put: (bytes, { contentType: _, ...options } = {}) => good.put(bytes, options) }),
  ],
  "never deletes": ["REF-4", () => ({ delete: async () => true })],
  "has everything": ["REF-4", () => ({ has: async () => true })],
  "takes any id": ["REF-5", () => ({ has: async () => false })],
  "ignores signals": ["REF-8", (good) => ({ get: (reference) => good.get(reference) })],
  "never closes": ["REF-9", () => ({ close: async () => undefined })],
  "lists nothing": ["REF-10", () => ({ async *list() {} })],
  "never enters the ledger": [
    "REF-11",
    (good) => ({ put: (bytes, { pending: _, ...options } = {}) => good.put(bytes, options) }),
  ],
};

for (const [fault, [rule, change]] of Object.entries(faults)) {
  test(`negative control: a store that ${fault} breaks ${rule}`, async () => {
    expect(await brokenRules(change)).toContain(rule);
  });
}
