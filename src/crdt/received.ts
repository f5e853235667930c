import * as Y from "yjs";
import { createEmitter, type Emitter, type HybridClock, type RandomBytes, randomId } from "../base/index.ts";
import { type DocumentName, type RegisterRecord, readDocumentName } from "../protocol/index.ts";
import type { EntryLog } from "./entry-log.ts";
import { createGuard, type Guard, type Received } from "./guard.ts";
import { createPage, type Page } from "./page.ts";
import type { KeyValueStore, StoredChange, StoredValue } from "./persistence/port.ts";
import { createRegister, type Register } from "./register.ts";

/** The lanes and registers of other writers: in memory as documents, in the room's database as the updates that came. */
export interface ReceivedDocuments {
  /** Gates an update and applies it; what it adds goes into `unsaved`. */
  receive(name: DocumentName, update: Uint8Array): Received;
  /** Takes up what this device has in another of its databases; nothing of it is stored again. */
  preload(name: DocumentName, update: Uint8Array): void;
  /** The changes to store for what was received since the last call. */
  takeUnsaved(): StoredChange;
  /** Names and state vectors of all documents, for another tab. */
  stateVectors(): [name: string, stateVector: Uint8Array][];
  /** What a tab with this state vector lacks of a document; undefined where it lacks nothing. */
  missing(name: string, stateVector: Uint8Array | undefined): Uint8Array | undefined;
  register(writer: string): RegisterRecord | undefined;
  /** Writers whose register is here. */
  writers(): Iterable<string>;
  /** Told with the writer whose register changed. */
  readonly registerChanged: Emitter<string>;
}

const prefix = "update/";
/** A register with this many stored updates is stored again as one. */
const compactRegisterAt = 16;

interface Held {
  name: DocumentName;
  document: Y.Doc;
  page: Page | undefined;
  register: Register | undefined;
  guard: Guard;
  /** Keys of the stored updates; counted for registers, which are compacted. */
  keys: string[];
}

export interface ReceivedOptions {
  log: EntryLog;
  hybrid: HybridClock;
  random: RandomBytes;
}

/** Loads what the room's database has. */
export async function loadReceived(
  records: KeyValueStore,
  options: ReceivedOptions,
): Promise<ReceivedDocuments> {
  const { log, hybrid, random } = options;
  const held = new Map<string, Held>();
  const registerChanged = createEmitter<string>();
  let unsaved: [string, StoredValue][] = [];
  let obsolete: string[] = [];

  function hold(name: DocumentName): Held {
    const present = held.get(name.name);
    if (present) return present;
    const page = name.kind === "lane" ? createPage(name.page) : undefined;
    const register = name.kind === "register" ? createRegister() : undefined;
    const document = page?.document ?? register?.document ?? new Y.Doc();
    const made: Held = { name, document, page, register, guard: createGuard(name, document), keys: [] };
    held.set(name.name, made);
    return made;
  }

  function apply({ name, document, page }: Held, update: Uint8Array): void {
    Y.applyUpdate(document, update);
    if (page && name.kind === "lane") takePage(name.writer, page);
    if (name.kind === "register") registerChanged.emit(name.writer);
  }

  /** What is written here from now on comes after what was read. */
  function takePage(writer: string, page: Page): void {
    log.take(writer, page);
    const last = log.pages(writer).at(-1)?.entries.at(-1);
    if (last) hybrid.observe(last.clock);
  }

  function save(target: Held, update: Uint8Array): void {
    const key = `${prefix}${target.name.name}/${randomId(random)}`;
    if (target.name.kind === "register" && target.keys.length >= compactRegisterAt) {
      const replaced = new Set(target.keys);
      // A change removes before it puts, so what is obsolete before it was stored is left out of it.
      unsaved = unsaved.filter(([each]) => !replaced.has(each));
      obsolete.push(...replaced);
      target.keys = [];
      unsaved.push([key, Y.encodeStateAsUpdate(target.document)]);
    } else {
      unsaved.push([key, update]);
    }
    target.keys.push(key);
  }

  for (const [key, value] of await records.entries(prefix)) {
    const name = readDocumentName(key.slice(prefix.length, key.lastIndexOf("/")));
    if (!name || name.kind === "shared" || !(value instanceof Uint8Array)) continue;
    const target = hold(name);
    target.keys.push(key);
    // Stored updates passed the gate; pieces may lie in any order, and Yjs waits for the earlier ones.
    Y.applyUpdate(target.document, value);
  }
  for (const { name, page } of held.values()) {
    if (page && name.kind === "lane") takePage(name.writer, page);
  }

  return {
    registerChanged,
    receive(name, update) {
      const target = hold(name);
      const received = target.guard(update);
      if (received.result === "applied") {
        apply(target, update);
        save(target, update);
      }
      return received;
    },
    preload: (name, update) => apply(hold(name), update),
    takeUnsaved() {
      const change: StoredChange = { put: unsaved, remove: obsolete };
      unsaved = [];
      obsolete = [];
      return change;
    },
    stateVectors: () =>
      [...held.values()].map(({ name, document }) => [name.name, Y.encodeStateVector(document)]),
    missing(name, stateVector) {
      const target = held.get(name);
      return target && missingOf(target.document, stateVector);
    },
    register: (writer) => held.get(`register/${writer}`)?.register?.get(),
    *writers() {
      for (const { name } of held.values()) if (name.kind === "register") yield name.writer;
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
