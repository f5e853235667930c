import { type Clock, FlockError, systemClock } from "../../../base/index.ts";
import {
  type DocumentName,
  isResync,
  maxUpdateBytes,
  type Refusal,
  registerName,
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
import { createDocumentIndex } from "./document-index.ts";
import type { DocumentLedger, DocumentSources, LedgerRow } from "./document-ledger.ts";
import { createDroppedPages, droppedPageBytes } from "./dropped-pages.ts";
import { judgeUpdate } from "./judging.ts";

export type { LedgerRefusal } from "./admission.ts";

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
  /** As `documentNamed`, where a document exists or may be begun under the grant and was not dropped; else why not. */
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
  /**
   * Authorises and stages the end of a page or register; one that does not exist is left so. Returns why not, if not.
   * While the writer's register is there, the page is not begun again.
   */
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
    dropped: onDropped = () => {},
  }: LedgerOptions = {},
): Ledger<Author> {
  const staged = new Set<DocumentLedger<Author>>();
  const sources: DocumentSources = {
    storage,
    clocks: createClientCache(maxCachedClocks),
    recent: createClientCache(maxCachedPlaces),
  };
  const documents = createDocumentIndex<Author>(sources);
  const dropped = createDroppedPages(storage);
  const audit = createAuditTurn(scope);
  const updateBytes = Math.min(limits.updateBytes, maxUpdateBytes);
  let capacity = createCapacity({ storage, limits, compact });
  let head = storage.head();
  let stagedBytes = 0;
  let audited = 0;
  let grown = new Set<number>();

  function get(id: number): DocumentLedger<Author> {
    const document = documents.numbered(id);
    if (!document) throw new RangeError(`The room has no document ${id}.`);
    return document;
  }

  /** The number of the register of a page's writer, which keeps what was dropped. */
  function registerOf({ writer, principal }: DocumentName & { kind: "lane" }): number | undefined {
    return documents.named({ kind: "register", name: registerName(writer), writer, principal })?.id;
  }

  /** Why a document may not be begun; undefined where it may. */
  function whyNotBegun(name: DocumentName): LedgerRefusal | undefined {
    const register = name.kind === "lane" ? registerOf(name) : undefined;
    if (name.kind === "lane" && register !== undefined && dropped.has({ register, page: name.page })) {
      return refusal("edge/dropped", `${name.name} was dropped by its writer: it is not begun again.`);
    }
    return documents.count >= limits.documents
      ? refusal("edge/too-many-documents", tooMany(limits))
      : undefined;
  }

  /** Stages the end of a document, and returns the bytes that it frees. */
  function remove(document: DocumentLedger<Author>): number {
    const bytes = document.stored.bytes + document.staged.bytes;
    capacity.release(document);
    if (document.name.kind === "register") capacity.grew(-droppedPageBytes * dropped.forget(document.id));
    stagedBytes -= document.staged.bytes;
    staged.delete(document);
    documents.remove(document);
    return bytes;
  }

  /** Remembers a page that was once stored, and so may be held elsewhere. */
  function rememberDropped(document: DocumentLedger<Author>): void {
    const { name } = document;
    if (name.kind !== "lane" || documents.isNew(document)) return;
    const register = registerOf(name);
    if (register === undefined) return;
    dropped.add({ register, page: name.page });
    capacity.grew(droppedPageBytes);
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
    const document = documents.numbered(id);
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
      const known = documents.named(name);
      if (known) return known;
      if (documents.count >= limits.documents) {
        throw new FlockError("edge/too-many-documents", tooMany(limits));
      }
      return documents.create(name, dayOf(clock.now()));
    },
    open(name, grant) {
      const known = documents.named(name);
      if (known) return known;
      const denial = denialOf(storage, grant, name) ?? whyNotBegun(name);
      return denial ?? documents.create(name, dayOf(clock.now()));
    },
    documentNumbered: documents.numbered,
    nameOf: documents.nameOf,
    wasGiven: documents.wasGiven,
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
      const document = documents.named(name);
      if (!document) return undefined;
      rememberDropped(document);
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
    clocks: ({ id }) => documents.numbered(id)?.clocks() ?? new Map(),
    get head() {
      return head;
    },
    get lastDocument() {
      return documents.lastCommitted;
    },
    get stagedBytes() {
      return stagedBytes;
    },
    commit() {
      const now = clock.now();
      const day = dayOf(now);
      const { begun, ended } = documents.changes(day);
      if (begun.length === 0 && staged.size === 0 && ended.length === 0 && audit.isEmpty) return [];
      const older = [...staged].filter((document) => document.day < day && !documents.isNew(document));
      const rows = [...staged].flatMap((document) => document.takeRows(() => ++head));
      const changes = [...staged].map((document) => document.changes());
      const entries = audit.take(now);
      storage.commit({
        ...(ended.length > 0 && { dropDocuments: ended, droppedPages: dropped.changes() }),
        documents: begun,
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
      documents.settle();
      dropped.settle();
      stagedBytes = 0;
      audited += entries.length;
      if (ended.length > 0) onDropped();
      return rows;
    },
    growthOf(id) {
      const document = documents.numbered(id);
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
      documents.reload();
      dropped.settle();
      staged.clear();
      audit.take(clock.now());
      capacity = createCapacity({ storage, limits, compact });
      head = storage.head();
      stagedBytes = 0;
      grown = new Set();
    },
  };
}

function tooMany({ documents }: RoomLimits): string {
  return `The room has its full number of ${documents} documents: put what belongs together into one.`;
}

function toRefusal({ code, message }: Refusal): LedgerRefusal {
  return { code, message, resync: isResync(code) };
}
