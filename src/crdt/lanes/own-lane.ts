import * as Y from "yjs";
import {
  createEmitter,
  type Emitter,
  FlockError,
  type HybridClock,
  type RandomBytes,
  type Timestamp,
} from "../../base/index.ts";
import {
  comparePages,
  type EncodedEntry,
  type EntryRecord,
  encodeBatch,
  encodeEntry,
  type LaneMarks,
  laneName,
  maxEntryBytes,
  type PageName,
  parsePageName,
} from "../../protocol/index.ts";
import type { StoredValue } from "../persistence/port.ts";
import { randomClient } from "../random-client.ts";
import { createChain, type Links } from "../sealing/chain.ts";
import { ownLow, type SealBook } from "../sealing/seal-book.ts";
import { createWatermark } from "../watermark.ts";
import { createWrite, type Write } from "../write.ts";
import type { Outbound } from "../writers/outbound.ts";
import { batchKey, readPages } from "../writers/writer-records.ts";
import type { WriterStore } from "../writers/writer-store.ts";
import { clockBatch } from "./batch-clock.ts";
import type { EntryLog } from "./entry-log.ts";
import type { LaneLimits } from "./lane-limits.ts";
import { createOwnPage, type OpenOutbound, type OwnPage, type SunkPage } from "./own-page.ts";
import { createPage, type Page } from "./page.ts";
import { sourceOf } from "./upload-source.ts";
import { createWrittenPage, type WrittenPage } from "./written-page.ts";

/** An entry that was appended here. */
export interface Appended extends Write {
  /** Resolves when the entry is in the log, for every view and consumer here. */
  shown(): Promise<void>;
  readonly id: string;
}

/** The live part of a lane whose writer is open here: pages loaded from its database, and the one that is written. */
export interface OwnLane {
  append(record: EntryRecord, references: readonly string[]): Appended;
  /** Oldest first. */
  readonly pages: readonly OwnPage[];
  /** Pages below the low-water mark of which the database still has the batches. */
  readonly sunk: readonly SunkPage[];
  /** Lets go of the pages below the low-water mark: their documents, and their entries in the log. */
  sink(): void;
  /** The batches of a sunk page are gone from the database. */
  forget(page: SunkPage): void;
  /** Whether a document is a page of this lane, be it live, sealed or past retention. */
  owns(name: string): boolean;
  /** Undefined for an entry that was not written here. */
  stageOf(page: PageName, index: number): "pending" | "local" | "relayed" | undefined;
  /** Entries that the relay is not known to have. */
  readonly pending: number;
  /** Told when a page begins: the one before it is closed. */
  readonly began: Emitter<void>;
  /** Told with each batch that was stored. */
  readonly stored: Emitter<{ name: string; update: Uint8Array }>;
  /** The relay has acknowledged more. */
  acknowledged(): void;
  /** Nothing more will be stored. */
  failLocal(failure: Error): void;
  /** Nothing can be relayed until it succeeds. */
  failRelayed(failure: Error): void;
  /** Resolves when everything appended so far is stored, or storing has failed. */
  flush(): Promise<void>;
  /** Tries again what the database refused; resolves with whether all that may have gone out is stored. */
  confirm(): Promise<boolean>;
}

export interface OwnLaneOptions {
  writer: string;
  store: WriterStore;
  log: EntryLog;
  hybrid: HybridClock;
  random: RandomBytes;
  /** Whether the room has a relay. */
  hasRelay: boolean;
  limits: LaneLimits;
  seals: SealBook;
  /** How far the lane is sealed, as the register says. */
  marks(): LaneMarks | undefined;
  /** The effective clock of an entry; undefined where it is not here. */
  effectiveOf(id: string): Timestamp | undefined;
  outbound: OpenOutbound;
  /** Entries were queued or stored. */
  onPending(): void;
  onProblem(failure: unknown): void;
}

/** A database that refuses is not asked to take more than this at once. */
const maxRetriedPuts = 64;
/** About what a batch adds to its entries: header, and a hash for each reference. */
const batchOverheadBytes = 16;
const referenceBytes = 32;

interface Queued {
  page: OpenPage;
  id: string;
  parents: readonly string[];
  encoded: EncodedEntry;
  references: readonly string[];
  /** About what it adds to its page. */
  size: number;
}

/** The page that is written. */
type OpenPage = OwnPage<WrittenPage>;

