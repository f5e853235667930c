import { type Clock, FlockError, systemClock } from "../../../base/index.ts";
import {
  type DocumentName,
  isResync,
  maxUpdateBytes,
  parseDocumentName,
  type Refusal,
  sliceUpdate,
} from "../../../protocol/index.ts";
import { type RoomObserver, silentObserver } from "../../operations/observer.ts";
import type { Grant } from "../grant.ts";
import { defaultRoomLimits, type RoomLimits } from "../limits.ts";
import type { RoomStorage, StoredDocument, StoredSize } from "../ports.ts";
import { denialOf, denialOfDrop, type LedgerRefusal, maySpeakFor, refusal } from "./admission.ts";
import { type AuditScope, createAuditTurn } from "./audit-turn.ts";
import { createCapacity } from "./capacity.ts";
import { createClientCache } from "./client-cache.ts";
import { type Compaction, compactDocument } from "./compact-document.ts";
import { dayOf } from "./days.ts";
import {
  createDocumentLedger,
  type DocumentLedger,
  type DocumentSources,
  type LedgerRow,
} from "./document-ledger.ts";
import { judgeUpdate } from "./judging.ts";

export type { LedgerRefusal } from "./admission.ts";

/** Documents that are kept in memory, about 1 kB each without their clocks; past it all are forgotten and looked up again. */
const maxCachedDocuments = 4_096;

/** Clocks of Yjs clients in memory, about 200 bytes each, in all documents together. */
const maxCachedClocks = 50_000;
/** Places of Yjs clients in memory, one a client and about 100 bytes each, in all documents together. */
const maxCachedPlaces = 20_000;

/**
 * What one update of a sender that does not slice may hold: decoding it for the cut takes about 200 bytes a struct, and
 * no frame of an honest sender holds more.
 */
const sliceableLimits = { structs: 200_000, deleteRanges: 200_000 };

/** Owns a Yjs client until a principal goes on with it. */
const nobody = "";
/** Whoever drops what is past retention. */
const retention = { principal: nobody, tokenId: "retention" };

/** A document that has a number in this room. */
export interface LedgerDocument {
  readonly id: number;
  readonly name: DocumentName;
}

/** Who sends an update. */
export interface Sender<Author> {
  author: Author;
  grant: Grant;
  /** Whether an administrator gives back what the relay may have lost: clients that are new then belong to nobody yet. */
  isRefill?: boolean;
}

/** What a room holds, and what the present turn adds to it. */
export interface Ledger<Author> {
  /**
   * The document of a name; the next commit stores one that is new.
   *
   * @throws `edge/too-many-documents`
   */
  documentNamed(name: DocumentName): LedgerDocument;
  /** As `documentNamed`, where a document exists or the grant allows to begin it; else why not. */
  open(name: DocumentName, grant: Grant): LedgerDocument | LedgerRefusal;
  documentNumbered(id: number): LedgerDocument | undefined;
  /** What a document of this number is called: also one that this turn drops, whose rows are there until its end. */
  nameOf(id: number): DocumentName | undefined;
  /** Whether this number was given to a document, which may be gone. */
  wasGiven(id: number): boolean;
  /** Authorises and gates an update, and stages what is new in it; returns why not, if not. */
  offer(document: LedgerDocument, update: Uint8Array, from: Sender<Author>): LedgerRefusal | undefined;
  /** As `offer`, for a sender that does not slice: a large update is cut into ones that pass. */
  offerWhole(document: LedgerDocument, update: Uint8Array, from: Sender<Author>): LedgerRefusal | undefined;
  /** Authorises and stages the end of a page or register; one that does not exist is left so. Returns why not, if not. */
  drop(name: DocumentName, grant: Grant): LedgerRefusal | undefined;
  /** Stages the end of documents of one writer, which are past retention. */
  expire(writer: string, documents: readonly StoredDocument[]): void;
  /** The next clocks of a document's Yjs clients, staged updates included; none of one that is gone. */
  clocks(document: LedgerDocument): Map<number, number>;
  /** The sequence of the newest committed row. */
  readonly head: number;
  /** The highest number that a committed document was given. */
  readonly lastDocument: number;
  /** The bytes that the next commit writes in rows. */
  readonly stagedBytes: number;
  /** Writes everything staged in one transaction. A ledger whose commit threw is ahead of its storage: drop it. */
  commit(): LedgerRow<Author>[];
  /** What is stored of a document, and how much of it is the snapshot that it was last compacted to. */
  growthOf(id: number): { stored: Readonly<StoredSize>; snapshotBytes: number } | undefined;
  /** The documents that commits wrote to since this was last asked. */
  takeGrown(): Iterable<number>;
  /** Audit entries that commits wrote since this ledger began. */
  readonly audited: number;
  /** Replaces the committed rows of a document by a snapshot; undefined where there is nothing to replace. */
  compact(id: number): Compaction | undefined;
  /** Forgets everything, staged updates included, after somebody else wrote documents, rows or clocks. */
  reload(): void;
}

