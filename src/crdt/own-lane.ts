import * as Y from "yjs";
import {
  createEmitter,
  type Emitter,
  FlockError,
  type HybridClock,
  type RandomBytes,
} from "../base/index.ts";
import {
  comparePages,
  type EntryRecord,
  encodeBatch,
  encodeEntry,
  entryId,
  maxEntryBytes,
  maxPageBytes,
  maxPageEntries,
  type PageName,
} from "../protocol/index.ts";
import type { EntryLog } from "./entry-log.ts";
import type { Outbound } from "./outbound.ts";
import { captureUpdate, createOwnPage, type OwnPage, type OwnPageOptions } from "./own-page.ts";
import { createPage, type Page } from "./page.ts";
import type { StoredValue } from "./persistence/port.ts";
import { randomClient } from "./random-client.ts";
import { createWatermark } from "./watermark.ts";
import { createWrite, type Write } from "./write.ts";
import { batchKey, readPages } from "./writer-records.ts";
import type { WriterStore } from "./writer-store.ts";

/** An entry that was appended here. */
export interface Appended extends Write {
  /** Resolves when the entry is in the log, for every view and consumer here. */
  shown(): Promise<void>;
  readonly id: string;
}

/** The lane of a writer that is open here: pages loaded from its database, and the one that is written. */
export interface OwnLane {
  append(record: EntryRecord, references: readonly string[]): Appended;
  readonly pages: readonly OwnPage[];
  stageOf(page: PageName, index: number): "pending" | "local" | "relayed";
  /** Entries that the relay is not known to have. */
  readonly pending: number;
  /** Told with each batch that was stored. */
  readonly stored: Emitter<{ name: string; update: Uint8Array }>;
  /** The relay has acknowledged more. */
  acknowledged(): void;
  /** Nothing can be stored, or relayed, until it succeeds. */
  failLocal(failure: Error): void;
  failRelayed(failure: Error): void;
  /** Resolves when everything appended so far is stored, or storing has failed. */
  flush(): Promise<void>;
  close(): void;
}

export interface OwnLaneOptions {
  writer: string;
  store: WriterStore;
  log: EntryLog;
  hybrid: HybridClock;
  random: RandomBytes;
  outbound: OwnPageOptions["outbound"];
  /** Entries were queued or stored. */
  onPending(): void;
}

/** A database that refuses is not asked to take more than this at once. */
const maxRetriedPuts = 64;
/** About what a batch adds to its entries: header, and a hash for each reference. */
const batchOverheadBytes = 16;
const referenceBytes = 32;

interface Queued {
  page: OwnPage;
  bytes: Uint8Array;
  references: readonly string[];
}

/** One batch's update on its way into the database, and what is there once it is. */
interface Unstored {
  pair: [key: string, value: StoredValue];
  page: OwnPage;
  pageLength: number;
  appended: number;
}

