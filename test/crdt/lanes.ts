import * as Y from "yjs";
import { createEntryLog, type EntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { createPage, type Page } from "../../src/crdt/lanes/page.ts";
import { documentOf } from "../../src/crdt/lanes/written-page.ts";
import {
  type Batch,
  type EntryRecord,
  encodeBatch,
  encodeEntry,
  type PageName,
} from "../../src/protocol/index.ts";

/** One batch as a test says it: bodies of its entries, and what differs from the ordinary. */
export interface WrittenBatch {
  bodies: readonly EntryRecord["body"][];
  clock?: number;
  first?: number;
  kind?: string;
  parents?: readonly string[];
  previous?: Batch["previous"];
}

/** A page that a test writes, batch by batch; each append gives the update that carries it. */
export interface WrittenPage {
  readonly name: PageName;
  append(batch: WrittenBatch): Uint8Array;
  /** Appends an element that no writer of ours would. */
  appendRaw(element: unknown): Uint8Array;
}

export function writePage(number = 0, client = 7): WrittenPage {
  const name = { number, client };
  const document = documentOf(name, []);
  let length = 0;
  let update: Uint8Array = new Uint8Array();
  document.on("update", (bytes: Uint8Array) => {
    update = bytes;
  });
  return {
    name,
    append({ bodies, clock = 1, first = length, kind = "note", parents = [], previous }) {
      const entries = bodies.map((body) => encodeEntry({ kind, parents, body }));
      document.getArray("b").push([[encodeBatch({ first, clock, previous, references: [] }, entries)]]);
      length += bodies.length;
      return update;
    },
    appendRaw(element) {
      document.getArray("b").push([element]);
      return update;
    },
  };
}

/** A replica's copy of a page, from updates in the given order. */
export function readPage(name: PageName, updates: readonly Uint8Array[]): Page {
  const page = createPage(name);
  for (const update of updates) Y.applyUpdate(page.document, update);
  return page;
}

/** An entry of a lane of one writer, in a page of its own, so that tests can place clocks and parents freely. */
export interface Placed {
  writer: string;
  number: number;
  clock: number;
  parents?: readonly string[];
  body: EntryRecord["body"];
}

/** Puts entries into a log, each as one arrival. */
export function arrive(log: EntryLog, entries: readonly Placed[]): void {
  for (const { writer, number, clock, parents = [], body } of entries) {
    const written = writePage(number, 7);
    log.take(writer, readPage(written.name, [written.append({ bodies: [body], clock, parents })]));
  }
}

export function createLog(entries: readonly Placed[] = []): EntryLog {
  const log = createEntryLog();
  arrive(log, entries);
  return log;
}
