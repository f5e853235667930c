import { env, runInDurableObject, SELF } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { defaultRoomLimits } from "../../src/edge/index.ts";
import { createRoomAdministration } from "../../src/edge/room/administration.ts";
import { discardUnfinishedImport } from "../../src/edge/room/condition.ts";
import { createLedger } from "../../src/edge/room/ledger/ledger.ts";
import { openSqlStorage } from "../../src/edge/storage/sql-storage.ts";
import { closeCodes } from "../../src/protocol/index.ts";
import { admin, inChunks } from "../edge-core/administered-room.ts";
import { pageOf, pageUpdates } from "../edge-core/documents.ts";
import { createManualClock } from "../edge-core/room-harness.ts";
import { itemsOf, updateFrame } from "../edge-core/wire.ts";
import { countRows, join, origin, type RelayClient } from "./relay-client.ts";

let rooms = 0;
const freshRoom = () => `archive-${rooms++}`;
const updatesOf = (client: RelayClient) => itemsOf(client.items, "update").map(({ update }) => update);

function ask(method: string, path: string, body?: Uint8Array): Promise<Response> {
  const headers: Record<string, string> = body ? { "content-type": "application/vnd.flockstate.room" } : {};
  return SELF.fetch(`${origin}${path}`, {
    method,
    headers,
    ...(body && { body: body as Uint8Array<ArrayBuffer> }),
  });
}

