import * as decoding from "lib0/decoding";
import { FlockError, fromHex, fromUtf8, type Timestamp, toHex, toUtf8, writeUtf8 } from "../base/index.ts";
import { formatPageName, type PageName, parsePageName } from "./document-name.ts";
import { writeVarUint } from "./frame.ts";
import { copyJson, type Json, type JsonObject, parseJson } from "./json.ts";
import { maxEntryBytes, maxPageBytes, maxPageEntries } from "./limits.ts";

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

const batchVersion = 2;
/** Has each entry behind its length. It is read, and no longer written. */
const firstVersion = 1;
/** Bits of the flags: a page before this one, and its seal. */
const hasPrevious = 1;
const hasSeal = 2;
const hashBytes = 32;
/** Pages are numbered up to 10^9, so the distances 2, 4, 8, … end here. */
const maxEarlier = 29;
const maxParents = 64;
const noParents: readonly string[] = Object.freeze([]);
/** A value of 32 levels, and the envelopes around it: a field's list, a message. */
const maxBodyDepth = 35;
/** Of the entries of one batch, brackets and commas included. */
const maxBatchBytes = maxPageBytes + maxEntryBytes;
const kindPattern = /^[a-z][a-z0-9-]{0,31}$/;

/** An entry as JSON, made once. */
export interface EncodedEntry {
  /** What a reader of the text gets, and no object of the caller's. */
  readonly record: EntryRecord;
  readonly text: string;
  /** In bytes of UTF-8. */
  readonly length: number;
}

/**
 * Encodes one entry, once: in a batch this very text is what is stored, hashed and sent.
 *
 * @throws `protocol/malformed-batch` where kind, parents or body are not in form.
 */
export function encodeEntry({ kind, parents, body }: EntryRecord): EncodedEntry {
  const copy = copyJson(body, maxBodyDepth);
  // What is let through here is what `decodeBatch` takes: a batch that does not decode would break its page for good.
  if (!kindPattern.test(kind) || !areParents(parents) || copy === undefined) {
    throw new FlockError(
      "protocol/malformed-batch",
      `An entry of kind ${JSON.stringify(kind)} needs a kind of a-z0-9-, at most ${maxParents} parents, each an entry's id, and a body of plain JSON, at most ${maxBodyDepth} deep.`,
    );
  }
  const record = { kind, parents: parents.length > 0 ? [...parents] : noParents, body: copy };
  const text = JSON.stringify(
    parents.length > 0 ? { k: kind, p: record.parents, b: copy } : { k: kind, b: copy },
  );
  return { record, text, length: utf8Length(text) };
}

/** Encodes a batch around entries that {@link encodeEntry} made. */
export function encodeBatch(
  header: Omit<Batch, "entries">,
  entries: readonly Pick<EncodedEntry, "text" | "length">[],
): Uint8Array<ArrayBuffer> {
  const head = encodeHeader(header);
  // One array of JSON: one call to encode it, and one to parse it, for all entries together.
  const text = `[${entries.map((entry) => entry.text).join(",")}]`;
  const textBytes = entries.reduce((sum, { length }) => sum + length, Math.max(2, entries.length + 1));
  const bytes = new Uint8Array(head.length + textBytes);
  bytes.set(head);
  writeUtf8(text, bytes.subarray(head.length));
  return bytes;
}

/** A plain array, because a batch of one entry costs little more than the typed arrays that are made for it. */
function encodeHeader({ first, clock, previous, references }: Omit<Batch, "entries">): number[] {
  const seal = previous?.seal;
  const bytes = [batchVersion, (previous ? hasPrevious : 0) | (seal ? hasSeal : 0)];
  writeVarUint(bytes, bytes.length, first);
  writeVarUint(bytes, bytes.length, clock);
  if (previous) {
    writePage(bytes, previous.page);
    writeVarUint(bytes, bytes.length, previous.length);
  }
  if (seal) {
    bytes.push(...fromHex(seal.hash));
    writeVarUint(bytes, bytes.length, seal.earlier.length);
    for (const { page, hash } of seal.earlier) {
      writePage(bytes, page);
      bytes.push(...fromHex(hash));
    }
  }
  writeVarUint(bytes, bytes.length, references.length);
  for (const id of references) bytes.push(...fromHex(id));
  return bytes;
}

/** As a string of lib0. */
function writePage(bytes: number[], page: PageName): void {
  const name = toUtf8(formatPageName(page));
  bytes.push(name.length, ...name);
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
    if (version !== batchVersion && version !== firstVersion) throw new RangeError(`version ${version}`);
    const flags = decoding.readUint8(decoder);
    if (flags === hasSeal || flags > (hasPrevious | hasSeal)) throw new RangeError(`flags ${flags}`);
    const first = decoding.readVarUint(decoder);
    const clock = decoding.readVarUint(decoder);
    const previous = flags & hasPrevious ? readPrevious(decoder, (flags & hasSeal) !== 0) : undefined;
    const references: string[] = [];
    for (let left = decoding.readVarUint(decoder); left > 0; left--) {
      references.push(readHash(decoder));
    }
    const entries =
      version === firstVersion ? readFirstEntries(decoder) : readEntries(bytes.subarray(decoder.pos));
    if (first + entries.length > maxPageEntries)
      throw new RangeError(`${entries.length} entries at ${first}`);
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

function readEntries(bytes: Uint8Array): EntryRecord[] {
  if (bytes.length > maxBatchBytes) throw new RangeError(`entries of ${bytes.length} bytes`);
  const records = parseJson(fromUtf8(bytes), maxBodyDepth + 2);
  if (!Array.isArray(records) || records.length === 0) throw new RangeError("entries");
  return records.map(readEntry);
}

function readFirstEntries(decoder: decoding.Decoder): EntryRecord[] {
  const count = decoding.readVarUint(decoder);
  if (count === 0 || count > maxPageEntries) throw new RangeError(`${count} entries`);
  const entries: EntryRecord[] = [];
  while (entries.length < count) {
    const bytes = decoding.readVarUint8Array(decoder);
    if (bytes.length > maxEntryBytes) throw new RangeError(`an entry of ${bytes.length} bytes`);
    entries.push(readEntry(parseJson(fromUtf8(bytes), maxBodyDepth + 1)));
  }
  if (decoding.hasContent(decoder)) throw new RangeError("trailing bytes");
  return entries;
}

function readEntry(value: Json | undefined): EntryRecord {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new RangeError("entry");
  const { k: kind, p: parents = noParents, b: body } = value as JsonObject;
  if (typeof kind !== "string" || !kindPattern.test(kind) || body === undefined)
    throw new RangeError("entry");
  if (parents !== noParents && !areParents(parents)) throw new RangeError("parents");
  return { kind, parents: parents as readonly string[], body };
}

const ascii = /^[\0-\x7f]*$/;

function utf8Length(text: string): number {
  return ascii.test(text) ? text.length : toUtf8(text).length;
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
