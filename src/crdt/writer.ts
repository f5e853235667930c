import * as Y from "yjs";
import * as z from "zod/mini";
import {
  type Clock,
  createEmitter,
  type Emitter,
  FlockError,
  type HybridClock,
  type RandomBytes,
  type Undo,
} from "../base/index.ts";
import {
  comparePages,
  type DocumentName,
  type EntryRecord,
  encodeBatch,
  encodeEntry,
  entryId,
  formatPageName,
  laneName,
  maxEntryBytes,
  maxPageBytes,
  maxPageEntries,
  pageRoot,
  type PageName,
  parsePageName,
  type RegisterRecord,
  readDocumentName,
  registerName,
} from "../protocol/index.ts";
import type { EntryLog } from "./entry-log.ts";
import { createOutbound, type Outbound } from "./outbound.ts";
import { createPage, type Page } from "./page.ts";
import type { KeyValueStore, StoredValue } from "./persistence/port.ts";
import { randomClient } from "./random-client.ts";
import { createRegister } from "./register.ts";
import type { RelayLink } from "./transports/relay-link.ts";
import { createWatermark } from "./watermark.ts";
import { createWrite, type Write } from "./write.ts";

/** An entry that was appended here. */
export interface Appended extends Write {
  /** Resolves when the entry is in the log, for every view and consumer here. */
  shown(): Promise<void>;
  readonly id: string;
}

