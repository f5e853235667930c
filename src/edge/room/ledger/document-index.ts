import { type DocumentName, parseDocumentName } from "../../../protocol/index.ts";
import type { StoredDocument } from "../ports.ts";
import { createDocumentLedger, type DocumentLedger, type DocumentSources } from "./document-ledger.ts";

/** Documents that are kept in memory, about 1 kB each without their clocks; past it all are forgotten and looked up again. */
const maxCachedDocuments = 4_096;

/** The documents of a room by name and number: as stored, and as the turn begins and ends them. */
export interface DocumentIndex<Author> {
  named(name: DocumentName): DocumentLedger<Author> | undefined;
  numbered(id: number): DocumentLedger<Author> | undefined;
  /** What a document of this number is called: also one that the turn ends, whose rows are there until its commit. */
  nameOf(id: number): DocumentName | undefined;
  /** Whether this number was given to a document, which may be gone. */
  wasGiven(id: number): boolean;
  /** How many there are. */
  readonly count: number;
  /** The highest number that a committed document was given. */
  readonly lastCommitted: number;
  create(name: DocumentName, day: number): DocumentLedger<Author>;
  /** Ends a document: to whatever comes after it in the turn it is gone. */
  remove(document: DocumentLedger<Author>): void;
  /** Whether the turn began a document. */
  isNew(document: DocumentLedger<Author>): boolean;
  /** What the turn begins and ends, for the commit. */
  changes(day: number): { begun: StoredDocument[]; ended: number[] };
  /** What was staged is committed. */
  settle(): void;
  /** Forgets everything, staged documents included. */
  reload(): void;
}

/** Creates the index of a room's documents. */
export function createDocumentIndex<Author>(sources: DocumentSources): DocumentIndex<Author> {
  const { storage } = sources;
  const byName = new Map<string, DocumentLedger<Author>>();
  const byNumber = new Map<number, DocumentLedger<Author>>();
  const begun = new Set<DocumentLedger<Author>>();
  const ended = new Map<number, DocumentName>();
  let last = storage.lastDocument();
  let lastCommitted = last;
  let count: number | undefined;

  function remember(id: number, name: DocumentName, day: number): DocumentLedger<Author> {
    const document = createDocumentLedger<Author>(sources, { id, name, day });
    byName.set(name.name, document);
    byNumber.set(id, document);
    return document;
  }

  function numbered(id: number): DocumentLedger<Author> | undefined {
    const known = byNumber.get(id);
    if (known) return known;
    const stored = ended.has(id) ? undefined : storage.documentNumbered(id);
    return stored && remember(id, parseDocumentName(stored.name), stored.day);
  }

  /** Asked of the storage once, before anything is ended. */
  function counted(): number {
    count ??= storage.documentCount() + begun.size;
    return count;
  }

  return {
    numbered,
    named(name) {
      const known = byName.get(name.name);
      if (known) return known;
      const stored = storage.documentNamed(name.name);
      return stored && !ended.has(stored.id) ? remember(stored.id, name, stored.day) : undefined;
    },
    nameOf: (id) => numbered(id)?.name ?? ended.get(id),
    wasGiven: (id) => id > 0 && id <= last,
    get count() {
      return counted();
    },
    get lastCommitted() {
      return lastCommitted;
    },
    create(name, day) {
      const document = remember(++last, name, day);
      begun.add(document);
      if (count !== undefined) count++;
      return document;
    },
    remove(document) {
      const { id, name } = document;
      count = counted() - 1;
      byNumber.delete(id);
      byName.delete(name.name);
      for (const cache of [sources.clocks, sources.recent]) cache.forget(id);
      begun.delete(document);
      // Also one that was never stored, so that its number is not given again.
      ended.set(id, name);
    },
    isNew: (document) => begun.has(document),
    changes: (day) => ({
      begun: [...begun].map(({ id, name }) => toStored(id, name, day)),
      ended: [...ended.keys()],
    }),
    settle() {
      begun.clear();
      ended.clear();
      lastCommitted = last;
      if (byNumber.size <= maxCachedDocuments) return;
      byName.clear();
      byNumber.clear();
    },
    reload() {
      for (const each of [byName, byNumber, begun, ended, sources.clocks, sources.recent]) each.clear();
      last = storage.lastDocument();
      lastCommitted = last;
      count = undefined;
    },
  };
}

function toStored(id: number, name: DocumentName, day: number): StoredDocument {
  return { id, name: name.name, ...(name.kind !== "shared" && { writer: name.writer }), day };
}
