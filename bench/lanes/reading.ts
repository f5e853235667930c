import { createHash } from "node:crypto";
import * as Y from "yjs";
import { createInMemoryPersistence, defineView } from "../../src/crdt/index.ts";
import { createEntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { createPage } from "../../src/crdt/lanes/page.ts";
import { sealPage } from "../../src/crdt/sealing/seal-book.ts";
import { encodeSeal } from "../../src/protocol/index.ts";
import { type Figure, report } from "../measure.ts";
import { openFilledDocuments } from "./documents.ts";
import { append, batchEntries, openBenchWriter } from "./lane.ts";

/** A page that is all but full: 256 KiB. */
const pageEntries = 960;
/** About as much of a lane as stays live. */
const windowEntries = 2 * pageEntries;
const repeats = 20;
const folded = 50_000;

async function timeUs(count: number, task: () => unknown): Promise<number> {
  const start = performance.now();
  for (let repeat = 0; repeat < repeats; repeat++) await task();
  return ((performance.now() - start) * 1_000) / repeats / count;
}

/** What a writer's database holds after so many messages, and the updates in it. */
async function storedLane(count: number, perTurn: number) {
  const persistence = createInMemoryPersistence();
  const writer = await openBenchWriter({ persistence });
  await append(writer, count, perTurn);
  await writer.close();
  const records = await persistence.open("writer");
  const updates = (await records.entries("page/")).map(([key, update]) => ({
    page: key.slice(0, key.lastIndexOf("/")),
    update: update as Uint8Array,
  }));
  await records.close();
  return { persistence, updates };
}

type StoredLane = Awaited<ReturnType<typeof storedLane>>;

/** From opening the database until the entries are in the log. */
function loadUs({ persistence }: StoredLane, count: number): Promise<number> {
  return timeUs(count, async () => {
    const log = createEntryLog();
    const writer = await openBenchWriter({ log, persistence });
    if (log.size !== count) throw new Error(`The log has ${log.size} of ${count} entries.`);
    await writer.close();
  });
}

function applyUs({ updates }: StoredLane, count: number): Promise<number> {
  return timeUs(count, () => {
    const documents = new Map<string, Y.Doc>();
    for (const { page, update } of updates) {
      const document = documents.get(page) ?? new Y.Doc({ gc: false });
      documents.set(page, document);
      Y.applyUpdate(document, update);
    }
  });
}

const counting = defineView<number>({
  key: (entry) => entry.kind,
  init: () => 0,
  step: (count) => count + 1,
});

async function foldUs(): Promise<{ view: number; loop: number }> {
  const documents = await openFilledDocuments(folded);
  const view = await timeUs(folded, async () => {
    const opened = documents.views.open(counting, { history: false });
    if (opened.get("message") !== folded) throw new Error("The view has not folded all.");
    await opened.close();
  });
  const loop = await timeUs(folded, () => {
    const counts = new Map<string, number>();
    for (const writer of documents.log.writers()) {
      for (const { entries } of documents.log.pages(writer)) {
        for (const entry of entries) {
          counts.set(counting.key(entry) ?? "", counting.step(counts.get(entry.kind) ?? 0, entry));
        }
      }
    }
    if (counts.get("message") !== folded) throw new Error("The loop has not folded all.");
  });
  await documents.close();
  return { view, loop };
}

async function sealUs({ updates }: StoredLane): Promise<{ seal: number; hash: number }> {
  const page = createPage({ number: 0, client: 1 });
  for (const { update } of updates) Y.applyUpdate(page.document, update);
  page.read();
  const bytes = encodeSeal(page.batches());
  return {
    seal: await timeUs(page.length, () => sealPage(page, { newest: 1, latest: 1 })),
    hash: await timeUs(page.length, () => createHash("sha256").update(bytes).digest("hex")),
  };
}

/** Loading, folding and sealing, in microseconds a message. */
export async function measureReading(runs: number): Promise<void> {
  const figures = new Map<string, Figure>();
  const note = (name: string, value: number): void => {
    const figure = figures.get(name) ?? { name, unit: "µs", runs: [] };
    figures.set(name, figure);
    figure.runs.push(value);
  };
  const tell = (title: string, ours: string, limit: string): void =>
    report(title, figures.get(ours) as Figure, figures.get(limit) as Figure);
  const page = await storedLane(pageEntries, batchEntries);
  const slow = await storedLane(pageEntries, 1);
  const window = await storedLane(windowEntries, batchEntries);
  for (let run = 0; run < runs; run++) {
    note("load page", await loadUs(page, pageEntries));
    note("Y.applyUpdate, page", await applyUs(page, pageEntries));
    note("load lone", await loadUs(slow, pageEntries));
    note("Y.applyUpdate, lone", await applyUs(slow, pageEntries));
    note("load window", await loadUs(window, windowEntries));
    note("Y.applyUpdate, window", await applyUs(window, windowEntries));
    const { view, loop } = await foldUs();
    note("openView", view);
    note("a loop over the entries", loop);
    const { seal, hash } = await sealUs(page);
    note("sealPage", seal);
    note("SHA-256 of the same bytes", hash);
  }
  tell("Loading a page from its database, a message", "load page", "Y.applyUpdate, page");
  tell("Loading a page that was appended one by one", "load lone", "Y.applyUpdate, lone");
  tell("Loading two pages, as much as stays live of a lane", "load window", "Y.applyUpdate, window");
  tell(`Folding ${folded.toLocaleString("en")} live messages, each`, "openView", "a loop over the entries");
  tell("Sealing a page, a message", "sealPage", "SHA-256 of the same bytes");
}
