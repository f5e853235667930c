import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { FlockError, fromHex, fromUtf8, type Timestamp, toHex, toUtf8 } from "../base/index.ts";
import { formatPageName, type PageName, parsePageName } from "./document-name.ts";
import { isJson, type Json, type JsonObject, parseJson } from "./json.ts";
import { maxEntryBytes, maxPageEntries } from "./limits.ts";

/** What a lane records: a kind, which says who reads it, the entries it rests on, and a body of that kind. */
export interface EntryRecord {
  kind: string;
  /** Ids of the entries that this one rests on and folds after. */
  parents: readonly string[];
  body: Json;
}

/** Names a page, and the seal that it has become. */
export interface PageLink {
  page: PageName;
  /** The SHA-256 of the seal, as hexadecimal digits. */
  hash: string;
}

/** The page that a page follows. */
export interface PreviousPage {
  page: PageName;
  /** How many entries it holds. */
  length: number;
  /** What its seal is called, and the links of the pages 2, 4, 8, … before the one that says so. */
  seal?: { hash: string; earlier: readonly PageLink[] };
}

/** What one flush wrote, one element of a page's array. */
export interface Batch {
  /** The index in the page of the first entry. */
  first: number;
  clock: Timestamp;
  /** In the first batch of a page: the page that it follows. */
  previous: PreviousPage | undefined;
  /** Ids of the references that the entries name. */
  references: readonly string[];
  entries: readonly EntryRecord[];
}

const batchVersion = 1;
/** Bits of the flags: a page before this one, and its seal. */
const hasPrevious = 1;
const hasSeal = 2;
const hashBytes = 32;
/** Pages are numbered up to 10^9, so the distances 2, 4, 8, … end here. */
const maxEarlier = 29;
const maxParents = 64;
/** A value of 32 levels, and the envelopes around it: a field's list, a message, an entry. */
const maxEntryDepth = 36;
const kindPattern = /^[a-z][a-z0-9-]{0,31}$/;

/**
 * Encodes one entry, once: these bytes are what is stored, hashed and sent.
 *
 * @throws `protocol/malformed-batch` where kind, parents or body are not in form.
 */
export function encodeEntry({ kind, parents, body }: EntryRecord): Uint8Array {
  const record = parents.length > 0 ? { k: kind, p: parents, b: body } : { k: kind, b: body };
  // What is let through here is what `decodeEntry` takes: a batch that does not decode would break its page for good.
  if (!kindPattern.test(kind) || !areParents(parents) || !isJson(record, maxEntryDepth)) {
    throw new FlockError(
      "protocol/malformed-batch",
      `An entry of kind ${JSON.stringify(kind)} needs a kind of a-z0-9-, at most ${maxParents} parents, each an entry's id, and a body of plain JSON, at most ${maxEntryDepth - 1} deep.`,
    );
  }
  return toUtf8(JSON.stringify(record));
}

/** Encodes a batch around entries that {@link encodeEntry} made. */
export function encodeBatch(
  header: Omit<Batch, "entries">,
  entries: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const encoder = encoding.createEncoder();
  encoding.writeUint8(encoder, batchVersion);
  const seal = header.previous?.seal;
  encoding.writeUint8(encoder, (header.previous ? hasPrevious : 0) | (seal ? hasSeal : 0));
  encoding.writeVarUint(encoder, header.first);
  encoding.writeVarUint(encoder, header.clock);
  if (header.previous) {
    encoding.writeVarString(encoder, formatPageName(header.previous.page));
    encoding.writeVarUint(encoder, header.previous.length);
  }
  if (seal) {
    encoding.writeUint8Array(encoder, fromHex(seal.hash));
    encoding.writeVarUint(encoder, seal.earlier.length);
    for (const { page, hash } of seal.earlier) {
      encoding.writeVarString(encoder, formatPageName(page));
      encoding.writeUint8Array(encoder, fromHex(hash));
    }
  }
  encoding.writeVarUint(encoder, header.references.length);
  for (const id of header.references) encoding.writeUint8Array(encoder, fromHex(id));
  encoding.writeVarUint(encoder, entries.length);
  for (const entry of entries) encoding.writeVarUint8Array(encoder, entry);
  return encoding.toUint8Array(encoder) as Uint8Array<ArrayBuffer>;
}

