import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RelayProcess, startRelay } from "../../scripts/lib/relay-process.mjs";
import { referencesPath } from "../../src/protocol/index.ts";
import { createHttpStore } from "../../src/refstore/index.ts";
import { referenceStoreContract } from "../../src/testing/reference-store-contract.ts";
import { pageOf, pageUpdates, readPage } from "./documents.ts";
import { type LiveSocket, openLiveSocket } from "./live-socket.ts";
import { itemsOf, joinFrame, updateFrame } from "./wire.ts";

let relay: RelayProcess;
const persistDir = mkdtempSync(joinPath(tmpdir(), "flockstate-relay-"));

beforeAll(async () => {
  relay = await startRelay({ persistDir });
}, 60_000);

afterAll(async () => {
  await relay.kill();
  rmSync(persistDir, { recursive: true, force: true });
});

async function join(room: string): Promise<LiveSocket> {
  const client = await openLiveSocket({ url: relay.url, room });
  client.sendFrame(joinFrame());
  await client.until(() => itemsOf(client.items, "joined").length > 0, "the end of a join");
  return client;
}

function updatesOf(client: LiveSocket): Uint8Array[] {
  return itemsOf(client.items, "update").map(({ update }) => update);
}

describe("the contract of a reference store, over HTTP", () => {
  const open = async () => createHttpStore({ baseUrl: `${relay.url}${referencesPath("contract")}` });
  for (const { id, title, run } of referenceStoreContract(open)) test(`${id}: ${title} (relay)`, run);
});

test("RELAY-7: a burst on one socket keeps its order, and costs fewer frames than updates", async () => {
  const [writer, reader] = [await join("burst"), await join("burst")];
  const values = Array.from({ length: 2_000 }, (_, index) => index);
  pageUpdates(9, values).forEach((update, index) => {
    writer.sendFrame(updateFrame(pageOf(9), [update], index + 1));
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
    writer.sendFrame(updateFrame(pageOf(7), [update], index + 1));
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
