import { describe, expect, test } from "vitest";
import { createInMemoryStorage, type RoomStorage, type StorageCommit } from "../../src/edge/index.ts";
import { registerName, registerRoot, sharedName } from "../../src/protocol/index.ts";
import { editedDocument, pageOf, pageUpdates } from "./documents.ts";
import { createHarness, grantOf, type Harness, type HarnessOptions, watchedStorage } from "./room-harness.ts";
import { itemsOf, updateFrame } from "./wire.ts";

const dayMs = 86_400_000;
const days = 90;
const admin = grantOf("root", "admin");

function openRoom(storage: RoomStorage = createInMemoryStorage(), options: HarnessOptions = {}): Harness {
  return createHarness(storage, { alarm: true, retentionDays: days, ...options });
}

/** Writes as a client that comes for it alone. */
function write(room: Harness, name: string, client: number, load = 0): void {
  const { doc, take } = editedDocument(client);
  doc.getMap(registerRoot).set("v", { load });
  const updates = name.startsWith("lane/") ? pageUpdates(client, [load]) : take();
  const writer = room.join();
  writer.send(updateFrame(name, updates));
  room.clock.advance(1);
  expect(itemsOf(writer.items, "refuse")).toEqual([]);
  writer.leave();
}

/** Lets days go by, and the alarm ring whenever it is due; returns how often it did. */
function pass(room: Harness, count: number): number {
  const end = room.clock.now() + count * dayMs;
  let rings = 0;
  while (room.alarmAt !== undefined && room.alarmAt <= end) {
    rings++;
    room.elapse(Math.max(0, room.alarmAt - room.clock.now()));
  }
  room.elapse(end - room.clock.now());
  return rings;
}

function namesIn({ storage }: Harness): string[] {
  return storage.documentsAfter(0, 1_000).map(({ name }) => name);
}