/**
 * Decodes a batch.
 *
 * @throws `protocol/malformed-batch`
 */
export function decodeBatch(bytes: Uint8Array): Batch {
  try {
    const decoder = decoding.createDecoder(bytes);
    const version = decoding.readUint8(decoder);
    if (version !== batchVersion) throw new RangeError(`version ${version}`);
    const flags = decoding.readUint8(decoder);
    if (flags === hasSeal || flags > (hasPrevious | hasSeal)) throw new RangeError(`flags ${flags}`);
    const first = decoding.readVarUint(decoder);
    const clock = decoding.readVarUint(decoder);
    const previous = flags & hasPrevious ? readPrevious(decoder, (flags & hasSeal) !== 0) : undefined;
    const references: string[] = [];
    for (let left = decoding.readVarUint(decoder); left > 0; left--) {
      references.push(readHash(decoder));
    }
    const count = decoding.readVarUint(decoder);
    if (count === 0 || first + count > maxPageEntries) throw new RangeError(`${count} entries at ${first}`);
    const entries: EntryRecord[] = [];
    for (let left = count; left > 0; left--) entries.push(decodeEntry(decoding.readVarUint8Array(decoder)));
    if (decoding.hasContent(decoder)) throw new RangeError("trailing bytes");
    return { first, clock, previous, references, entries };
  } catch (cause) {
    throw new FlockError("protocol/malformed-batch", "A batch of a lane does not follow the format.", {
      cause,
    });
  }
}

function readPrevious(decoder: decoding.Decoder, isSealed: boolean): PreviousPage {
  const page = readPage(decoder);
  const length = decoding.readVarUint(decoder);
  if (!isSealed) return { page, length };
  const hash = readHash(decoder);
  const earlier: PageLink[] = [];
  const count = decoding.readVarUint(decoder);
  if (count > maxEarlier) throw new RangeError(`${count} earlier pages`);
  while (earlier.length < count) earlier.push({ page: readPage(decoder), hash: readHash(decoder) });
  return { page, length, seal: { hash, earlier } };
}

function readPage(decoder: decoding.Decoder): PageName {
  const page = parsePageName(decoding.readVarString(decoder));
  if (!page) throw new RangeError("a page's name");
  return page;
}

function readHash(decoder: decoding.Decoder): string {
  return toHex(decoding.readUint8Array(decoder, hashBytes));
}

function decodeEntry(bytes: Uint8Array): EntryRecord {
  if (bytes.length > maxEntryBytes) throw new RangeError(`an entry of ${bytes.length} bytes`);
  const value = parseJson(fromUtf8(bytes), maxEntryDepth);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new RangeError("entry");
  const { k: kind, p: parents = [], b: body } = value as JsonObject;
  if (typeof kind !== "string" || !kindPattern.test(kind) || body === undefined)
    throw new RangeError("entry");
  if (!areParents(parents)) throw new RangeError("parents");
  return { kind, parents, body };
}

/** Where an entry stands. */
export interface EntryAddress {
  writer: string;
  page: PageName;
  index: number;
}

/** An entry's id: `writer/page/index`. */
export function entryId({ writer, page, index }: EntryAddress): string {
  return `${writer}/${formatPageName(page)}/${index}`;
}

const entryIdPattern =
  /^([A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){2})\/([0-9]{1,9}-[0-9]{1,10})\/(0|[1-9][0-9]{0,3})$/;

/** Reads an entry's id; undefined where it is none. */
export function parseEntryId(id: string): EntryAddress | undefined {
  const match = entryIdPattern.exec(id);
  const page = match && parsePageName(match[2] as string);
  return page ? { writer: match[1] as string, page, index: Number(match[3]) } : undefined;
}

function areParents(value: unknown): value is readonly string[] {
  if (!Array.isArray(value) || value.length > maxParents) return false;
  return value.every((parent) => typeof parent === "string" && parseEntryId(parent) !== undefined);
}
