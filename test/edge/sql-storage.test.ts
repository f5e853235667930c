import { env, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { openSqlStorage } from "../../src/edge/index.ts";
import { roomStorageContract } from "../../src/testing/room-storage-contract.ts";

let rooms = 0;

/** Runs a case inside an object of its own: SQLite cannot leave it. */
const cases = roomStorageContract(async () => {
  throw new Error("Each case is run over its own storage below.");
});

cases.forEach(({ id, title }, index) => {
  test(`${id}: ${title} (SQLite)`, async () => {
    await runInDurableObject(env.ROOMS.getByName(`contract-${rooms++}`), async (_, { storage }) => {
      await roomStorageContract(async () => openSqlStorage(storage))[index]?.run();
    });
  });
});

test("ROWS-9: opening the storage again keeps what is in it", async () => {
  await runInDurableObject(env.ROOMS.getByName("again"), (_, { storage }) => {
    openSqlStorage(storage).commit({ settings: { epoch: "kept" } });
    expect(openSqlStorage(storage).setting("epoch")).toBe("kept");
  });
});
