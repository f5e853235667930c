import * as z from "zod/mini";
import { sha256Hex, type Timestamp } from "../../base/index.ts";
import {
  comparePages,
  encodeSeal,
  formatPageName,
  type PageLink,
  type PageName,
  parsePageName,
} from "../../protocol/index.ts";
import type { Page } from "../page.ts";
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
/** Seals of one record: an opening reads few, and a page rewrites 8 kB at most. */
const sealsPerRecord = 64;

const recordSchema = z.array(
  z.strictObject({
    page: z.string(),
    length: z.int().check(z.positive()),
    hash: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
    bytes: z.int().check(z.positive()),
    newest: z.int().check(z.nonnegative()),
  }),
);

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

/** Reads the seals that a writer's database names. */
export async function readSealBook(records: KeyValueStore): Promise<SealBook> {
  /** In the order of their numbers, as they are noted. */
  const seals = new Map<number, Seal>();
  for (const [, value] of await records.entries(prefix)) {
    const parsed = z.safeParse(recordSchema, value);
    // A record that does not read costs the links to its pages; the pages themselves stand in the chain.
    for (const { page: text, ...rest } of parsed.success ? parsed.data : []) {
      const page = parsePageName(text);
      if (page) seals.set(page.number, { page, ...rest });
    }
  }

  function recordOf(number: number): number {
    return Math.floor(number / sealsPerRecord);
  }

  /** What the records of these numbers now hold. */
  function changeOf(numbers: readonly number[]): { put: [string, StoredValue][]; remove: string[] } {
    const change: { put: [string, StoredValue][]; remove: string[] } = { put: [], remove: [] };
    for (const record of new Set(numbers.map(recordOf))) {
      const key = `${prefix}${String(record).padStart(8, "0")}`;
      const held: StoredValue[] = [];
      for (let number = record * sealsPerRecord; recordOf(number) === record; number++) {
        const seal = seals.get(number);
        if (seal) held.push({ ...seal, page: formatPageName(seal.page) });
      }
      if (held.length > 0) change.put.push([key, held as StoredValue]);
      else change.remove.push(key);
    }
    return change;
  }

  return {
    get: (number) => seals.get(number),
    names(page) {
      const seal = seals.get(page.number);
      return seal !== undefined && comparePages(seal.page, page) === 0;
    },
    earlier(number, first) {
      const links: PageLink[] = [];
      for (let distance = 2; number - distance >= first; distance *= 2) {
        const seal = seals.get(number - distance);
        if (seal) links.push({ page: seal.page, hash: seal.hash });
      }
      return links;
    },
    *below(number) {
      for (const seal of seals.values()) {
        if (seal.page.number >= number) return;
        yield seal;
      }
    },
    note(noted) {
      for (const seal of noted) seals.set(seal.page.number, seal);
      return changeOf(noted.map(({ page }) => page.number)).put;
    },
    forget(numbers) {
      for (const number of numbers) seals.delete(number);
      return changeOf(numbers);
    },
  };
}
