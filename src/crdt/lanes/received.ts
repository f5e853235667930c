import * as Y from "yjs";
import {
  createEmitter,
  type Emitter,
  type HybridClock,
  type RandomBytes,
  randomId,
} from "../../base/index.ts";
import {
  comparePages,
  type DocumentName,
  laneName,
  type PageName,
  type RegisterRecord,
  readDocumentName,
} from "../../protocol/index.ts";
import type { KeyValueStore, StoredChange } from "../persistence/port.ts";
import { createGuard, type Guard, type Received } from "../shared/guard.ts";
import { createRegister, type Register } from "../writers/register.ts";
import type { EntryLog } from "./entry-log.ts";
import { createPage, type Page } from "./page.ts";
import { createReceivedRows } from "./received-rows.ts";

/** How a page stands to its lane's low-water mark: below it and of the chain, none of that, or not known at once. */
export type PageStanding = "sealed" | "live" | "unknown";

/** The lanes and registers of other writers: in memory as documents, in the room's database as the updates that came. */
export interface ReceivedDocuments {
  /**
   * Gates an update and applies it; what it adds goes into the changes to store. A sealed page is known already. One that
   * may be sealed is kept but not shown, until `show` or `release`.
   */
  receive(name: DocumentName, update: Uint8Array): Received;
  /** Takes up what this device has in another of its databases; nothing of it is stored again. */
  preload(name: DocumentName, update: Uint8Array): void;
  /** The changes to store for what was received or let go of since the last call. */
  takeUnsaved(): StoredChange;
  /** Names and state vectors of all documents that may be offered to another tab. */
  stateVectors(): [name: string, stateVector: Uint8Array][];
  /** What a tab with this state vector lacks of a document; undefined where it lacks nothing. */
  missing(name: string, stateVector: Uint8Array | undefined): Uint8Array | undefined;
  register(writer: string): RegisterRecord | undefined;
  /** Writers whose register is here. */
  writers(): Iterable<string>;
  /** The documents of a writer that are here. */
  documents(writer: string): Iterable<[name: string, document: Y.Doc]>;
  /** The pages of a writer that are here, by number and then client. */
  pages(writer: string): PageName[];
  /** A page that might have been sealed is not: its entries go into the log. */
  show(writer: string, page: PageName): void;
  /** Lets go of a page here and in the database; tells whether it was here. */
  release(writer: string, page: PageName): boolean;
  /** Lets go of a writer's register and pages, here and in the database. */
  forget(writer: string): void;
  /** Told with the writer whose register changed. */
  readonly registerChanged: Emitter<string>;
}

/** A document with this many rows is stored again as one. */
const compactAt = { register: 16, lane: 64, shared: Number.POSITIVE_INFINITY };

interface Held {
  name: DocumentName;
  document: Y.Doc;
  page: Page | undefined;
  register: Register | undefined;
  guard: Guard;
  /** Whether it is kept out of the log, because it may be a sealed page. */
  isHidden: boolean;
}

export interface ReceivedOptions {
  log: EntryLog;
  hybrid: HybridClock;
  random: RandomBytes;
  /** Judges a page that is not here yet, and those that might be offered to another tab. */
  standingOf(writer: string, page: PageName): PageStanding;
}

