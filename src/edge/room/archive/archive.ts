import { FlockError } from "../../../base/index.ts";
import { registerName } from "../../../protocol/index.ts";
import { updatesOf } from "../ledger/updates-of-rows.ts";
import type { RoomStorage, StoredDocument } from "../ports.ts";
import { writeBlocks } from "./archive-blocks.ts";
import {
  type ArchiveOrigin,
  type ArchiveRecord,
  encodeRecord,
  maxDroppedPages,
  maxOwnedClients,
} from "./archive-format.ts";

const registerPrefix = registerName("");

/**
 * Writes a room as an archive, in chunks of about 256 KiB, while it goes on serving. Each document is read at one
 * moment at or after the beginning, so that no compaction can come between its rows; in memory is one document.
 *
 * @throws `edge/unavailable` where the room was deleted or replaced meanwhile: without its end the archive is void
 */
export function writeArchive(storage: RoomStorage, origin: ArchiveOrigin): AsyncIterable<Uint8Array> {
  return writeBlocks(encodedRecords(storage, origin, storage.lastDocument()));
}

function* encodedRecords(storage: RoomStorage, origin: ArchiveOrigin, last: number): Iterable<Uint8Array> {
  yield encodeRecord({ type: "header", ...origin });
  let documents = 0;
  let updates = 0;
  const registers: StoredDocument[] = [];
  for (let after = 0; ; ) {
    assertCurrent(storage, origin);
    const [document] = storage.documentsAfter(after, 1);
    if (!document || document.id > last) break;
    after = document.id;
    const contents = readUpdates(storage, document);
    const owners = readOwners(storage, document);
    if (contents.length === 0) continue;
    documents++;
    updates += contents.length;
    yield encodeRecord({ type: "document", name: document.name });
    for (const record of owners) yield encodeRecord(record);
    for (const update of contents) yield encodeRecord({ type: "update", update });
    if (document.name.startsWith(registerPrefix)) registers.push(document);
  }
  // Last, so that a page that goes meanwhile is in the archive in one way or the other.
  for (const register of registers) {
    assertCurrent(storage, origin);
    yield* droppedRecords(storage, register);
  }
  yield encodeRecord({ type: "end", documents, updates });
}

function assertCurrent(storage: RoomStorage, { epoch }: ArchiveOrigin): void {
  if (storage.setting("epoch") === epoch) return;
  throw new FlockError("edge/unavailable", "The room was deleted while it was exported: export it again.");
}

/** Encoded at once: what comes in between could change what they are read from. */
function droppedRecords(storage: RoomStorage, { id, writer = "" }: StoredDocument): Uint8Array[] {
  const dropped = [...storage.droppedPages(id)];
  const records: Uint8Array[] = [];
  for (let from = 0; from < dropped.length; from += maxDroppedPages) {
    const pages = dropped.slice(from, from + maxDroppedPages);
    records.push(encodeRecord({ type: "dropped", writer, pages }));
  }
  return records;
}

function readUpdates(storage: RoomStorage, { id }: StoredDocument): Uint8Array[] {
  const updates: Uint8Array[] = [];
  for (const { parts } of storage.rowsOf(id)) updates.push(...updatesOf(parts));
  return updates;
}

function readOwners(storage: RoomStorage, { id }: StoredDocument): ArchiveRecord[] {
  const owned = new Map<string, { client: number; clock: number }[]>();
  for (const { client, clock, owner } of storage.clocks(id)) {
    const clients = owned.get(owner) ?? [];
    clients.push({ client, clock });
    owned.set(owner, clients);
  }
  const records: ArchiveRecord[] = [];
  for (const [owner, clients] of owned) {
    for (let from = 0; from < clients.length; from += maxOwnedClients) {
      records.push({ type: "owned", owner, clients: clients.slice(from, from + maxOwnedClients) });
    }
  }
  return records;
}
