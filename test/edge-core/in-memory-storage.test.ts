import { expect, test } from "vitest";
import { createInMemoryStorage } from "../../src/edge/storage/in-memory-storage.ts";
import { roomStorageContract } from "../../src/testing/room-storage-contract.ts";

for (const { id, title, run } of roomStorageContract(async () => createInMemoryStorage())) {
  test(`${id}: ${title} (in memory)`, run);
}

test("ROWS-7: the contract catches a storage that commits by halves", async () => {
  const broken = async () => {
    const storage = createInMemoryStorage();
    return {
      ...storage,
      commit(changes: Parameters<typeof storage.commit>[0]) {
        const { settings, ...rest } = changes;
        if (settings) storage.commit({ settings });
        storage.commit(rest);
      },
    };
  };
  const cases = roomStorageContract(broken).filter(({ id }) => id === "ROWS-7");
  expect(cases).not.toHaveLength(0);
  for (const { run } of cases) await expect(run()).rejects.toThrow();
});