/** One writer of this replica: its lane and register, in a database of their own, stored before they are sent. */
export interface Writer {
  readonly id: string;
  /**
   * Appends an entry; entries of one tick share a batch.
   *
   * @throws `crdt/closed`, `crdt/entry-too-large`, `protocol/malformed-batch`
   */
  append(record: EntryRecord, options?: { references?: readonly string[] }): Appended;
  /** The writer's record; changes within a short time are stored and sent as one. */
  register(): RegisterRecord | undefined;
  setRegister(record: RegisterRecord): void;
  /** Whether this writer's database has a document of this name. */
  owns(name: string): boolean;
  /** How far one of this writer's entries has come. */
  stageOf(page: PageName, index: number): "pending" | "local" | "relayed";
  /** Entries and register changes that the relay has not acknowledged. */
  readonly pending: number;
  /** What was stored and may be told to other tabs. */
  readonly stored: Emitter<{ name: string; update: Uint8Array }>;
  readonly registerChanged: Emitter<void>;
  /** Names and documents of everything that is stored; what is still being stored is left out. */
  documents(): Iterable<[name: string, document: Y.Doc]>;
  joined(epoch: string): void;
  /** The relay's clocks of one of the writer's documents. */
  resync(name: string, stateVector: Uint8Array): void;
  /** Resolves when everything appended so far is stored. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface WriterOptions {
  id: string;
  records: KeyValueStore;
  log: EntryLog;
  hybrid: HybridClock;
  clock: Clock;
  random: RandomBytes;
  link: RelayLink | undefined;
  onPending(): void;
  onProblem(error: FlockError): void;
}

const pagePrefix = "page/";
const registerRecordKey = "register";
const acknowledgedKey = "acknowledged";
const registerEveryMs = 50;
const acknowledgedAfterMs = 500;
/** A database that refuses is not asked to take more than this at once. */
const maxRetriedPuts = 64;

interface OwnPage {
  page: Page;
  name: string;
  outbound: Outbound | undefined;
  /** Entries up to the end of each batch: `ends[clock - 1]`. */
  ends: number[];
  /** Entries that were here before this session. */
  loaded: number;
  /** Entries that are in the database. */
  kept: number;
}

interface Queued {
  page: OwnPage;
  bytes: Uint8Array;
  references: readonly string[];
}

/** One batch's update on its way into the database, and what is there once it is. */
interface Unstored {
  put: [key: string, value: StoredValue];
  own: OwnPage;
  pageLength: number;
  appended: number;
}

/** Opens a writer over its database; the caller holds its lock. */
export async function openWriter(options: WriterOptions): Promise<Writer> {
  const { id, records, log, hybrid, clock, random, link, onPending, onProblem } = options;
  const stored = createEmitter<{ name: string; update: Uint8Array }>();
  const registerChanged = createEmitter<void>();
  const shown = createWatermark(0);
  const local = createWatermark(0);
  const relayed = createWatermark(0);
  const pages: OwnPage[] = [];
  const register = createRegister({ client: randomClient(random) });
  const known = parseAcknowledged(await records.get(acknowledgedKey));
  /** The relay's storage that has what was acknowledged. */
  let relayEpoch = known.epoch;

  let queue: Queued[] = [];
  let queuedEntries = 0;
  let queuedBytes = 0;
  let appended = 0;
  let running: Promise<void> | undefined;
  let closed = false;
  /** The page whose newest batch is not stored yet. */
  let storing: OwnPage | undefined;
  /** Updates of pages that the database did not take; they go first into the next change. */
  let unstored: Unstored[] = [];
  let registerStored = true;
  let registerWrites = 0;
  /** The register as it was last stored. */
  let registerUpdate: Uint8Array = Y.encodeStateAsUpdate(register.document);
  /** The record to be written next; Yjs pays for each write, so the document gets only the last of a while. */
  let registerNext: RegisterRecord | undefined;
  let registerStoredAt = Number.NEGATIVE_INFINITY;
  let cancelRegister: Undo = () => {};
  let cancelAcknowledged: Undo = () => {};

  await load();
  const registerOutbound = outboundOf(registerName(id), register.document, new Map(), () => registerStored);

  async function load(): Promise<void> {
    const byPage = new Map<string, OwnPage>();
    for (const [key, value] of await records.entries(pagePrefix)) {
      const [, page = ""] = key.split("/");
      const name = parsePageName(page);
      if (!name || !(value instanceof Uint8Array)) continue;
      const own = byPage.get(page) ?? ownPage(name, false);
      byPage.set(page, own);
      Y.applyUpdate(own.page.document, value);
    }
    pages.push(...[...byPage.values()].sort((a, b) => comparePages(a.page.name, b.page.name)));
    for (const own of pages) {
      // The log reads pages once; the ends of batches are read here, from a page of their own.
      own.ends = endsOf(own.page);
      own.loaded = own.ends.at(-1) ?? 0;
      own.kept = own.loaded;
      log.take(id, own.page);
      const last = log.pages(id).at(-1)?.entries.at(-1);
      if (last) hybrid.observe(last.clock);
    }
    const record = await records.get(registerRecordKey);
    if (!(record instanceof Uint8Array)) return;
    registerUpdate = record;
    Y.applyUpdate(register.document, record);
  }

  function ownPage(name: PageName, writable: boolean): OwnPage {
    const page = createPage(name, { writable });
    const documentName = laneName(id, name);
    const acknowledged = new Map([[name.client, known.clocks.get(documentName) ?? 0]]);
    const own: OwnPage = { page, name: documentName, outbound: undefined, ends: [], loaded: 0, kept: 0 };
    own.outbound = outboundOf(documentName, page.document, acknowledged, () => storing !== own);
    return own;
  }

  function outboundOf(
    name: string,
    document: Y.Doc,
    acknowledged: ReadonlyMap<number, number>,
    ready: () => boolean,
  ): Outbound | undefined {
    return (
      link &&
      createOutbound({
        name,
        document,
        link,
        ready,
        acknowledged,
        onAcknowledged() {
          relayed.advance(relayedCount());
          cancelAcknowledged();
          cancelAcknowledged = clock.after(acknowledgedAfterMs, () => void storeAcknowledged());
          onPending();
        },
        onRefused(error) {
          relayed.fail(error);
          onProblem(error);
        },
      })
    );
  }

  /** Entries of this session in the longest run of pages that the relay has acknowledged. */
  function relayedCount(): number {
    let count = 0;
    for (const own of pages) {
      const acknowledged = acknowledgedEntries(own);
      count += Math.max(0, acknowledged - own.loaded);
      if (acknowledged < (own.ends.at(-1) ?? 0)) break;
    }
    return count;
  }

  function acknowledgedEntries({ outbound, page, ends }: OwnPage): number {
    const clock = outbound?.acknowledged(page.name.client) ?? 0;
    return ends[clock - 1] ?? 0;
  }

  async function storeAcknowledged(): Promise<void> {
    cancelAcknowledged();
    const clocks = Object.fromEntries(
      pages.map(({ name, page, outbound }) => [name, outbound?.acknowledged(page.name.client) ?? 0]),
    );
    try {
      await records.write({ put: [[acknowledgedKey, { epoch: relayEpoch, clocks }]] });
    } catch {
      // Known again after the next join, at the price of one repeated upload.
    }
  }

  function currentPage(bytes: number): OwnPage {
    const last = pages.at(-1);
    if (last && last.loaded === 0 && !isFull(last, bytes)) return last;
    const number = (last?.page.name.number ?? -1) + 1;
    const fresh = ownPage({ number, client: randomClient(random) }, true);
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
    while (queue.length > 0) await storeBatch();
  }

  function ensureRunning(): void {
    running ??= run().finally(() => {
      running = undefined;
      if (queue.length > 0) ensureRunning();
    });
  }

  async function storeBatch(): Promise<void> {
    const own = queue[0]?.page as OwnPage;
    const end = queue.findIndex(({ page }) => page !== own);
    const taken = end === -1 ? queue : queue.slice(0, end);
    queue = end === -1 ? [] : queue.slice(end);
    if (pages.at(-1) === own) {
      queuedEntries = 0;
      queuedBytes = 0;
    }
    const first = own.page.length;
    const before = pages[pages.indexOf(own) - 1];
    const bytes = encodeBatch(
      {
        first,
        clock: hybrid.tick(),
        previous: first === 0 && before ? { page: before.page.name, length: before.page.length } : undefined,
        references: [...new Set(taken.flatMap(({ references }) => references))],
      },
      taken.map((queued) => queued.bytes),
    );
    const clockBefore = own.ends.length;
    const update = captureUpdate(own.page.document, () => own.page.append(bytes));
    own.ends.push(first + taken.length);
    storing = own;
    log.take(id, own.page);
    shown.advance(appended - queue.length);
    const key = `${pagePrefix}${formatPageName(own.page.name)}/${String(clockBefore).padStart(6, "0")}`;
    unstored.push({ put: [key, update], own, pageLength: own.page.length, appended: appended - queue.length });
    await storePages();
    storing = undefined;
    stored.emit({ name: own.name, update });
    own.outbound?.pump();
    onPending();
  }

  async function storePages(): Promise<void> {
    while (unstored.length > 0) {
      const taken = unstored.slice(0, maxRetriedPuts);
      if (!(await store(taken.map(({ put }) => put)))) return;
      unstored = unstored.filter((each) => !taken.includes(each));
      for (const { own, pageLength } of taken) own.kept = Math.max(own.kept, pageLength);
      local.advance(taken.at(-1)?.appended ?? 0);
    }
  }

  /** A failed database is reported; the writer goes on in memory, so that the relay at least has it. */
  async function store(put: [string, StoredValue][]): Promise<boolean> {
    try {
      await records.write({ put });
      return true;
    } catch (cause) {
      const error = cause instanceof FlockError ? cause : new FlockError("crdt/storage-failed", "The writer's database failed.", { cause });
      local.fail(error);
      onProblem(error);
      return false;
    }
  }

  async function storeRegister(): Promise<void> {
    cancelRegister();
    if (!registerNext) return;
    register.set(registerNext);
    registerNext = undefined;
    registerStoredAt = clock.now();
    registerStored = false;
    registerWrites++;
    const number = registerWrites;
    const update = Y.encodeStateAsUpdate(register.document);
    await store([[registerRecordKey, update]]);
    // A flush may have begun the next write meanwhile; what it holds is not stored yet.
    registerStored = number === registerWrites;
    registerUpdate = update;
    stored.emit({ name: registerName(id), update });
    registerOutbound?.pump();
    onPending();
  }

  return {
    id,
    stored,
    registerChanged,
    append(record, { references = [] } = {}) {
      if (closed) throw new FlockError("crdt/closed", `The writer ${id} is closed.`);
      const bytes = encodeEntry(record);
      if (bytes.length > maxEntryBytes) {
        throw new FlockError(
          "crdt/entry-too-large",
          `An entry of ${bytes.length} bytes is past ${maxEntryBytes}: send large content by reference.`,
          { details: { bytes: bytes.length, maxEntryBytes } },
        );
      }
      const page = currentPage(bytes.length);
      const index = page.page.length + queuedEntries;
      queue.push({ page, bytes, references });
      queuedEntries++;
      queuedBytes += bytes.length + references.length * 32 + 16;
      appended++;
      const target = appended;
      ensureRunning();
      onPending();
      return {
        id: entryId({ writer: id, page: page.page.name, index }),
        shown: () => shown.reached(target),
        ...createWrite({ local: () => local.reached(target), relayed: () => relayed.reached(target) }),
      };
    },
    register: () => registerNext ?? register.get(),
    setRegister(record) {
      if (closed) return;
      const isScheduled = registerNext !== undefined;
      registerNext = record;
      registerChanged.emit();
      if (isScheduled) return;
      const waitMs = Math.max(0, registerStoredAt + registerEveryMs - clock.now());
      cancelRegister = clock.after(waitMs, () => void storeRegister());
    },
    owns: (name) => name === registerName(id) || pages.some((own) => own.name === name),
    stageOf(name, index) {
      const own = pages.find(({ page }) => comparePages(page.name, name) === 0);
      if (own && index < acknowledgedEntries(own)) return "relayed";
      return own && index < own.kept ? "local" : "pending";
    },
    get pending() {
      if (!link) return 0;
      let count = registerNext || registerOutbound?.complete === false ? 1 : 0;
      for (const own of pages) count += (own.ends.at(-1) ?? 0) - acknowledgedEntries(own);
      return count + queue.length;
    },
    *documents() {
      yield [registerName(id), registerStored ? register.document : documentOf(registerUpdate)];
      for (const own of pages) yield [own.name, own === storing ? withoutLast(own.page) : own.page.document];
    },
    joined(epoch) {
      const resumed = epoch === relayEpoch;
      relayEpoch = epoch;
      for (const { outbound } of pages) outbound?.joined(resumed);
      registerOutbound?.joined(resumed);
    },
    resync(name, stateVector) {
      if (name === registerName(id)) registerOutbound?.resync(stateVector);
      else pages.find((own) => own.name === name)?.outbound?.resync(stateVector);
    },
    async flush() {
      while (running) await running;
      await storePages();
      await storeRegister();
    },
    async close() {
      if (closed) return;
      closed = true;
      while (running) await running;
      await storePages();
      await storeRegister();
      await storeAcknowledged();
      const failure = new FlockError("crdt/closed", `The writer ${id} was closed before the relay acknowledged.`);
      local.fail(failure);
      relayed.fail(failure);
      await records.close();
      for (const { page } of pages) page.document.destroy();
      register.document.destroy();
    },
  };
}

/** What a writer's database has, without opening the writer: for the tabs beside the one that writes. */
export async function* readWriter(
  id: string,
  records: KeyValueStore,
): AsyncGenerator<[name: DocumentName, update: Uint8Array]> {
  for (const [key, value] of await records.entries(pagePrefix)) {
    const name = readDocumentName(`lane/${id}/${key.split("/")[1]}`);
    if (name && value instanceof Uint8Array) yield [name, value];
  }
  const record = await records.get(registerRecordKey);
  const name = readDocumentName(registerName(id));
  if (name && record instanceof Uint8Array) yield [name, record];
}

function captureUpdate(document: Y.Doc, change: () => void): Uint8Array {
  let captured: Uint8Array | undefined;
  const listen = (update: Uint8Array): void => {
    captured = update;
  };
  document.on("update", listen);
  change();
  document.off("update", listen);
  return captured as Uint8Array;
}

function documentOf(update: Uint8Array): Y.Doc {
  const document = new Y.Doc();
  Y.applyUpdate(document, update);
  return document;
}

/** A page's document as it was before its newest batch. */
function withoutLast({ name, document }: Page): Y.Doc {
  const before = createPage(name, { writable: true });
  before.document.getArray(pageRoot).push(document.getArray(pageRoot).toArray().slice(0, -1));
  return before.document;
}

function endsOf(page: Page): number[] {
  const ends: number[] = [];
  const copy = createPage(page.name);
  Y.applyUpdate(copy.document, Y.encodeStateAsUpdate(page.document));
  for (const batch of copy.read()) ends.push(batch.first + batch.entries.length);
  copy.document.destroy();
  return ends;
}

const acknowledgedSchema = z.object({ epoch: z.string(), clocks: z.record(z.string(), z.number()) });

function parseAcknowledged(value: StoredValue | undefined): { epoch: string; clocks: Map<string, number> } {
  const parsed = z.safeParse(acknowledgedSchema, value);
  return parsed.success
    ? { epoch: parsed.data.epoch, clocks: new Map(Object.entries(parsed.data.clocks)) }
    : { epoch: "", clocks: new Map() };
}

