import * as Y from "yjs";
import { createInMemoryPersistence } from "../../src/crdt/index.ts";
import { createPage, type Page } from "../../src/crdt/lanes/page.ts";
import { encodeEntry, encodeSeal, parsePageName } from "../../src/protocol/index.ts";
import { reportAll } from "../measure.ts";
import { append, batchEntries, entry, openBenchWriter } from "./lane.ts";

const messages = 10_240;

/** Bytes a message: on the wire, in the writer's database with its keys, and in the seals of its pages. */
async function bytesOf(perTurn: number): Promise<{ wire: number; stored: number; sealed: number }> {
  const persistence = createInMemoryPersistence();
  const writer = await openBenchWriter({ persistence });
  let wire = 0;
  writer.stored.on(({ name, update }) => {
    if (name.startsWith("lane/")) wire += update.length;
  });
  await append(writer, messages, perTurn);
  await writer.close();
  const records = await persistence.open("writer");
  const pages = new Map<string, Page>();
  let stored = 0;
  for (const [key, value] of await records.entries("page/")) {
    const update = value as Uint8Array;
    stored += key.length + update.length;
    const [, name = ""] = key.split("/");
    const page = pages.get(name) ?? createPage(parsePageName(name) ?? { number: 0, client: 0 });
    pages.set(name, page);
    Y.applyUpdate(page.document, update);
  }
  await records.close();
  let sealed = 0;
  for (const page of pages.values()) sealed += encodeSeal(page.batches()).length;
  return { wire: wire / messages, stored: stored / messages, sealed: sealed / messages };
}

/** Bare Yjs: the updates of one push a message, as objects. */
function bareBytes(perTurn: number): number {
  const document = new Y.Doc();
  let bytes = 0;
  document.on("update", (update: Uint8Array) => {
    bytes += update.length;
  });
  for (let done = 0; done < messages; done += perTurn) {
    const count = Math.min(perTurn, messages - done);
    document.getArray("log").push(Array.from({ length: count }, (_, offset) => entry(done + offset).body));
  }
  return bytes / messages;
}

/** Bytes a message, live and sealed; they are the same in every run. */
export async function measureSizes(): Promise<void> {
  let text = 0;
  for (let index = 0; index < messages; index++) text += encodeEntry(entry(index)).length;
  for (const perTurn of [batchEntries, 1]) {
    const { wire, stored, sealed } = await bytesOf(perTurn);
    const figure = (name: string, value: number) => ({ name, unit: "B", runs: [value] });
    reportAll(
      `Bytes a message, ${perTurn} a turn`,
      [
        figure("on the wire", wire),
        figure("in the writer's database", stored),
        figure("sealed", sealed),
        figure("peer: bare Yjs, updates of objects", bareBytes(perTurn)),
      ],
      figure("limit: its JSON", text / messages),
    );
  }
}
