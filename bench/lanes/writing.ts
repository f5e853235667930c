import * as Y from "yjs";
import { createEntryLog } from "../../src/crdt/entry-log.ts";
import { parseDocumentName } from "../../src/protocol/index.ts";
import { type Figure, latencyUs, rate, report } from "../measure.ts";
import { append, batchEntries, entry, openBenchReader, openBenchWriter } from "./lane.ts";

const messages = 100_000;
const lone = 3_000;

/** A short array, as pages are: what a push costs grows with it. */
const pageLength = 1_024;

interface Told {
  name: string;
  update: Uint8Array;
}

/** Writes and applies, and says how many a second of each, and of both one after the other. */
async function writeAndApply(): Promise<{ write: number; apply: number; both: number }> {
  const writer = await openBenchWriter();
  const told: Told[] = [];
  writer.stored.on((each) => told.push(each));
  const write = await rate(messages, () => append(writer, messages));
  const log = createEntryLog();
  const reader = await openBenchReader(log);
  const lanes = told.filter(({ name }) => name.startsWith("lane/"));
  const apply = await rate(messages, () => {
    for (const { name, update } of lanes) reader.receive(parseDocumentName(name), update);
  });
  if (log.size !== messages) throw new Error(`The reader has ${log.size} of ${messages} entries.`);
  await writer.close();
  return { write, apply, both: 1 / (1 / write + 1 / apply) };
}

/** Bare Yjs: so many objects pushed in one transaction, and the update applied by another document. */
function bareWriteAndApply(): number {
  const bodies = Array.from({ length: messages }, (_, index) => entry(index).body);
  let [source, target] = [new Y.Doc(), new Y.Doc()];
  const start = performance.now();
  for (let done = 0; done < messages; done += batchEntries) {
    if (done % pageLength === 0) {
      [source, target] = [new Y.Doc(), new Y.Doc()];
      const into = target;
      source.on("update", (update: Uint8Array) => Y.applyUpdate(into, update));
    }
    source.getArray("log").push(bodies.slice(done, done + batchEntries));
  }
  return (messages / (performance.now() - start)) * 1_000;
}

async function loneAppend(): Promise<number> {
  const writer = await openBenchWriter();
  let index = 0;
  const figure = await latencyUs(lone, () => writer.append(entry(index++)).shown());
  await writer.close();
  return figure;
}

async function lonePush(): Promise<number> {
  let document = new Y.Doc();
  let index = 0;
  let bytes = 0;
  return latencyUs(lone, () => {
    if (index % pageLength === 0) {
      document = new Y.Doc();
      document.on("update", (update: Uint8Array) => {
        bytes += update.length;
      });
    }
    document.getArray("log").push([entry(index++).body]);
    if (bytes === 0) throw new Error("The push made no update.");
  });
}

/** Appending and applying, batched and alone. */
export async function measureWriting(runs: number): Promise<void> {
  const ours = [];
  const bare: number[] = [];
  for (let run = 0; run < runs; run++) {
    ours.push(await writeAndApply());
    bare.push(bareWriteAndApply());
  }
  const figure = (name: string, values: number[], unit = "/s"): Figure => ({ name, unit, runs: values });
  const peer = figure(`peer: bare Yjs, ${batchEntries} objects a transaction, both`, bare);
  report(
    `Batched, ${batchEntries} messages of 250 B a turn: appended`,
    figure(
      "flockstate",
      ours.map(({ write }) => write),
    ),
    peer,
  );
  report(
    "Applied by a replica: gate, document, entries",
    figure(
      "flockstate",
      ours.map(({ apply }) => apply),
    ),
    peer,
  );
  report(
    "Appended and applied on one core (the bar: 200,000)",
    figure(
      "flockstate",
      ours.map(({ both }) => both),
    ),
    peer,
  );
  const [alone, push]: [number[], number[]] = [[], []];
  for (let run = 0; run < runs; run++) {
    alone.push(await loneAppend());
    push.push(await lonePush());
  }
  report(
    "A lone append, until every view here has it (the bar: a ratio of 1.5)",
    figure("flockstate", alone, "µs"),
    figure("peer: a bare Y.Array push", push, "µs"),
  );
}