async function bytesOf(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

/** A room with pages of 100 kB, written over a socket. */
async function writtenRoom(
  room: string,
  pages: number,
): Promise<{ client: RelayClient; updates: Uint8Array[] }> {
  const client = await join(room);
  const updates: Uint8Array[] = [];
  for (let page = 1; page <= pages; page++) {
    const [update] = pageUpdates(page, ["x".repeat(100_000)]) as [Uint8Array];
    updates.push(update);
    client.send(updateFrame(pageOf(page), [update], page));
    // One at a time: the pool hands a burst of messages of one socket to the object in any order.
    await client.until(() => itemsOf(client.items, "acknowledge").at(-1)?.number === page);
  }
  return { client, updates };
}

describe("a room as one file", () => {
  test("ARCHIVE-1, ARCHIVE-8: exported, deleted and imported over HTTP, it has its rows again and a new epoch", async () => {
    const room = freshRoom();
    const { client, updates } = await writtenRoom(room, 8);
    const { epoch } = await client.item("welcome");
    const exported = await ask("GET", `/v1/rooms/${room}/export`);
    expect(exported.status).toBe(200);
    const archive = await bytesOf(exported);
    expect((await ask("PUT", `/v1/rooms/${room}/import`, archive)).status).toBe(409);

    expect((await ask("DELETE", `/v1/rooms/${room}`)).status).toBe(204);
    await client.until(() => client.closed !== undefined);
    expect(client.closed).toMatchObject({ code: closeCodes.deleted, reason: "edge/room-deleted" });
    expect(await countRows(room)).toBe(0);

    const imported = await ask("PUT", `/v1/rooms/${room}/import`, archive);
    expect(imported.status).toBe(200);
    expect(await imported.json()).toMatchObject({ documents: 8, updates: 8, bytes: archive.length });
    const back = await join(room, epoch, 8);
    const welcome = await back.item("welcome");
    expect(welcome.resumed).toBe(false);
    expect(welcome.epoch).not.toBe(epoch);
    await back.until(() => updatesOf(back).length === updates.length);
    expect(updatesOf(back)).toEqual(updates);
  });

  test("ARCHIVE-4: a damaged file imports nothing, and the room goes on", async () => {
    const room = freshRoom();
    await writtenRoom(room, 3);
    const archive = await bytesOf(await ask("GET", `/v1/rooms/${room}/export`));
    const target = freshRoom();
    const waiting = await join(target);
    for (const damaged of [archive.slice(0, -1), archive.with(archive.length >> 1, 0)]) {
      const answer = await ask("PUT", `/v1/rooms/${target}/import`, damaged);
      expect(answer.status).toBe(422);
      expect(await answer.json()).toMatchObject({ code: "edge/invalid-archive" });
      expect(await countRows(target)).toBe(0);
    }
    expect(waiting.closed).toMatchObject({ code: closeCodes.unavailable });
    const writer = await writtenRoom(target, 1);
    expect(updatesOf(await join(target))).toEqual(writer.updates);
  });
});

describe("in SQLite", () => {
  test("ARCHIVE-6: killed at any commit of an import, the room has nothing when it wakes", async () => {
    const room = freshRoom();
    await writtenRoom(room, 25);
    const archive = await bytesOf(await ask("GET", `/v1/rooms/${room}/export`));
    await runInDurableObject(env.ROOMS.getByName(freshRoom()), async (_, state) => {
      const storage = openSqlStorage(state.storage);
      let left = 0;
      const mortal = {
        ...storage,
        commit(changes: Parameters<typeof storage.commit>[0]) {
          if (left-- <= 0) throw new Error("killed");
          storage.commit(changes);
        },
      };
      let kills = 0;
      for (let allowed = 0; ; allowed++) {
        left = allowed;
        const ledger = createLedger<unknown>(mortal);
        const administration = createRoomAdministration({
          storage: mortal,
          limits: defaultRoomLimits,
          clock: createManualClock(),
          random: (length) => crypto.getRandomValues(new Uint8Array(length)),
          hooks: {
            endTurn: () => void ledger.commit(),
            closeAll() {},
            tellHalted() {},
            recheckGrants() {},
            reload: () => ledger.reload(),
          },
        });
        const outcome = await administration.importRoom(inChunks(archive, 70_000), admin).then(
          () => "done",
          (cause) => String(cause),
        );
        if (outcome === "done") break;
        expect(outcome).toContain("killed");
        kills++;
        discardUnfinishedImport(storage);
        expect(storage.size()).toEqual({ rows: 0, bytes: 0 });
        expect(storage.documentCount()).toBe(0);
        expect(storage.setting("importing")).toBeUndefined();
      }
      expect(kills).toBeGreaterThan(25);
      expect(storage.size().rows).toBe(25);
    });
  });

  test("ARCHIVE-2: an export that is read slowly goes on past writes, with the object serving meanwhile", async () => {
    const room = freshRoom();
    const { client } = await writtenRoom(room, 20);
    const exported = await ask("GET", `/v1/rooms/${room}/export`);
    const [late] = pageUpdates(99, ["late"]) as [Uint8Array];
    client.send(updateFrame(pageOf(99), [late], 99));
    await client.until(() => itemsOf(client.items, "acknowledge").at(-1)?.number === 99);
    const archive = await bytesOf(exported);
    const target = freshRoom();
    const imported = await ask("PUT", `/v1/rooms/${target}/import`, archive);
    expect(await imported.json()).toMatchObject({ documents: 20, updates: 20 });
  });
});

test("ADMIN-3: halted over HTTP, a room tells its sockets and takes no lane until it is released", async () => {
  const room = freshRoom();
  const { client } = await writtenRoom(room, 1);
  expect((await ask("POST", `/v1/rooms/${room}/halt`)).status).toBe(204);
  expect((await client.item("halted")).halted).toBe(true);
  const [update] = pageUpdates(2, ["two"]) as [Uint8Array];
  client.send(updateFrame(pageOf(2), [update], 2));
  expect((await client.item("refuse")).code).toBe("edge/halted");
  const from = client.items.length;
  expect((await ask("POST", `/v1/rooms/${room}/release`)).status).toBe(204);
  expect((await client.item("halted", from)).halted).toBe(false);
  client.send(updateFrame(pageOf(2), [update], 3));
  await client.until(() => itemsOf(client.items, "acknowledge").at(-1)?.number === 3);
  expect(await countRows(room)).toBe(2);
});
