import { type ErrorCode, FlockError, isId } from "../../../base/index.ts";
import {
  formatPageName,
  laneName,
  parsePageName,
  readDocumentName,
  registerName,
  tokenScopes,
} from "../../../protocol/index.ts";
import type { Grant } from "../grant.ts";
import type { Ledger, LedgerDocument, LedgerRefusal } from "../ledger/ledger.ts";
import type { RoomStorage } from "../ports.ts";
import { readBlocks } from "./archive-blocks.ts";
import { type ArchiveRecord, decodeRecords, invalidArchive } from "./archive-format.ts";

/** Updates are committed once they come to this, so that the ledger never holds much more. */
const commitBytes = 1024 * 1024;
/** Yjs clients of one document: as many as are compared with its updates in memory. */
const maxClients = 100_000;
/** Refusals that are no fault of the archive. */
const limitCodes: ReadonlySet<ErrorCode> = new Set([
  "edge/document-full",
  "edge/room-full",
  "edge/too-many-documents",
]);

/** How much an archive held. */
export interface ArchiveContents {
  documents: number;
  updates: number;
  /** Of the archive. */
  bytes: number;
}

/** Where an archive is read to. */
export interface ArchiveIntake {
  storage: RoomStorage;
  ledger: Ledger<undefined>;
  by: Grant;
  /** Whether the room still waits for this archive: asked after each wait for more of it. */
  isCurrent(): boolean;
}

/**
 * Reads an archive into a storage without rows, through the ledger: every update passes the gate and the limits as
 * if its owner had sent it. It commits as it goes, so the caller sees to it that nobody sees the room before the end,
 * and that it is cleared where this throws.
 *
 * @throws `edge/invalid-archive`, `edge/unavailable`, and the code of a limit that the room's content is past
 */
export async function readArchive(
  chunks: AsyncIterable<Uint8Array>,
  { storage, ledger, by, isCurrent }: ArchiveIntake,
): Promise<ArchiveContents> {
  const intake = createIntake(storage, ledger, { ...by, scopes: tokenScopes });
  let bytes = 0;
  for await (const block of readBlocks(counted(chunks, (more) => (bytes += more)))) {
    assertCurrent(isCurrent);
    for (const record of decodeRecords(block)) intake.take(record);
  }
  assertCurrent(isCurrent);
  return { ...intake.finish(), bytes };
}

function assertCurrent(isCurrent: () => boolean): void {
  if (isCurrent()) return;
  throw new FlockError(
    "edge/unavailable",
    "The import was cut short: the room was deleted or its host began anew.",
  );
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  count: (bytes: number) => void,
): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    count(chunk.length);
    yield chunk;
  }
}

/** A document that is being read: the clocks that its updates are to lead to. */
interface OpenDocument {
  document: LedgerDocument;
  expected: Map<number, number>;
  updates: number;
}

function createIntake(storage: RoomStorage, ledger: Ledger<undefined>, grant: Grant) {
  let expects: "header" | "documents" | "dropped" | "nothing" = "header";
  let current: OpenDocument | undefined;
  let documents = 0;
  let updates = 0;
  let staged = 0;

  function open(name: string): void {
    const parsed = readDocumentName(name);
    if (!parsed) throw invalidArchive("it names a document that no room has");
    const document = ledger.documentNamed(parsed);
    if (document.id !== ++documents) throw invalidArchive("it has a document twice");
    current = { document, expected: new Map(), updates: 0 };
  }

  function own(
    { document, expected }: OpenDocument,
    { owner, clients }: ArchiveRecord & { type: "owned" },
  ): void {
    const { name } = document;
    const rightful = name.kind === "shared" ? owner === "" || isId(owner) : owner === name.principal;
    if (!rightful) throw invalidArchive("it gives a document's clients to a principal that cannot own them");
    for (const { client, clock } of clients) {
      if (expected.has(client)) throw invalidArchive("it gives a client two owners");
      expected.set(client, clock);
    }
    if (expected.size > maxClients) throw invalidArchive(`a document has more than ${maxClients} clients`);
    // Known as owned and with nothing written, the ledger keeps them so whoever brings their updates.
    storage.commit({
      clocks: clients.map(({ client }) => ({ document: document.id, client, clock: 0, owner })),
    });
  }

  function add(open: OpenDocument, update: Uint8Array): void {
    // As a refill: what was nobody's when it was exported is not to become the importer's.
    const refusal = ledger.offer(open.document, update, { author: undefined, grant, isRefill: true });
    if (refusal) throw refused(refusal, open.document);
    open.updates++;
    updates++;
    staged += update.length;
    if (staged < commitBytes) return;
    ledger.commit();
    staged = 0;
  }

  function close({ document, expected }: OpenDocument): void {
    const clocks = ledger.clocks(document);
    const whole =
      clocks.size === expected.size &&
      [...clocks].every(([client, clock]) => expected.get(client) === clock && clock > 0);
    if (!whole) throw invalidArchive("the updates of a document do not lead to its clocks");
    current = undefined;
  }

  /** Closes the last document. */
  function closeAll(): void {
    if (current) close(current);
    if (expects === "documents") ledger.commit();
    expects = "dropped";
  }

  function remember({ writer, pages }: ArchiveRecord & { type: "dropped" }): void {
    const register = storage.documentNamed(registerName(writer));
    if (!register) throw invalidArchive("it names dropped pages of a writer without a register");
    for (const page of pages) {
      if (!parsePageName(formatPageName(page))) throw invalidArchive("it names a page that no lane has");
    }
    // One that went while the archive was written is in it as a document.
    const gone = pages.filter((page) => !storage.documentNamed(laneName(writer, page)));
    storage.commit({ droppedPages: gone.map((page) => ({ register: register.id, page })) });
  }

  function isExpected({ type }: ArchiveRecord): boolean {
    if (type === "header") return expects === "header";
    return expects === "documents" || (expects === "dropped" && (type === "dropped" || type === "end"));
  }

  return {
    take(record: ArchiveRecord): void {
      if (!isExpected(record)) throw misplaced();
      switch (record.type) {
        case "header":
          expects = "documents";
          break;
        case "document":
          if (current) close(current);
          open(record.name);
          break;
        case "owned":
          if (!current || current.updates > 0) throw misplaced();
          own(current, record);
          break;
        case "update":
          if (!current) throw misplaced();
          add(current, record.update);
          break;
        case "dropped":
          closeAll();
          remember(record);
          break;
        case "end":
          closeAll();
          if (record.documents !== documents || record.updates !== updates) {
            throw invalidArchive("it does not hold as much as it says");
          }
          expects = "nothing";
          break;
      }
    },
    finish(): { documents: number; updates: number } {
      if (expects !== "nothing") throw invalidArchive("its last record is missing");
      return { documents, updates };
    },
  };
}

function refused({ code, message }: LedgerRefusal, { name }: LedgerDocument): FlockError {
  const details = { document: name.name, code };
  return limitCodes.has(code)
    ? new FlockError(code, message, { details })
    : invalidArchive(`an update of ${name.name} is refused with ${code}`, { details });
}

function misplaced(): FlockError {
  return invalidArchive("its records are out of order");
}
