import { expect, test } from "vitest";
import { createInMemoryStorage, type RoomStorage, type StorageCommit } from "../../src/edge/index.ts";
import { admin } from "./administered-room.ts";
import { pageOf, pageUpdates } from "./documents.ts";
import { createHarness, grantOf } from "./room-harness.ts";
import { itemsOf, updateFrame } from "./wire.ts";

/** A storage that takes no rows while it is full. */
function fillable(): { storage: RoomStorage; setFull(is: boolean): void } {
  const memory = createInMemoryStorage();
  let isFull = false;
  return {
    storage: {
      ...memory,
      commit(changes: StorageCommit) {
        if (isFull && changes.rows) throw new Error("SQLITE_FULL");
        memory.commit(changes);
      },
    },
    setFull(is) {
      isFull = is;
    },
  };
}

test.each([
  ["halt", (room: ReturnType<typeof createHarness>) => room.core.administration.halt(admin)],
  [
    "revoke",
    (room: ReturnType<typeof createHarness>) => room.core.administration.revoke(admin, { kind: "room" }),
  ],
])(
  "ADMIN-9: a turn that fails as %s ends it ends the room: nothing of it is acknowledged later",
  (_, act) => {
    const { storage, setFull } = fillable();
    const room = createHarness(storage);
    const writer = room.join(undefined, undefined, { ...grantOf("anon"), expiresAt: 2_000_000 });
    room.crowd();
    writer.send(updateFrame(pageOf(7), pageUpdates(7, ["lost"]), 1));
    setFull(true);
    expect(() => act(room)).toThrow("SQLITE_FULL");
    setFull(false);
    room.clock.advance(10);
    writer.send(updateFrame(pageOf(8), pageUpdates(8, ["later"]), 2));
    room.clock.advance(10);
    expect(itemsOf(writer.items, "acknowledge")).toEqual([]);
    expect(writer.closed?.code).toBe(4503);
    expect(room.failures).toHaveLength(1);
    expect([...storage.clocks(storage.documentNamed(pageOf(7))?.id ?? 0)]).toEqual([]);
  },
);
