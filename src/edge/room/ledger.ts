import type { ErrorCode } from "../../base/index.ts";
import {
  type Acceptance,
  type DocumentName,
  isResync,
  maxUpdateBytes,
  parseDocumentName,
  type Refusal,
  scanUpdate,
  sliceUpdate,
} from "../../protocol/index.ts";
import { createDocumentLedger, type DocumentLedger, type LedgerRow } from "./document-ledger.ts";
import { allows, type Grant, mayWrite } from "./grant.ts";
import type { RoomStorage } from "./ports.ts";

/** Documents whose clocks are kept in memory; past it all are forgotten and looked up again. */
const maxCachedDocuments = 4_096;

/** What one update of a sender that does not slice may hold: decoding it for the cut takes about 200 bytes a struct. */
const sliceableLimits = { structs: 100_000, deleteRanges: 100_000 };

/** A document that has a number in this room. */
export interface LedgerDocument {
  readonly id: number;
  readonly name: DocumentName;
}

/** Why an update was not accepted. */
export interface LedgerRefusal {
  code: ErrorCode;
  message: string;
  /** Whether the sender should send again from the relay's clocks. */
  resync: boolean;
}

/** What a room holds, and what the present turn adds to it. */
export interface Ledger<Author> {
  /** The document of a name; the next commit stores one that is new. */
  documentNamed(name: DocumentName): LedgerDocument;
  documentNumbered(id: number): LedgerDocument | undefined;
  /** Authorises and gates an update, and stages what is new in it; returns why not, if not. */
  offer(
    document: LedgerDocument,
    update: Uint8Array,
    from: { author: Author; grant: Grant },
  ): LedgerRefusal | undefined;
  /** As `offer`, for a sender that does not slice: an update of too many structs is cut into ones that pass. */
  offerWhole(
    document: LedgerDocument,
    update: Uint8Array,
    from: { author: Author; grant: Grant },
  ): LedgerRefusal | undefined;
  /** The next clocks of a document's Yjs clients, staged updates included. */
  clocks(document: LedgerDocument): Map<number, number>;
  /** The sequence of the newest committed row. */
  readonly head: number;
  /** Writes everything staged in one transaction. A ledger whose commit threw is ahead of its storage: drop it. */
  commit(): LedgerRow<Author>[];
}

/** Creates the ledger of a room over its storage. */
export function createLedger<Author>(storage: RoomStorage): Ledger<Author> {
  const byName = new Map<string, DocumentLedger<Author>>();
  const byNumber = new Map<number, DocumentLedger<Author>>();
  const created: DocumentLedger<Author>[] = [];
  const staged = new Set<DocumentLedger<Author>>();
  let lastDocument = storage.lastDocument();
  let head = storage.head();

  function remember(id: number, name: DocumentName): DocumentLedger<Author> {
    const document = createDocumentLedger<Author>(storage, id, name);
    byName.set(name.name, document);
    byNumber.set(id, document);
    return document;
  }

  function find(id: number): DocumentLedger<Author> | undefined {
    const known = byNumber.get(id);
    if (known) return known;
    const stored = storage.documentNumbered(id);
    return stored && remember(id, parseDocumentName(stored.name));
  }

  function get(id: number): DocumentLedger<Author> {
    const document = find(id);
    if (!document) throw new RangeError(`The room has no document ${id}.`);
    return document;
  }

  function offer(
    { id }: LedgerDocument,
    update: Uint8Array,
    { author, grant }: { author: Author; grant: Grant },
  ): LedgerRefusal | undefined {
    const document = get(id);
    if (!mayWrite(grant, document.name)) {
      const message = `The document ${document.name.name} belongs to another principal than ${grant.principal}.`;
      return { code: "gate/not-owner", message, resync: false };
    }
    if (update.length > maxUpdateBytes) {
      const message = `An update of ${update.length} bytes is past the limit of ${maxUpdateBytes}: send large content by reference.`;
      return { code: "protocol/update-too-large", message, resync: false };
    }
    const verdict = scanUpdate(update, document.gate());
    if (!verdict.ok) return toRefusal(verdict);
    if (verdict.known) return undefined;
    const foreign = findForeign(document, verdict, grant);
    if (foreign) return foreign;
    document.stage(update, verdict, { author, principal: ownerOf(document.name, grant) });
    staged.add(document);
    return undefined;
  }

  return {
    documentNamed(name) {
      const known = byName.get(name.name);
      if (known) return known;
      const stored = storage.documentNamed(name.name);
      if (stored) return remember(stored.id, name);
      const document = remember(++lastDocument, name);
      created.push(document);
      return document;
    },
    documentNumbered: find,
    offer,
    offerWhole(document, update, from) {
      const refusal = offer(document, update, from);
      if (refusal?.code !== "gate/too-many-structs") return refusal;
      const whole = scanUpdate(update, { ...get(document.id).gate(), limits: sliceableLimits });
      if (!whole.ok) return toRefusal(whole);
      for (const slice of sliceUpdate(update)) {
        const refused = offer(document, slice, from);
        if (refused) return refused;
      }
      return undefined;
    },
    clocks: ({ id }) => get(id).clocks(),
    get head() {
      return head;
    },
    commit() {
      if (created.length === 0 && staged.size === 0) return [];
      const rows = [...staged].flatMap((document) => document.takeRows(() => ++head));
      const changes = [...staged].map((document) => document.changes());
      storage.commit({
        documents: created.map(({ id, name }) => ({ id, name: name.name })),
        rows,
        clocks: changes.flatMap(({ clocks }) => clocks),
        places: changes.flatMap(({ places }) => places),
      });
      for (const document of staged) document.settle();
      staged.clear();
      created.length = 0;
      if (byNumber.size > maxCachedDocuments) {
        byName.clear();
        byNumber.clear();
      }
      return rows;
    },
  };
}

/** Registers and lanes are owned by name, the Yjs clients of a shared document by whoever first used them. */
function ownerOf(name: DocumentName, grant: Grant): string {
  return name.kind === "shared" ? grant.principal : name.principal;
}

/** Refuses new structs of a Yjs client that belongs to somebody else. */
function findForeign(
  { name, gate, ownerOf: clientOwner }: DocumentLedger<unknown>,
  { ranges }: Acceptance,
  grant: Grant,
): LedgerRefusal | undefined {
  if (name.kind !== "shared" || allows(grant, "admin")) return undefined;
  const { clockOf } = gate().context;
  for (const { client, to } of ranges) {
    const owner = clientOwner(client);
    if (owner === undefined || owner === grant.principal || to <= clockOf(client)) continue;
    const message = `The Yjs client ${client} of ${name.name} belongs to another principal than ${grant.principal}.`;
    return { code: "gate/not-owner", message, resync: false };
  }
  return undefined;
}

function toRefusal({ code, message }: Refusal): LedgerRefusal {
  return { code, message, resync: isResync(code) };
}
