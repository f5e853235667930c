import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { fromHex, sha256Hex, type Timestamp, toHex } from "../../base/index.ts";
import {
  comparePages,
  encodeSeal,
  type LaneMarks,
  type PageLink,
  type PageName,
  parsePageName,
} from "../../protocol/index.ts";
import type { Page } from "../lanes/page.ts";
import type { KeyValueStore, StoredChange, StoredValue } from "../persistence/port.ts";

/** What a closed page is sealed into. */
export interface Seal {
  page: PageName;
  /** How many entries it holds. */
  length: number;
  /** The SHA-256 of the seal, as hexadecimal digits. */
  hash: string;
  bytes: number;
  /** The latest clock of its entries: what retention by age goes by. */
  newest: Timestamp;
}

/** The seals of a writer's closed pages, by number: kept in its database when the documents are long gone. */
export interface SealBook {
  get(number: number): Seal | undefined;
  /** Whether the page of this number is the one of this name. */
  names(page: PageName): boolean;
  /** The links of the pages 2, 4, 8, … before a number, as far as they are not below `first`. */
  earlier(number: number, first: number): PageLink[];
  /** The seals of pages below a number, oldest first. */
  below(number: number): Iterable<Seal>;
  /** Takes up seals, and returns what is to be stored for them. */
  note(seals: readonly Seal[]): [key: string, value: StoredValue][];
  /** Strikes out the seals of these numbers, and returns what is to be stored for that. */
  forget(numbers: readonly number[]): StoredChange;
}

const prefix = "seals/";
/** Seals of one record: an opening of a long lane reads few of them, and a page rewrites 4 kB at most. */
const sealsPerRecord = 64;
const hashBytes = 32;

/** Seals a page. `latest` bounds the clock that it goes by, as one far ahead would outlive every retention. */
export async function sealPage(
  page: Page,
  { newest, latest }: { newest: Timestamp; latest: Timestamp },
): Promise<Seal> {
  const seal = encodeSeal(page.batches());
  return {
    page: page.name,
    length: page.length,
    hash: await sha256Hex(seal),
    bytes: seal.length,
    newest: Math.min(newest, latest),
  };
}

/**
 * The low-water mark where marks are of the lane that the book is of, else 0: of a copied profile the register may come
 * to speak of the copy's pages.
 */
export function ownLow(marks: LaneMarks | undefined, seals: Pick<SealBook, "get">): number {
  const head = marks && parsePageName(marks.head.page);
  return head && seals.get(head.number)?.hash === marks.head.hash ? marks.low : 0;
}

/** Reads the seals that a writer's database names; each record is decoded once it is asked for. */
export async function readSealBook(records: KeyValueStore): Promise<SealBook> {
  /** By the number of the record, in order. */
  const read = new Map<number, Uint8Array | Map<number, Seal>>();
  for (const [key, value] of await records.entries(prefix)) {
    if (value instanceof Uint8Array) read.set(Number(key.slice(prefix.length)), value);
  }

  function sealsOf(record: number): Map<number, Seal> | undefined {
    const held = read.get(record);
    if (!(held instanceof Uint8Array)) return held;
    const decoded = decodeRecord(held);
    read.set(record, decoded);
    return decoded;
  }

  const get = (number: number): Seal | undefined => sealsOf(recordOf(number))?.get(number);

  /** What is to be stored of the records of these numbers. */
  function changeOf(numbers: readonly number[]): { put: [string, StoredValue][]; remove: string[] } {
    const change: { put: [string, StoredValue][]; remove: string[] } = { put: [], remove: [] };
    for (const record of new Set(numbers.map(recordOf))) {
      const key = `${prefix}${String(record).padStart(8, "0")}`;
      const seals = sealsOf(record);
      if (seals && seals.size > 0) change.put.push([key, encodeRecord(seals.values())]);
      else change.remove.push(key);
    }
    return change;
  }

  return {
    get,
    names(page) {
      const seal = get(page.number);
      return seal !== undefined && comparePages(seal.page, page) === 0;
    },
    earlier(number, first) {
      const links: PageLink[] = [];
      for (let distance = 2; number - distance >= first; distance *= 2) {
        const seal = get(number - distance);
        if (seal) links.push({ page: seal.page, hash: seal.hash });
      }
      return links;
    },
    *below(number) {
      for (const record of read.keys()) {
        if (record > recordOf(number)) return;
        for (const seal of sealsOf(record)?.values() ?? []) if (seal.page.number < number) yield seal;
      }
    },
    note(noted) {
      for (const seal of noted) {
        const record = recordOf(seal.page.number);
        const seals = sealsOf(record) ?? new Map<number, Seal>();
        read.set(record, seals);
        seals.set(seal.page.number, seal);
      }
      return changeOf(noted.map(({ page }) => page.number)).put;
    },
    forget(numbers) {
      for (const number of numbers) sealsOf(recordOf(number))?.delete(number);
      return changeOf(numbers);
    },
  };
}

function recordOf(number: number): number {
  return Math.floor(number / sealsPerRecord);
}

function encodeRecord(seals: Iterable<Seal>): Uint8Array {
  const encoder = encoding.createEncoder();
  for (const { page, length, hash, bytes, newest } of seals) {
    encoding.writeVarUint(encoder, page.number);
    encoding.writeVarUint(encoder, page.client);
    encoding.writeVarUint(encoder, length);
    encoding.writeUint8Array(encoder, fromHex(hash));
    encoding.writeVarUint(encoder, bytes);
    encoding.writeVarUint(encoder, newest);
  }
  return encoding.toUint8Array(encoder);
}

function decodeRecord(record: Uint8Array): Map<number, Seal> {
  const decoder = decoding.createDecoder(record);
  const seals = new Map<number, Seal>();
  try {
    while (decoding.hasContent(decoder)) {
      const page = { number: decoding.readVarUint(decoder), client: decoding.readVarUint(decoder) };
      const length = decoding.readVarUint(decoder);
      const hash = toHex(decoding.readUint8Array(decoder, hashBytes));
      const bytes = decoding.readVarUint(decoder);
      seals.set(page.number, { page, length, hash, bytes, newest: decoding.readVarUint(decoder) });
    }
  } catch {
    // A record that does not read costs links to its pages; the pages themselves stand in the chain.
  }
  return seals;
}
