import * as Y from "yjs";
import { createEntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { parseDocumentName } from "../../src/protocol/index.ts";
import { type Figure, latencyUs, report, spentUs } from "../measure.ts";
import { append, batchEntries, entry, openBenchReader, openBenchWriter } from "./lane.ts";

const messages = 100_000;
const lone = 20_000;

/** A short array, as pages are: what a push costs grows with it. */
const pageLength = 1_024;

interface Told {
  name: string;
  update: Uint8Array;
}

interface Spent {
  wall: number;
  processor: number;
}

/** Of one message by itself: until it is shown, and what the processor spent until it was stored. In microseconds. */
interface Alone {
  shown: number;
  processor: number;
}

/** Writes, and applies elsewhere. */
async function writeAndApply(): Promise<{ write: Spent; apply: Spent }> {
  const writer = await openBenchWriter();
  const told: Told[] = [];
  writer.stored.on((each) => told.push(each));
  const write = await spentUs(() => append(writer, messages));
  const log = createEntryLog();
  const reader = await openBenchReader(log);
  const lanes = told.filter(({ name }) => name.startsWith("lane/"));
  const apply = await spentUs(() => {
    for (const { name, update } of lanes) reader.receive(parseDocumentName(name), update);
  });
  if (log.size !== messages) throw new Error(`The reader has ${log.size} of ${messages} entries.`);
  await writer.close();
  return { write, apply };
}

/** Bare Yjs: so many objects pushed in one transaction, and the update applied by another document. */
function bareWriteAndApply(): Promise<Spent> {
  const bodies = Array.from({ length: messages }, (_, index) => entry(index).body);
  let [source, target] = [new Y.Doc(), new Y.Doc()];
  return spentUs(() => {
    for (let done = 0; done < messages; done += batchEntries) {
      if (done % pageLength === 0) {
        [source, target] = [new Y.Doc(), new Y.Doc()];
        const into = target;
        source.on("update", (update: Uint8Array) => Y.applyUpdate(into, update));
      }
      source.getArray("log").push(bodies.slice(done, done + batchEntries));
    }
  });
}

async function loneAppend(): Promise<Alone> {
  const writer = await openBenchWriter();
  let index = 0;
  let shown = 0;
  const { processor } = await spentUs(async () => {
    shown = await latencyUs(lone, () => writer.append(entry(index++)).shown());
    await writer.flush();
  });
  await writer.close();
  return { shown, processor: processor / lone };
}

async function lonePush(): Promise<Alone> {
  let document = new Y.Doc();
  let index = 0;
  let bytes = 0;
  let shown = 0;
  const { processor } = await spentUs(async () => {
    shown = await latencyUs(lone, () => {
      if (index % pageLength === 0) {
        document = new Y.Doc();
        document.on("update", (update: Uint8Array) => {
          bytes += update.length;
        });
      }
      document.getArray("log").push([entry(index++).body]);
    });
  });
  if (bytes === 0) throw new Error("The pushes made no updates.");
  return { shown, processor: processor / lone };
}

function rates(spent: readonly number[]): number[] {
  return spent.map((us) => (messages / us) * 1_000_000);
}

/** Appending and applying, batched and alone. */
export async function measureWriting(runs: number): Promise<void> {
  const ours: { write: Spent; apply: Spent }[] = [];
  const bare: Spent[] = [];
  // What the first run compiles is not what is measured.
  for (let run = -1; run < runs; run++) {
    const [own, peer] = [await writeAndApply(), await bareWriteAndApply()];
    if (run < 0) continue;
    ours.push(own);
    bare.push(peer);
  }
  const figure = (name: string, values: number[], unit = "/s"): Figure => ({ name, unit, runs: values });
  const peer = `peer: bare Yjs, ${batchEntries} objects a transaction, both`;
  for (const clock of ["wall", "processor"] as const) {
    const beside = figure(peer, rates(bare.map((spent) => spent[clock])));
    const told = clock === "wall" ? "by the wall" : "of the processor's time, all threads";
    const tell = (title: string, of: (each: { write: Spent; apply: Spent }) => number): void =>
      report(`${title}, a second ${told}`, figure("flockstate", rates(ours.map(of))), beside);
    tell(`Appended, ${batchEntries} messages of 250 B a turn`, ({ write }) => write[clock]);
    tell("Applied by a replica: gate, document, entries", ({ apply }) => apply[clock]);
    tell("Appended and applied (the bar: 200,000)", ({ write, apply }) => write[clock] + apply[clock]);
  }
  const alone: Alone[] = [];
  const pushes: Alone[] = [];
  for (let run = 0; run < runs; run++) {
    alone.push(await loneAppend());
    pushes.push(await lonePush());
  }
  for (const [title, of] of [
    ["A lone append, until every view here has it", ({ shown }: Alone) => shown],
    ["What the processor spends on it, until it is stored", ({ processor }: Alone) => processor],
  ] as const) {
    report(
      `${title} (the bar: a ratio of 1.5)`,
      figure("flockstate", alone.map(of), "µs"),
      figure("peer: a bare Y.Array push", pushes.map(of), "µs"),
    );
  }
}
