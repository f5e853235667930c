import { FlockError } from "../../../base/index.ts";
import { updatesOf } from "../ledger/updates-of-rows.ts";
import type { RoomStorage, StoredDocument } from "../ports.ts";
import { writeBlocks } from "./archive-blocks.ts";
import { type ArchiveOrigin, type ArchiveRecord, encodeRecord, maxOwnedClients } from "./archive-format.ts";

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
  for (let after = 0; ; ) {
    if (storage.setting("epoch") !== origin.epoch) {
      throw new FlockError(
        "edge/unavailable",
        "The room was deleted while it was exported: export it again.",
      );
    }
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
  }
  yield encodeRecord({ type: "end", documents, updates });
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