/** One batch's update on its way into the database, with the seals of the pages that it closes. */
interface Unstored {
  pairs: [key: string, value: StoredValue][];
  update: Uint8Array;
  page: OwnPage;
  pageLength: number;
  appended: number;
}

/** Opens the lane as the writer's database has it; what it has goes into the log. */
export async function openOwnLane(options: OwnLaneOptions): Promise<OwnLane> {
  const { writer, store, log, hybrid, random, seals, marks, effectiveOf, onPending } = options;
  const began = createEmitter<void>();
  const stored = createEmitter<{ name: string; update: Uint8Array }>();
  const shown = createWatermark();
  const local = createWatermark();
  const relayed = createWatermark();
  const documentPrefix = `lane/${writer}/`;
  const chain = createChain({ ...options, latest: () => hybrid.latest() });
  const pages: OwnPage[] = [];
  let open: OpenPage | undefined;
  let sunk: SunkPage[] = [];

  /** Entries for the last page or those before it, in order; the counts are of the last page's. */
  let queue: Queued[] = [];
  let queuedEntries = 0;
  let queuedBytes = 0;
  let appended = 0;
  let running: Promise<void> | undefined;
  /** Updates that the database did not take; they go first into the next change. */
  let unstored: Unstored[] = [];
  /** Whether some of them have failed, and so may have gone out. */
  let hasFailed = false;
  /** Entries of this session in pages that are sealed by now. */
  let sealedEntries = 0;

  const low = ownLow(marks(), seals);
  for (const { name, updates, keys } of await readPages(store.records)) {
    if (name.number < low) {
      sunk.push({ name: laneName(writer, name), keys });
      continue;
    }
    const page = createPage(name);
    for (const update of updates) Y.applyUpdate(page.document, update);
    log.take(writer, page);
    pages.push(createOwnPage({ writer, page, source: sourceOf(page.document), outbound }));
  }
  pages.sort((a, b) => comparePages(a.page.name, b.page.name));
  const newest = log.pages(writer).at(-1)?.entries.at(-1);
  if (newest) hybrid.observe(newest.clock);

  /**
   * A page goes out once the relay has every page before it whole: were the device lost in between, readers would
   * wait for ever for what comes first.
   */
  function outbound(...[own, ready]: Parameters<OpenOutbound>): Outbound | undefined {
    return options.outbound(own, () => ready() && isPrecededWhole(own.page));
  }

  function isPrecededWhole(page: Page): boolean {
    for (const own of pages) {
      if (own.page === page) return true;
      if (own.relayed() < own.page.length) return false;
    }
    return true;
  }

  function pageFor(bytes: number): OpenPage {
    if (open && !isFull(open, bytes)) return open;
    const number = Math.max(pages.at(-1)?.page.name.number ?? -1, (marks()?.low ?? 0) - 1) + 1;
    const page = createWrittenPage({ number, client: randomClient(random) });
    open = createOwnPage({ writer, page, source: page, outbound });
    pages.push(open);
    queuedEntries = 0;
    queuedBytes = 0;
    return open;
  }

  function isFull({ page }: OwnPage, bytes: number): boolean {
    const { pageEntries, pageBytes } = options.limits;
    return page.length + queuedEntries >= pageEntries || page.bytes + queuedBytes + bytes > pageBytes;
  }

  /** Group commit: while one batch is stored, the next gathers. */
  async function run(): Promise<void> {
    await undefined;
    try {
      while (queue.length > 0) await commitBatch();
    } finally {
      running = undefined;
      if (queue.length > 0) ensureRunning();
    }
  }

  function ensureRunning(): void {
    running ??= run();
  }

  /** Takes those queued entries of the earliest page that may share a batch, and gives them their clock. */
  function takeQueued(own: OwnPage): { taken: readonly Queued[]; clock: Timestamp } {
    const end = queue.findIndex(({ page }) => page !== own);
    const waiting = end === -1 ? queue : queue.slice(0, end);
    const { count, clock } = clockBatch(waiting, hybrid, effectiveOf);
    const taken = queue.slice(0, count);
    queue = queue.slice(count);
    if (pages.at(-1) === own) {
      queuedEntries -= count;
      for (const { size } of taken) queuedBytes -= size;
    }
    return { taken, clock };
  }

  /** Of pages past retention no names are kept; nothing of them is wanted, whoever has written them. */
  function isSealed(page: PageName): boolean {
    const { first, low } = marks() ?? { first: 0, low: 0 };
    return page.number < first || (page.number < low && seals.names(page));
  }

  function linksOf(own: OwnPage): Promise<Links> {
    const closed = pages.slice(0, pages.indexOf(own)).map(({ page }) => page);
    return chain.link(own.page.name.number, closed);
  }

  async function commitBatch(): Promise<void> {
    const own = (queue[0] as Queued).page;
    const { page } = own;
    const begins = page.length === 0 ? await linksOf(own) : undefined;
    const { taken, clock } = takeQueued(own);
    const named = taken.flatMap(({ references }) => references);
    const encoded = taken.map((each) => each.encoded);
    const batch = {
      first: page.length,
      clock,
      previous: begins?.previous,
      references: named.length > 1 ? [...new Set(named)] : named,
      entries: encoded.map(({ record }) => record),
    };
    const key = batchKey(page.name, page.ends.length);
    own.storing = true;
    const update = page.append(batch, encodeBatch(batch, encoded));
    log.take(writer, page);
    const upTo = appended - queue.length;
    shown.advance(upTo);
    unstored.push({
      pairs: [[key, update], ...(begins?.noted ?? [])],
      update,
      page: own,
      pageLength: page.length,
      appended: upTo,
    });
    await storeUnstored();
    own.storing = false;
    own.outbound?.pump();
    onPending();
    if (begins) began.emit();
  }

  async function storeUnstored(): Promise<void> {
    while (unstored.length > 0) {
      const taken = unstored.slice(0, maxRetriedPuts);
      const failure = await store.put(taken.flatMap(({ pairs }) => pairs));
      if (failure) {
        hasFailed = unstored.length > 0;
        local.fail(failure, unstored.at(-1)?.appended ?? 0);
        return;
      }
      unstored = unstored.filter((each) => !taken.includes(each));
      local.advance(taken.at(-1)?.appended ?? 0);
      for (const { page, pageLength, update } of taken) {
        if (pageLength <= page.kept) continue;
        page.kept = pageLength;
        stored.emit({ name: page.name, update });
      }
    }
    hasFailed = false;
  }

  return {
    pages,
    began,
    stored,
    get sunk() {
      return sunk;
    },
    sink() {
      const { low = 0 } = marks() ?? {};
      while (pages[0] && pages[0].page.name.number < low) {
        const { page, name, loaded } = pages.shift() as OwnPage;
        sealedEntries += page.length - loaded;
        sunk.push({ name, keys: page.ends.map((_, clock) => batchKey(page.name, clock)) });
        log.release(writer, page.name);
      }
    },
    forget(page) {
      sunk = sunk.filter((each) => each !== page);
    },
    owns(name) {
      const page = name.startsWith(documentPrefix) && parsePageName(name.slice(documentPrefix.length));
      if (!page) return false;
      return isSealed(page) || pages.some((own) => comparePages(own.page.name, page) === 0);
    },
    append(record, references) {
      const encoded = encodeEntry(record);
      const { length: bytes } = encoded;
      if (bytes > maxEntryBytes) {
        throw new FlockError(
          "crdt/entry-too-large",
          `An entry of ${bytes} bytes is past ${maxEntryBytes}: send large content by reference.`,
          { details: { bytes, maxEntryBytes } },
        );
      }
      const page = pageFor(bytes);
      const id = page.idPrefix + (page.page.length + queuedEntries);
      const size = bytes + references.length * referenceBytes + batchOverheadBytes;
      queue.push({ page, id, parents: encoded.record.parents, encoded, references, size });
      queuedEntries++;
      queuedBytes += size;
      const target = ++appended;
      ensureRunning();
      onPending();
      return {
        id,
        shown: () => shown.reached(target),
        ...createWrite({ local: () => local.reached(target), relayed: () => relayed.reached(target) }),
      };
    },
    stageOf(name, index) {
      // Sealed pages are with the relay, in a room that has one.
      if (isSealed(name)) return options.hasRelay ? "relayed" : "local";
      const own = pages.find(({ page }) => comparePages(page.name, name) === 0);
      if (!own) return undefined;
      if (index < own.relayed()) return "relayed";
      if (index < own.kept) return "local";
      const queued = queue.filter(({ page }) => page === own).length;
      return index < own.page.length + queued ? "pending" : undefined;
    },
    get pending() {
      return pages.reduce((sum, own) => sum + own.page.length - own.relayed(), queue.length);
    },
    acknowledged() {
      let count = sealedEntries;
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
    async confirm() {
      if (hasFailed) await storeUnstored();
      return !hasFailed;
    },
  };
}
