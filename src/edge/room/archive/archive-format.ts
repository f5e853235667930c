import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { FlockError, toUtf8 } from "../../../base/index.ts";
import { maxUpdateBytes, type PageName } from "../../../protocol/index.ts";

/** The first bytes of every archive; the last of them is the version of the format. */
export const archiveMagic = new Uint8Array([...toUtf8("flockstate-room"), 1]);
/** A block that holds this much is closed ... */
export const blockTargetBytes = 256 * 1024;
/** ... and this is what the longest record adds to it; a reader keeps no more of an archive in memory. */
export const maxBlockBytes = blockTargetBytes + maxUpdateBytes + 1024;
/** Clients that one record of owners names. */
export const maxOwnedClients = 1_000;
/** Pages that one record of dropped pages names. */
export const maxDroppedPages = 1_000;

/** Where an archive comes from. */
export interface ArchiveOrigin {
  room: string;
  epoch: string;
  /** The sequence of the newest row when the export began: the archive holds all up to it, and maybe more. */
  head: number;
  /** In milliseconds since 1970. */
  madeAt: number;
  /** The version of the relay that made it. */
  relay: string;
}

/** What an archive says, in this order: one header, the documents one after another, what was dropped, one end. */
export type ArchiveRecord =
  | ({ type: "header" } & ArchiveOrigin)
  | { type: "document"; name: string }
  /** Yjs clients of the document before it, with their next clocks, that belong to one principal. */
  | { type: "owned"; owner: string; clients: readonly { client: number; clock: number }[] }
  /** A Yjs V1 update of the document before it. */
  | { type: "update"; update: Uint8Array }
  /** Pages that a writer has dropped; its register is among the documents. */
  | { type: "dropped"; writer: string; pages: readonly PageName[] }
  | { type: "end"; documents: number; updates: number };

const tags = { header: 1, document: 2, owned: 3, update: 4, end: 5, dropped: 6 } as const;

/** Encodes one record. */
export function encodeRecord(record: ArchiveRecord): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, tags[record.type]);
    switch (record.type) {
      case "header":
        encoding.writeVarString(encoder, record.room);
        encoding.writeVarString(encoder, record.epoch);
        encoding.writeVarUint(encoder, record.head);
        encoding.writeVarUint(encoder, record.madeAt);
        encoding.writeVarString(encoder, record.relay);
        break;
      case "document":
        encoding.writeVarString(encoder, record.name);
        break;
      case "owned":
        encoding.writeVarString(encoder, record.owner);
        encoding.writeVarUint(encoder, record.clients.length);
        for (const { client, clock } of record.clients) {
          encoding.writeVarUint(encoder, client);
          encoding.writeVarUint(encoder, clock);
        }
        break;
      case "update":
        encoding.writeVarUint8Array(encoder, record.update);
        break;
      case "dropped":
        encoding.writeVarString(encoder, record.writer);
        encoding.writeVarUint(encoder, record.pages.length);
        for (const { number, client } of record.pages) {
          encoding.writeVarUint(encoder, number);
          encoding.writeVarUint(encoder, client);
        }
        break;
      case "end":
        encoding.writeVarUint(encoder, record.documents);
        encoding.writeVarUint(encoder, record.updates);
        break;
    }
  });
}

/**
 * Decodes the records of one block. Updates are views into it.
 *
 * @throws `edge/invalid-archive`
 */
export function* decodeRecords(block: Uint8Array): Iterable<ArchiveRecord> {
  const decoder = decoding.createDecoder(block);
  while (decoding.hasContent(decoder)) {
    let record: ArchiveRecord;
    try {
      record = decodeRecord(decoder);
    } catch (cause) {
      throw invalidArchive("a record breaks the grammar", { cause });
    }
    yield record;
  }
}

function decodeRecord(decoder: decoding.Decoder): ArchiveRecord {
  const tag = decoding.readVarUint(decoder);
  switch (tag) {
    case tags.header:
      return {
        type: "header",
        room: decoding.readVarString(decoder),
        epoch: decoding.readVarString(decoder),
        head: decoding.readVarUint(decoder),
        madeAt: decoding.readVarUint(decoder),
        relay: decoding.readVarString(decoder),
      };
    case tags.document:
      return { type: "document", name: decoding.readVarString(decoder) };
    case tags.owned: {
      const owner = decoding.readVarString(decoder);
      const count = decoding.readVarUint(decoder);
      if (count > maxOwnedClients) throw new RangeError(`${count} clients in one record`);
      const clients = Array.from({ length: count }, () => ({
        client: decoding.readVarUint(decoder),
        clock: decoding.readVarUint(decoder),
      }));
      return { type: "owned", owner, clients };
    }
    case tags.update:
      return { type: "update", update: decoding.readVarUint8Array(decoder) };
    case tags.dropped: {
      const writer = decoding.readVarString(decoder);
      const count = decoding.readVarUint(decoder);
      if (count > maxDroppedPages) throw new RangeError(`${count} pages in one record`);
      const pages = Array.from({ length: count }, () => ({
        number: decoding.readVarUint(decoder),
        client: decoding.readVarUint(decoder),
      }));
      return { type: "dropped", writer, pages };
    }
    case tags.end:
      return {
        type: "end",
        documents: decoding.readVarUint(decoder),
        updates: decoding.readVarUint(decoder),
      };
    default:
      throw new RangeError(`The record type ${tag} is unknown.`);
  }
}

/** The refusal of an archive; `why` goes on "The archive cannot be imported: ". */
export function invalidArchive(
  why: string,
  options: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
): FlockError {
  return new FlockError(
    "edge/invalid-archive",
    `The archive cannot be imported: ${why}. Nothing of it was.`,
    options,
  );
}