/** Opens the lane as the writer's database has it; what it has goes into the log. */
export async function openOwnLane(options: OwnLaneOptions): Promise<OwnLane> {
  const { writer, store, log, hybrid, random, onPending } = options;
  const stored = createEmitter<{ name: string; update: Uint8Array }>();
  const shown = createWatermark();
  const local = createWatermark();
  const relayed = createWatermark();
  const pages: OwnPage[] = [];

  /** Entries for the last page or those before it, in order; the counts are of the last page's. */
  let queue: Queued[] = [];
  let queuedEntries = 0;
  let queuedBytes = 0;
  let appended = 0;
  let running: Promise<void> | undefined;
  /** Updates that the database did not take; they go first into the next change. */
  let unstored: Unstored[] = [];

  for (const { name, updates } of await readPages(store.records)) {
    const page = createPage(name);
    for (const update of updates) Y.applyUpdate(page.document, update);
    log.take(writer, page);
    pages.push(createOwnPage({ writer, name, page, outbound }));
  }
  pages.sort((a, b) => comparePages(a.page.name, b.page.name));
  const newest = log.pages(writer).at(-1)?.entries.at(-1);
  if (newest) hybrid.observe(newest.clock);

  /**
   * A page goes out once the relay has every page before it whole: were the device lost in between, readers would
   * wait for ever for what comes first.
   */
  function outbound(name: string, page: Page, ready: () => boolean): Outbound | undefined {
    return options.outbound(name, page, () => ready() && isPrecededWhole(page));
  }

  function isPrecededWhole(page: Page): boolean {
    for (const own of pages) {
      if (own.page === page) return true;
      if (own.relayed() < own.page.length) return false;
    }
    return true;
  }

  function pageFor(bytes: number): OwnPage {
    const last = pages.at(-1);
    if (last && last.loaded === 0 && !isFull(last, bytes)) return last;
    const number = (last?.page.name.number ?? -1) + 1;
    const fresh = createOwnPage({ writer, name: { number, client: randomClient(random) }, outbound });
    pages.push(fresh);
    queuedEntries = 0;
    queuedBytes = 0;
    return fresh;
  }

  function isFull({ page }: OwnPage, bytes: number): boolean {
    return page.length + queuedEntries >= maxPageEntries || page.bytes + queuedBytes + bytes > maxPageBytes;
  }

  /** Group commit: while one batch is stored, the next gathers. */
  async function run(): Promise<void> {
    await Promise.resolve();
    while (queue.length > 0) await commitBatch();
  }

  function ensureRunning(): void {
    running ??= run().finally(() => {
      running = undefined;
      if (queue.length > 0) ensureRunning();
    });
  }

  /** Takes the queued entries of the earliest page. */
  function takeQueued(): { own: OwnPage; taken: readonly Queued[] } {
    const own = queue[0]?.page as OwnPage;
    const end = queue.findIndex(({ page }) => page !== own);
    const taken = end === -1 ? queue : queue.slice(0, end);
    queue = end === -1 ? [] : queue.slice(end);
    if (pages.at(-1) === own) {
      queuedEntries = 0;
      queuedBytes = 0;
    }
    return { own, taken };
  }

  async function commitBatch(): Promise<void> {
    const { own, taken } = takeQueued();
    const { page } = own;
    const first = page.length;
    const before = pages[pages.indexOf(own) - 1]?.page;
    const header = {
      first,
      clock: hybrid.tick(),
      previous: first === 0 && before ? { page: before.name, length: before.length } : undefined,
      references: [...new Set(taken.flatMap(({ references }) => references))],
    };
    const key = batchKey(page.name, page.ends.length);
    const batch = encodeBatch(
      header,
      taken.map(({ bytes }) => bytes),
    );
    own.storing = true;
    const update = captureUpdate(page.document, () => page.append(batch));
    log.take(writer, page);
    const upTo = appended - queue.length;
    shown.advance(upTo);
    unstored.push({ pair: [key, update], page: own, pageLength: page.length, appended: upTo });
    await storeUnstored();
    own.storing = false;
    stored.emit({ name: own.name, update });
    own.outbound?.pump();
    onPending();
  }

  async function storeUnstored(): Promise<void> {
    while (unstored.length > 0) {
      const taken = unstored.slice(0, maxRetriedPuts);
      if (!(await store.put(taken.map(({ pair }) => pair)))) return;
      unstored = unstored.filter((each) => !taken.includes(each));
      for (const { page, pageLength } of taken) page.kept = Math.max(page.kept, pageLength);
      local.advance(taken.at(-1)?.appended ?? 0);
    }
  }

  return {
    pages,
    stored,
    append(record, references) {
      const bytes = encodeEntry(record);
      if (bytes.length > maxEntryBytes) {
        throw new FlockError(
          "crdt/entry-too-large",
          `An entry of ${bytes.length} bytes is past ${maxEntryBytes}: send large content by reference.`,
          { details: { bytes: bytes.length, maxEntryBytes } },
        );
      }
      const page = pageFor(bytes.length);
      const index = page.page.length + queuedEntries;
      queue.push({ page, bytes, references });
      queuedEntries++;
      queuedBytes += bytes.length + references.length * referenceBytes + batchOverheadBytes;
      const target = ++appended;
      ensureRunning();
      onPending();
      return {
        id: entryId({ writer, page: page.page.name, index }),
        shown: () => shown.reached(target),
        ...createWrite({ local: () => local.reached(target), relayed: () => relayed.reached(target) }),
      };
    },
    stageOf(name, index) {
      const own = pages.find(({ page }) => comparePages(page.name, name) === 0);
      if (own && index < own.relayed()) return "relayed";
      return own && index < own.kept ? "local" : "pending";
    },
    get pending() {
      return pages.reduce((sum, own) => sum + own.page.length - own.relayed(), queue.length);
    },
    acknowledged() {
      let count = 0;
      // Of this session, and only as far as the relay has every page before.
      for (const own of pages) {
        count += Math.max(0, own.relayed() - own.loaded);
        if (own.relayed() < own.page.length) break;
      }
      relayed.advance(count);
      for (const own of pages) own.outbound?.pump();
    },
    failLocal: (failure) => local.fail(failure),
    failRelayed: (failure) => relayed.fail(failure),
    async flush() {
      while (running) await running;
      await storeUnstored();
    },
    close() {
      for (const { page } of pages) page.document.destroy();
    },
  };
}