export interface LedgerOptions {
  limits?: RoomLimits;
  clock?: Clock;
  observer?: RoomObserver;
  /** Which verdicts the audit trail keeps; `all` by default. */
  audit?: AuditScope;
  /** Rows of a document were replaced by a snapshot at this sequence. */
  compacted?(sequence: number): void;
  /** A commit dropped documents, rows and all. */
  dropped?(): void;
}

/** Creates the ledger of a room over its storage. */
export function createLedger<Author>(
  storage: RoomStorage,
  {
    limits = defaultRoomLimits,
    clock = systemClock,
    observer = silentObserver,
    audit: scope = "all",
    compacted = () => {},
    dropped = () => {},
  }: LedgerOptions = {},
): Ledger<Author> {
  const byName = new Map<string, DocumentLedger<Author>>();
  const byNumber = new Map<number, DocumentLedger<Author>>();
  const created = new Set<DocumentLedger<Author>>();
  const staged = new Set<DocumentLedger<Author>>();
  /** Documents that the turn drops, by number: to whatever comes after it in the turn they are gone. */
  const going = new Map<number, DocumentName>();
  const sources: DocumentSources = {
    storage,
    clocks: createClientCache(maxCachedClocks),
    recent: createClientCache(maxCachedPlaces),
  };
  const audit = createAuditTurn(scope);
  const updateBytes = Math.min(limits.updateBytes, maxUpdateBytes);
  let capacity = createCapacity({ storage, limits, compact });
  let lastDocument = storage.lastDocument();
  let lastCommitted = lastDocument;
  let head = storage.head();
  let documentCount: number | undefined;
  let stagedBytes = 0;
  let audited = 0;
  let grown = new Set<number>();

  function remember(id: number, name: DocumentName, day: number): DocumentLedger<Author> {
    const document = createDocumentLedger<Author>(sources, { id, name, day });
    byName.set(name.name, document);
    byNumber.set(id, document);
    return document;
  }

  function find(id: number): DocumentLedger<Author> | undefined {
    const known = byNumber.get(id);
    if (known) return known;
    const stored = going.has(id) ? undefined : storage.documentNumbered(id);
    return stored && remember(id, parseDocumentName(stored.name), stored.day);
  }

  function get(id: number): DocumentLedger<Author> {
    const document = find(id);
    if (!document) throw new RangeError(`The room has no document ${id}.`);
    return document;
  }

  function findNamed(name: DocumentName): DocumentLedger<Author> | undefined {
    const known = byName.get(name.name);
    if (known) return known;
    const stored = storage.documentNamed(name.name);
    return stored && !going.has(stored.id) ? remember(stored.id, name, stored.day) : undefined;
  }

  /** Asked of the storage once, before anything is dropped. */
  function countDocuments(): number {
    documentCount ??= storage.documentCount() + created.size;
    return documentCount;
  }

  function create(name: DocumentName): DocumentLedger<Author> {
    const document = remember(++lastDocument, name, dayOf(clock.now()));
    created.add(document);
    if (documentCount !== undefined) documentCount++;
    return document;
  }

  /** Stages the end of a document, and returns the bytes that it frees. */
  function remove(document: DocumentLedger<Author>): number {
    const { id, name } = document;
    const bytes = document.stored.bytes + document.staged.bytes;
    capacity.release(document);
    documentCount = countDocuments() - 1;
    stagedBytes -= document.staged.bytes;
    staged.delete(document);
    byNumber.delete(id);
    byName.delete(name.name);
    for (const cache of [sources.clocks, sources.recent]) cache.forget(id);
    created.delete(document);
    // Also one that was never stored, so that its number is not given again.
    going.set(id, name);
    return bytes;
  }

  function attempt(
    document: DocumentLedger<Author>,
    update: Uint8Array,
    { author, grant, isRefill = false }: Sender<Author>,
  ): LedgerRefusal | undefined {
    if (update.length > updateBytes) {
      const message = `An update of ${update.length} bytes is past the limit of ${updateBytes}: send large content by reference.`;
      return refusal("protocol/update-too-large", message);
    }
    const denial = denialOf(storage, grant, document.name);
    const judged = judgeUpdate(update, document.gate);
    const { verdict } = judged;
    if (!verdict.ok) return denial ?? toRefusal(verdict);
    // Whoever may not write may still say what is known: it changes nothing.
    if (verdict.known) return undefined;
    if (denial) return denial;
    for (const { client, to } of document.name.kind === "shared" ? verdict.ranges : []) {
      const owner = document.ownerOf(client);
      if (!owner || to <= document.clockOf(client) || maySpeakFor(grant, owner)) continue;
      const message = `The Yjs client ${client} of ${document.name.name} belongs to another principal than ${grant.principal}.`;
      return refusal("gate/not-owner", message);
    }
    const shortage = capacity.shortage(document, judged.update.length);
    if (shortage) return shortage;
    const owner =
      document.name.kind !== "shared" ? document.name.principal : isRefill ? nobody : grant.principal;
    const bytes = document.stage(judged.update, verdict, { author, owner });
    capacity.grew(bytes);
    stagedBytes += bytes;
    staged.add(document);
    audit.accepted(grant, document.name.name, { ranges: verdict.ranges, bytes: judged.update.length });
    return undefined;
  }

  /** Cuts an update into ones within the limits and stages them one after the other; a refusal ends it. */
  function attemptSlices(
    document: DocumentLedger<Author>,
    update: Uint8Array,
    from: Sender<Author>,
  ): LedgerRefusal | undefined {
    const whole = judgeUpdate(update, document.gate, sliceableLimits);
    if (!whole.verdict.ok) return toRefusal(whole.verdict);
    for (const slice of sliceUpdate(whole.update, { bytes: updateBytes })) {
      const refused = attempt(document, slice, from);
      if (refused) return refused;
    }
    return undefined;
  }

  function noted(
    refused: LedgerRefusal | undefined,
    { name }: LedgerDocument,
    { bytes, grant }: { bytes: number; grant: Grant },
  ): LedgerRefusal | undefined {
    if (refused && !refused.resync) audit.refused(grant, name.name, { code: refused.code, bytes });
    return refused;
  }

  function compact(id: number): Compaction | undefined {
    const document = find(id);
    const compaction = document && compactDocument(storage, document);
    if (!document || !compaction) return undefined;
    if (compaction.outcome === "failed") {
      observer.count("compactions_failed");
      observer.log("error", "compaction failed", { document: id, ...compaction.size, why: compaction.why });
      return compaction;
    }
    const { before, after, sequence } = compaction;
    document.compacted(after);
    compacted(sequence);
    capacity.grew(after.bytes - before.bytes);
    capacity.forget(id);
    observer.count("compactions");
    return compaction;
  }

  return {
    documentNamed(name) {
      const known = findNamed(name);
      if (known) return known;
      if (countDocuments() >= limits.documents)
        throw new FlockError("edge/too-many-documents", tooMany(limits));
      return create(name);
    },
    open(name, grant) {
      const known = findNamed(name);
      if (known) return known;
      const denial = denialOf(storage, grant, name);
      if (denial) return denial;
      return countDocuments() >= limits.documents
        ? refusal("edge/too-many-documents", tooMany(limits))
        : create(name);
    },
    documentNumbered: find,
    nameOf: (id) => find(id)?.name ?? going.get(id),
    wasGiven: (id) => id > 0 && id <= lastDocument,
    offer: (document, update, from) =>
      noted(attempt(get(document.id), update, from), document, { bytes: update.length, grant: from.grant }),
    offerWhole({ id }, update, from) {
      const document = get(id);
      const first = attempt(document, update, from);
      const isLarge = first?.code === "gate/too-many-structs" || first?.code === "protocol/update-too-large";
      const refused = isLarge ? attemptSlices(document, update, from) : first;
      return noted(refused, document, { bytes: update.length, grant: from.grant });
    },
    drop(name, grant) {
      const denial = denialOfDrop(storage, grant, name);
      if (denial) {
        audit.refused(grant, name.name, { code: denial.code, bytes: 0 });
        return denial;
      }
      const document = findNamed(name);
      if (!document) return undefined;
      audit.dropped(grant, name.name, { bytes: remove(document) });
      observer.count("documents_dropped");
      return undefined;
    },
    expire(writer, documents) {
      let bytes = 0;
      for (const { id } of documents) bytes += remove(get(id));
      audit.dropped(retention, `retention/${writer}`, { bytes });
      observer.count("documents_dropped", documents.length);
      observer.log("info", "writer past retention", { writer, documents: documents.length, bytes });
    },
    clocks: ({ id }) => find(id)?.clocks() ?? new Map(),
    get head() {
      return head;
    },
    get lastDocument() {
      return lastCommitted;
    },
    get stagedBytes() {
      return stagedBytes;
    },
    commit() {
      if (created.size === 0 && staged.size === 0 && going.size === 0 && audit.isEmpty) return [];
      const now = clock.now();
      const day = dayOf(now);
      const older = [...staged].filter((document) => document.day < day && !created.has(document));
      const rows = [...staged].flatMap((document) => document.takeRows(() => ++head));
      const changes = [...staged].map((document) => document.changes());
      const entries = audit.take(now);
      storage.commit({
        ...(going.size > 0 && { dropDocuments: [...going.keys()] }),
        documents: [...created].map(({ id, name }) => toStored(id, name, day)),
        ...(older.length > 0 && { days: older.map(({ id }) => ({ id, day })) }),
        rows,
        clocks: changes.flatMap((change) => change.clocks),
        places: changes.flatMap((change) => change.places),
        audit: entries,
      });
      for (const document of staged) {
        document.settle();
        document.day = Math.max(document.day, day);
        grown.add(document.id);
      }
      staged.clear();
      created.clear();
      stagedBytes = 0;
      lastCommitted = lastDocument;
      if (going.size > 0) {
        going.clear();
        dropped();
      }
      audited += entries.length;
      if (byNumber.size > maxCachedDocuments) {
        byName.clear();
        byNumber.clear();
      }
      return rows;
    },
    growthOf(id) {
      const document = find(id);
      return document && { stored: document.stored, snapshotBytes: document.snapshotBytes };
    },
    takeGrown() {
      const taken = grown;
      grown = new Set();
      return taken;
    },
    get audited() {
      return audited;
    },
    compact,
    reload() {
      byName.clear();
      byNumber.clear();
      created.clear();
      staged.clear();
      going.clear();
      sources.clocks.clear();
      sources.recent.clear();
      audit.take(clock.now());
      capacity = createCapacity({ storage, limits, compact });
      lastDocument = storage.lastDocument();
      lastCommitted = lastDocument;
      head = storage.head();
      documentCount = undefined;
      stagedBytes = 0;
      grown = new Set();
    },
  };
}

function toStored(id: number, name: DocumentName, day: number): StoredDocument {
  return { id, name: name.name, ...(name.kind !== "shared" && { writer: name.writer }), day };
}

function tooMany({ documents }: RoomLimits): string {
  return `The room has its full number of ${documents} documents: put what belongs together into one.`;
}

function toRefusal({ code, message }: Refusal): LedgerRefusal {
  return { code, message, resync: isResync(code) };
}
