import * as Y from "yjs";
import { createEntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { parseDocumentName } from "../../src/protocol/index.ts";
import { append, entry, openBenchReader, openBenchWriter, writerName } from "./lane.ts";

const messages = 50_000;
/** The peer's arrays are as short as pages. */
const pageLength = 1_024;

/** What is left after a collection: `node --expose-gc`. */
export function heapBytes(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (!gc) throw new Error("Memory is measured with node --expose-gc.");
  // What the first collection finalizes the second frees.
  for (let pass = 0; pass < 3; pass++) gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function writeUpdates(): Promise<{ name: string; update: Uint8Array }[]> {
  const told: { name: string; update: Uint8Array }[] = [];
  const writer = await openBenchWriter();
  writer.stored.on((each) => told.push(each));
  await append(writer, messages);
  await writer.close();
  return told;
}

/** Bytes that a live message takes of the heap, in a replica that reads it and in a bare Y.Array. */
export async function liveBytes(): Promise<{ reader: number; bare: number }> {
  const told = await writeUpdates();
  const log = createEntryLog();
  const reader = await openBenchReader(log);
  const before = heapBytes();
  for (const { name, update } of told) {
    const parsed = parseDocumentName(name);
    if (parsed.kind !== "lane") continue;
    // Its document keeps views of what it was given.
    reader.receive(parsed, update.slice());
    // What is to be stored is handed over as it is stored.
    reader.takeUnsaved();
  }
  const between = heapBytes();
  const documents: Y.Doc[] = [];
  for (let done = 0; done < messages; done += pageLength) {
    const [source, target] = [new Y.Doc(), new Y.Doc()];
    source.on("update", (update: Uint8Array) => Y.applyUpdate(target, update));
    documents.push(target);
    for (let index = done; index < Math.min(messages, done + pageLength); index++) {
      source.getArray("log").push([entry(index).body]);
    }
  }
  const after = heapBytes();
  // What is asked for here was not collected before.
  const isWhole =
    log.size === messages && documents.length > 0 && told.length > 0 && reader.pages(writerName);
  if (!isWhole) throw new Error("Not all was read.");
  return { reader: (between - before) / messages, bare: (after - between) / messages };
}
