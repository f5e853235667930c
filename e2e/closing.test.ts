import { expect, type Page } from "@playwright/test";
import { expectConverged } from "./support/expectations.ts";
import { test } from "./support/fixtures.ts";

/** What the page still holds of this room: databases by name, and locks. */
async function remains(page: Page, room: string): Promise<{ databases: string[]; locks: string[] }> {
  return page.evaluate(async (id) => {
    const [databases, locks] = await Promise.all([indexedDB.databases(), navigator.locks.query()]);
    const ofRoom = (name: string | undefined) => name?.includes(id) ?? false;
    return {
      databases: databases.map(({ name }) => name ?? "").filter(ofRoom),
      locks: [...(locks.held ?? []), ...(locks.pending ?? [])].map(({ name }) => name ?? "").filter(ofRoom),
    };
  }, room);
}

test("E2E-17: a closed room holds no lock, socket or database open", async ({ join, room }) => {
  const client = await join();
  await client.reload();
  // So that the socket of this page is told of before the listener, and only the next page's after it.
  await client.synced();
  const sockets: { isClosed(): boolean }[] = [];
  client.page.on("websocket", (socket) => sockets.push(socket));
  await client.reload(["planner"]);
  await client.send("planner", "critic", ["hello"]);
  await client.synced();
  // The negative control: both are there while the room is open.
  const open = await remains(client.page, room);
  expect(open.locks.length).toBeGreaterThan(0);
  expect(sockets.map((socket) => socket.isClosed())).toEqual([false]);

  await client.page.evaluate(() => harness.room.close());
  await expect.poll(() => sockets.map((socket) => socket.isClosed())).toEqual([true]);
  expect((await remains(client.page, room)).locks).toEqual([]);
  const deletions = await client.page.evaluate(
    (names) =>
      Promise.all(
        names.map(
          (name) =>
            new Promise<string>((resolve) => {
              const request = indexedDB.deleteDatabase(name);
              request.onsuccess = () => resolve("deleted");
              request.onblocked = () => resolve(`${name} is still open`);
            }),
        ),
      ),
    open.databases,
  );
  expect(new Set(deletions)).toEqual(new Set(["deleted"]));
});

test("E2E-18: deleteLocal forgets everything on this device, and nothing at the relay", async ({
  join,
  room,
}) => {
  const client = await join({ agents: ["planner"] });
  const other = await join({ agents: ["critic"] });
  const messages = await client.send("planner", "critic", ["one", "two"]);
  const bytes = await client.sendBytes("planner", "critic", { length: 20_000, seed: 9 });
  await client.page.evaluate(() => harness.room.state.notes.insert(0, "kept").settled("relayed"));
  await expectConverged([client, other], [...messages, bytes.id]);
  await client.synced();
  expect((await remains(client.page, room)).databases.length).toBeGreaterThan(3);

  await client.page.evaluate(() => harness.room.deleteLocal());
  expect(await remains(client.page, room)).toEqual({ databases: [], locks: [] });
  await client.reload([]);
  await expectConverged([client, other], [...messages, bytes.id]);
  expect(await client.hashOf(bytes.id)).toBe(bytes.hash);
});
