import * as Y from "yjs";
import { FlockError, sha256Hex } from "../../src/base/index.ts";
import type { PageStore } from "../../src/crdt/index.ts";
import { documentOf } from "../../src/crdt/lanes/written-page.ts";
import {
  type Batch,
  encodeBatch,
  encodeEntry,
  encodeSeal,
  formatPageName,
  type LaneMarks,
  laneName,
  type PageName,
} from "../../src/protocol/index.ts";

/** A page store that does as it is told: it verifies as the room's does, counts what is asked, and can be offline. */
export interface ScriptedPages extends PageStore {
  readonly seals: Map<string, Uint8Array>;
  /** The hashes that were asked for. */
  readonly gets: string[];
  readonly deleted: string[];
  isOffline: boolean;
  /** Hands out whatever it has under a hash, as no store of ours does. */
  isBlind: boolean;
}

export function createScriptedPages(): ScriptedPages {
  const seals = new Map<string, Uint8Array>();
  const pages: ScriptedPages = {
    seals,
    gets: [],
    deleted: [],
    isOffline: false,
    isBlind: false,
    async put(seal) {
      const hash = await sha256Hex(seal);
      seals.set(hash, seal);
      return hash;
    },
    relayed: async () => undefined,
    restore: async () => undefined,
    async get(hash) {
      pages.gets.push(hash);
      if (pages.isOffline) throw new FlockError("refstore/unavailable", "offline");
      const seal = seals.get(hash);
      if (!seal) throw new FlockError("refstore/not-found", hash);
      if (!pages.isBlind && (await sha256Hex(seal)) !== hash) throw new FlockError("refstore/corrupt", hash);
      return seal.slice();
    },
    async delete(hash) {
      if (pages.isOffline) throw new FlockError("refstore/unavailable", "offline");
      pages.deleted.push(hash);
      seals.delete(hash);
    },
  };
  return pages;
}

/** One page of a lane that a test writes. */
export interface SealedTestPage {
  name: PageName;
  hash: string;
  batches: Uint8Array[];
  bodies: string[];
  /** The update that carries the whole of its document. */
  update: Uint8Array;
  document: string;
}

export interface WriteLaneOptions {
  writer: string;
  pages: PageStore;
  /** The numbers of its pages; default 0 to `count - 1`. */
  numbers?: readonly number[];
  count?: number;
  /** Entries of each batch of each page; default two batches, of two entries and one. */
  batches?: readonly number[];
  /** Bends what a page says of those before it. */
  bend?: (previous: Batch["previous"], number: number) => Batch["previous"];
  /** Pages of these numbers are written as before there were seals. */
  unsealedBelow?: number;
  clockOf?: (number: number) => number;
}

/** Writes a lane as a writer of ours does, seals all of it, and gives the marks below each number. */
export async function writeLane({
  writer,
  pages,
  count = 0,
  numbers = Array.from({ length: count }, (_, number) => number),
  batches = [2, 1],
  bend = (previous) => previous,
  unsealedBelow = 0,
  clockOf = (number) => 1_000 * (number + 1),
}: WriteLaneOptions) {
  const written: SealedTestPage[] = [];
  const byNumber = new Map<number, SealedTestPage>();
  const length = batches.reduce((sum, each) => sum + each, 0);
  for (const number of numbers) {
    const name = { number, client: 100 + number };
    const before = written.at(-1);
    const earlier = [];
    for (let distance = 2; distance <= number; distance *= 2) {
      const page = byNumber.get(number - distance);
      if (page && page.name.number >= unsealedBelow - 1) earlier.push({ page: page.name, hash: page.hash });
    }
    const previous = before && {
      page: before.name,
      length,
      ...(number >= unsealedBelow && { seal: { hash: before.hash, earlier } }),
    };
    const bodies: string[] = [];
    let first = 0;
    const encoded = batches.map((entries) => {
      const records = Array.from({ length: entries }, (_, index) => {
        const body = `${number}/${first + index}`;
        bodies.push(body);
        return encodeEntry({ kind: "note", parents: [], body });
      });
      const header = {
        first,
        clock: clockOf(number) + first,
        previous: first === 0 ? bend(previous, number) : undefined,
        references: [],
      };
      first += entries;
      return encodeBatch(header, records);
    });
    const page = {
      name,
      hash: await pages.put(encodeSeal(encoded)),
      batches: encoded,
      bodies,
      update: Y.encodeStateAsUpdate(documentOf(name, encoded)),
      document: laneName(writer, name),
    };
    written.push(page);
    byNumber.set(number, page);
  }
  const marks = (low: number, first = 0): LaneMarks => {
    const head = written.findLast(({ name }) => name.number < low) as SealedTestPage;
    return { low, first, head: { page: formatPageName(head.name), length, hash: head.hash } };
  };
  return { written, marks, page: (number: number) => byNumber.get(number) as SealedTestPage };
}