describe("retention", () => {
  test("EXPIRE-1: a writer who wrote nothing for so many days loses register and pages, nobody else anything", () => {
    const room = openRoom();
    write(room, sharedName(), 1);
    write(room, registerName("anon.gone.x7"), 2);
    write(room, pageOf(3, "anon.gone.x7"), 3);
    write(room, pageOf(4, "anon.lost.x7"), 4);
    pass(room, 60);
    write(room, registerName("anon.here.x7"), 5);
    write(room, pageOf(6, "anon.here.x7"), 6);
    pass(room, days - 60);
    expect(namesIn(room)).toHaveLength(6);
    pass(room, 1);
    expect(namesIn(room)).toEqual([sharedName(), registerName("anon.here.x7"), pageOf(6, "anon.here.x7")]);
    pass(room, 400);
    expect([namesIn(room), room.alarmAt]).toEqual([[sharedName()], undefined]);
  });

  test("EXPIRE-2: one newer document keeps all of a writer's, whichever it is", () => {
    const room = openRoom();
    write(room, pageOf(3), 3);
    write(room, registerName("anon.planner.x7"), 2);
    for (let times = 0; times < 5; times++) {
      pass(room, days - 1);
      write(room, registerName("anon.planner.x7"), 100 + times, times);
    }
    expect(namesIn(room)).toHaveLength(2);
    pass(room, days - 1);
    write(room, pageOf(8), 8);
    pass(room, days);
    expect(namesIn(room)).toHaveLength(3);
    pass(room, 1);
    expect(namesIn(room)).toEqual([]);
  });

  test("EXPIRE-3: it costs an alarm a day at most, and none before anybody can be due", () => {
    const room = openRoom();
    write(room, sharedName(), 1);
    expect(room.alarmAt).toBeUndefined();
    write(room, registerName("anon.planner.x7"), 2);
    const first = room.alarmAt ?? 0;
    expect(first).toBeGreaterThan(room.clock.now() + days * dayMs);
    expect(first).toBeLessThanOrEqual(room.clock.now() + (days + 1) * dayMs);
    write(room, registerName("anon.planner.x7"), 3, 1);
    expect(room.alarmAt).toBe(first);
    let rings = 0;
    for (let day = 0; day < 200; day++) {
      rings += pass(room, 1);
      write(room, registerName("anon.planner.x7"), 1_000 + day, day);
    }
    expect(rings).toBeLessThanOrEqual(Math.ceil(200 / days));
    expect(namesIn(room)).toHaveLength(2);
  });

  test("EXPIRE-3: a room that slept, or that something else woke, still has its alarm", () => {
    const room = openRoom();
    write(room, registerName("anon.planner.x7"), 2);
    const at = room.alarmAt;
    room.forgetAlarm();
    room.wake();
    room.core.wake();
    expect(room.alarmAt).toBe(at);
    const leaver = room.join(undefined, undefined, {
      ...grantOf("bob"),
      expiresAt: room.clock.now() + 5_000,
    });
    expect(room.alarmAt).toBe(room.clock.now() + 5_000);
    leaver.leave();
    expect(room.alarmAt).toBe(at);
    room.wake();
    pass(room, days + 1);
    expect(namesIn(room)).toEqual([]);
  });

  test("EXPIRE-3: rooms do not all ring at midnight", () => {
    const moments = [1, 7, 13].map((hour) => {
      const room = openRoom();
      room.clock.advance(hour * 3_600_000);
      write(room, registerName("anon.planner.x7"), 2);
      return (room.alarmAt ?? 0) % dayMs;
    });
    expect(new Set(moments).size).toBe(3);
  });

  test("EXPIRE-4: many documents go in pieces, each a turn of its own", () => {
    const dropped: number[] = [];
    const room = openRoom(
      watchedStorage(({ dropDocuments }) => {
        if (dropDocuments) dropped.push(dropDocuments.length);
      }),
    );
    for (let client = 10; client < 80; client++)
      write(room, pageOf(client, `anon.w${client % 3}.x7`), client);
    pass(room, days + 1);
    expect(namesIn(room)).toEqual([]);
    expect(Math.max(...dropped)).toBeLessThanOrEqual(32);
    expect(dropped.reduce((sum, count) => sum + count)).toBe(70);
  });

  test("EXPIRE-4: a room whose host dies after any piece goes on where it was", () => {
    for (let dies = 1; dies <= 4; dies++) {
      const storage = createInMemoryStorage();
      let drops = 0;
      const failing = {
        ...storage,
        commit(changes: StorageCommit) {
          storage.commit(changes);
          if (changes.dropDocuments && ++drops === dies) throw new Error("killed");
        },
      };
      const room = openRoom(failing);
      for (let client = 10; client < 80; client++) write(room, pageOf(client, "anon.w.x7"), client);
      write(room, registerName("anon.here.x7"), 5);
      pass(room, days - 1);
      write(room, registerName("anon.here.x7"), 6, 1);
      pass(room, 2);
      room.wake();
      room.core.alarm();
      pass(room, 0);
      expect([drops, namesIn(room)]).toEqual([expect.any(Number), [registerName("anon.here.x7")]]);
    }
  });

  test("EXPIRE-5: a halted room keeps everything until its release, and a day", () => {
    const room = openRoom();
    write(room, registerName("anon.planner.x7"), 2);
    room.core.administration.halt(admin);
    expect(pass(room, 200)).toBeLessThanOrEqual(200 - days + 1);
    expect(namesIn(room)).toHaveLength(1);
    room.core.administration.release(admin);
    pass(room, 1);
    expect(namesIn(room)).toEqual([]);
  });

  test("EXPIRE-6: the day of a document is written once a day, not once a turn", () => {
    let written = 0;
    const room = openRoom(
      watchedStorage(({ days: changed = [] }) => {
        written += changed.length;
      }),
    );
    for (let day = 0; day < 3; day++) {
      for (let times = 0; times < 10; times++) {
        write(room, registerName("anon.planner.x7"), 10 * day + times + 1, times);
      }
      room.wake();
      pass(room, 1);
    }
    expect([written, room.storage.documentsOf("anon.planner.x7", 1)[0]?.day]).toEqual([2, 2]);
  });

  test("EXPIRE-7: with 0 days nothing goes, and nobody looks", () => {
    const storage = createInMemoryStorage();
    let looks = 0;
    const room = openRoom(
      {
        ...storage,
        idlestWriters(limit) {
          looks++;
          return storage.idlestWriters(limit);
        },
      },
      { retentionDays: 0 },
    );
    write(room, registerName("anon.planner.x7"), 2);
    expect([pass(room, 1_000), looks, namesIn(room).length]).toEqual([0, 0, 1]);
  });

  test("EXPIRE-7: other days hold from the next wake on, for what was written before", () => {
    const storage = createInMemoryStorage();
    const room = openRoom(storage);
    write(room, registerName("anon.planner.x7"), 2);
    const shorter = openRoom(storage, { retentionDays: 10 });
    shorter.clock.advance(9 * dayMs);
    shorter.core.wake();
    pass(shorter, 1);
    expect(namesIn(shorter)).toHaveLength(1);
    pass(shorter, 1);
    expect(namesIn(shorter)).toEqual([]);
  });

  test("EXPIRE-8: turns ask the storage nothing for it", () => {
    const storage = createInMemoryStorage();
    let looks = 0;
    const room = openRoom({
      ...storage,
      idlestWriters(limit) {
        looks++;
        return storage.idlestWriters(limit);
      },
    });
    for (let client = 1; client <= 50; client++) write(room, registerName("anon.planner.x7"), client, client);
    expect(looks).toBeLessThanOrEqual(2);
    for (let client = 1; client <= 50; client++) write(room, sharedName(), client, client);
    expect(looks).toBeLessThanOrEqual(2);
  });

  test("EXPIRE-9: it leaves one entry a writer and piece in the audit trail, counts, and a line in the log", () => {
    const told: unknown[] = [];
    const room = openRoom(undefined, {
      observer: {
        count: (name, by = 1) => void (name === "documents_dropped" && told.push(by)),
        gauge: () => {},
        log: (level, event, fields) => void (event === "writer past retention" && told.push([level, fields])),
      },
    });
    write(room, registerName("anon.planner.x7"), 2);
    write(room, pageOf(3), 3);
    pass(room, days + 1);
    expect(told).toEqual([
      2,
      ["info", { writer: "anon.planner.x7", documents: 2, bytes: expect.any(Number) }],
    ]);
    const [entry] = room.storage.auditAfter(0, 100).filter(({ verdict }) => verdict === "dropped");
    expect(entry).toMatchObject({
      principal: "",
      tokenId: "retention",
      subject: "retention/anon.planner.x7",
    });
  });

  test("EXPIRE-10: after an import or the room's deletion it counts anew", async () => {
    const room = openRoom();
    write(room, registerName("anon.planner.x7"), 2);
    const archive = room.core.administration.exportRoom(admin, "room");
    const chunks: Uint8Array[] = [];
    for await (const chunk of archive) chunks.push(chunk);
    pass(room, 80);
    room.core.administration.deleteRoom(admin);
    expect(room.alarmAt).toBeUndefined();
    async function* again() {
      yield* chunks;
    }
    await room.core.administration.importRoom(again(), admin);
    expect(room.alarmAt).toBeGreaterThan(room.clock.now() + days * dayMs);
    pass(room, days);
    expect(namesIn(room)).toHaveLength(1);
    pass(room, 1);
    expect(namesIn(room)).toEqual([]);
  });
});