/** Loads what the room's database has. */
export async function loadReceived(
  records: KeyValueStore,
  { log, hybrid, random, standingOf }: ReceivedOptions,
): Promise<ReceivedDocuments> {
  const held = new Map<string, Held>();
  const registerChanged = createEmitter<string>();
  const rows = createReceivedRows(records, randomId(random));

  function hold(name: DocumentName, isHidden = false): Held {
    const present = held.get(name.name);
    if (present) return present;
    const page = name.kind === "lane" ? createPage(name.page) : undefined;
    const register = name.kind === "register" ? createRegister() : undefined;
    const document = page?.document ?? register?.document ?? new Y.Doc();
    const made: Held = { name, document, page, register, guard: createGuard(name, document), isHidden };
    held.set(name.name, made);
    return made;
  }

  function apply({ name, document, page, isHidden }: Held, update: Uint8Array): void {
    Y.applyUpdate(document, update);
    if (page && name.kind === "lane" && !isHidden) takePage(name.writer, page);
    if (name.kind === "register") registerChanged.emit(name.writer);
  }

  /** What is written here from now on comes after what was read. */
  function takePage(writer: string, page: Page): void {
    log.take(writer, page);
    const last = log.pages(writer).at(-1)?.entries.at(-1);
    if (last) hybrid.observe(last.clock);
    if (page.previous) compactWhole(writer, page.previous);
  }

  /** The next page has begun: the one before it is as long as it will be. */
  function compactWhole(writer: string, { page: name, length }: { page: PageName; length: number }): void {
    const target = held.get(laneName(writer, name));
    if (target?.page?.length === length && rows.count(target.name.name) > 1) compact(target);
  }

  function compact({ name, document }: Held): void {
    rows.replace(name.name, Y.encodeStateAsUpdate(document));
  }

  function save(target: Held, update: Uint8Array): void {
    const { name, kind } = target.name;
    if (rows.count(name) >= compactAt[kind]) compact(target);
    else rows.add(name, update);
  }

  function release(name: string): boolean {
    rows.forget(name);
    held.get(name)?.document.destroy();
    return held.delete(name);
  }

  function isOffered({ name, isHidden }: Held): boolean {
    return !isHidden && !(name.kind === "lane" && standingOf(name.writer, name.page) === "sealed");
  }

  function pages(writer: string): PageName[] {
    const names = [...held.values()].flatMap(({ name }) =>
      name.kind === "lane" && name.writer === writer ? [name.page] : [],
    );
    return names.sort(comparePages);
  }

  for (const [key, update] of await rows.load()) {
    const name = readDocumentName(key);
    // Stored updates passed the gate; pieces may lie in any order, and Yjs waits for the earlier ones.
    if (name && name.kind !== "shared") Y.applyUpdate(hold(name).document, update);
  }
  for (const { name, page } of held.values()) {
    if (page && name.kind === "lane") takePage(name.writer, page);
  }
  for (const target of held.values()) {
    if (rows.count(target.name.name) > compactAt[target.name.kind]) compact(target);
  }

  return {
    registerChanged,
    receive(name, update) {
      const isNew = name.kind === "lane" && !held.has(name.name);
      const standing = isNew ? standingOf(name.writer, name.page) : "live";
      if (standing === "sealed") return { result: "known" };
      const target = hold(name, standing === "unknown");
      const received = target.guard(update);
      if (received.result === "applied") {
        apply(target, update);
        save(target, update);
      }
      return received;
    },
    preload: (name, update) => apply(hold(name), update),
    takeUnsaved: rows.take,
    stateVectors: () =>
      [...held.values()]
        .filter(isOffered)
        .map(({ name, document }) => [name.name, Y.encodeStateVector(document)]),
    missing(name, stateVector) {
      const target = held.get(name);
      return target && isOffered(target) ? missingOf(target.document, stateVector) : undefined;
    },
    register: (writer) => held.get(`register/${writer}`)?.register?.get(),
    *writers() {
      for (const { name } of held.values()) if (name.kind === "register") yield name.writer;
    },
    *documents(writer) {
      for (const { name, document } of held.values()) {
        if (name.kind !== "shared" && name.writer === writer) yield [name.name, document];
      }
    },
    pages,
    show(writer, name) {
      const target = held.get(laneName(writer, name));
      if (!target?.isHidden || !target.page) return;
      target.isHidden = false;
      takePage(writer, target.page);
    },
    release: (writer, page) => release(laneName(writer, page)),
    forget(writer) {
      for (const page of pages(writer)) {
        release(laneName(writer, page));
        log.release(writer, page);
      }
      const register = `register/${writer}`;
      if (!held.has(register)) return;
      release(register);
      registerChanged.emit(writer);
    },
  };
}

/** What a replica with this state vector lacks of a document; undefined where it lacks nothing. */
export function missingOf(document: Y.Doc, stateVector: Uint8Array | undefined): Uint8Array | undefined {
  const have = stateVector && Y.decodeStateVector(stateVector);
  for (const [client, clock] of Y.decodeStateVector(Y.encodeStateVector(document))) {
    if ((have?.get(client) ?? 0) < clock) return Y.encodeStateAsUpdate(document, stateVector);
  }
  return undefined;
}
