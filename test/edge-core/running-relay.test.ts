import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { setTimeout as idle } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type RelayProcess, startRelay } from "../../scripts/lib/relay-process.mjs";
import { referencesPath, roomSubprotocol, socketPath } from "../../src/protocol/index.ts";
import { createHttpStore } from "../../src/refstore/index.ts";
import { referenceStoreContract } from "../../src/testing/reference-store-contract.ts";
import { pageOf, pageUpdates, readPage } from "./documents.ts";
import { createFrameReader, frameOf, type Item, itemsOf, joinFrame, updateFrame } from "./wire.ts";

let relay: RelayProcess;
const persistDir = mkdtempSync(joinPath(tmpdir(), "flockstate-relay-"));

beforeAll(async () => {
  relay = await startRelay({ persistDir });
});

afterAll(async () => {
  await relay.kill();
  rmSync(persistDir, { recursive: true, force: true });
});

interface Client {
  items: Item[];
  send(frame: Uint8Array): void;
  until(condition: () => boolean): Promise<void>;
  leave(): void;
}

async function join(room: string): Promise<Client> {
  const socket = new WebSocket(`ws://localhost:${relay.port}${socketPath(room)}`, roomSubprotocol);
  socket.binaryType = "arraybuffer";
  const read = createFrameReader();
  const waiting = new Set<() => void>();
  const client: Client = {
    items: [],
    send: (frame) => socket.send(frame),
    async until(condition) {
      while (!condition()) await new Promise<void>((resolve) => void waiting.add(resolve));
    },
    leave: () => socket.close(),
  };
  socket.on("message", (data: ArrayBuffer) => {
    client.items.push(...read(new Uint8Array(data)));
    for (const resolve of waiting) resolve();
    waiting.clear();
  });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  socket.on("error", () => {});
  client.send(joinFrame());
  await client.until(() => itemsOf(client.items, "joined").length > 0);
  return client;
}

function updatesOf(client: Client): Uint8Array[] {
  return itemsOf(client.items, "update").map(({ update }) => update);
}

function presencesOf(client: Client) {
  return itemsOf(client.items, "presences").flatMap(({ entries }) => entries);
}

describe("the contract of a reference store, over HTTP", () => {
  const open = async () => createHttpStore({ baseUrl: `${relay.url}${referencesPath("contract")}` });
  for (const { id, title, run } of referenceStoreContract(open)) test(`${id}: ${title} (relay)`, run);
});

test("RELAY-7: a burst on one socket keeps its order, and costs fewer frames than updates", async () => {
  const [writer, reader] = [await join("burst"), await join("burst")];
  const values = Array.from({ length: 2_000 }, (_, index) => index);
  pageUpdates(9, values).forEach((update, index) => {
    writer.send(updateFrame(pageOf(9), [update], index + 1));
  });
  await reader.until(() => updatesOf(reader).length === values.length);
  expect(readPage(updatesOf(reader))).toEqual(values);
  expect(itemsOf(writer.items, "refuse")).toEqual([]);
  expect(itemsOf(reader.items, "cursor").length).toBeLessThan(values.length / 2);
});

test("RELAY-24: what was acknowledged survives SIGKILL, under the same epoch", async () => {
  const writer = await join("killed");
  const updates = pageUpdates(
    7,
    Array.from({ length: 200 }, (_, index) => index),
  );
  updates.forEach((update, index) => {
    writer.send(updateFrame(pageOf(7), [update], index + 1));
  });
  await writer.until(() => itemsOf(writer.items, "acknowledge").length > 0);
  await relay.kill("SIGKILL");
  const acknowledged = itemsOf(writer.items, "acknowledge").at(-1)?.number ?? 0;
  relay = await startRelay({ persistDir, port: relay.port });
  const back = await join("killed");
  expect(itemsOf(back.items, "welcome")[0]?.epoch).toBe(itemsOf(writer.items, "welcome")[0]?.epoch);
  expect(readPage(updatesOf(back)).length).toBeGreaterThanOrEqual(acknowledged);
  expect(acknowledged).toBeGreaterThan(0);
});

test("RELAY-25: the room really falls asleep with sockets open; a close that wakes it removes exactly that one", async () => {
  const room = "asleep";
  const state = (name: string) => JSON.stringify({ name });
  const [writer, reader] = [await join(room), await join(room)];
  writer.send(frameOf({ type: "presence", state: state("writer") }));
  const updates = pageUpdates(
    7,
    Array.from({ length: 9 }, (_, index) => index),
  );
  let written = 0;
  const write = async () => {
    writer.send(updateFrame(pageOf(7), updates.slice(written, ++written), written));
    await reader.until(() => updatesOf(reader).length === written);
  };
  await write();

  // A name that is sent again says that memory was lost in between: the room slept.
  const slept = () => itemsOf(reader.items, "name").length > 1;
  while (!slept()) {
    const leaver = await join(room);
    leaver.send(frameOf({ type: "presence", state: state(`leaver ${written}`) }));
    await reader.until(() => presencesOf(reader).at(-1)?.state === state(`leaver ${written}`));
    const { id } = presencesOf(reader).at(-1) ?? {};
    await idle(11_000);
    leaver.leave();
    await reader.until(() => presencesOf(reader).at(-1)?.state === undefined);
    expect(presencesOf(reader).at(-1)?.id).toBe(id);
    await write();
  }

  expect(readPage(updatesOf(reader))).toHaveLength(written);
  expect(presencesOf(await join(room)).map((entry) => entry.state)).toEqual([state("writer")]);
});
