import type { Timestamp } from "../../base/index.ts";
import {
  type Batch,
  type EntryRecord,
  formatPageName,
  type Json,
  type PageName,
  type PreviousPage,
} from "../../protocol/index.ts";

/** One record of a lane, in its place. */
export interface Entry {
  /** `writer/page/index` */
  readonly id: string;
  readonly writer: string;
  readonly page: PageName;
  readonly index: number;
  readonly clock: Timestamp;
  readonly kind: string;
  readonly parents: readonly string[];
  readonly body: Json;
  /** References that the entry's batch names. */
  readonly references: readonly string[];
}

/** A page as it is read: live from its document, or from its seal. */
export interface LoggedPage {
  readonly name: PageName;
  readonly entries: readonly Entry[];
  /** What the page's first batch says of the one before it. */
  readonly previous: PreviousPage | undefined;
}

/** What the ids of a page's entries begin with. */
export function idPrefixOf(writer: string, page: PageName): string {
  return `${writer}/${formatPageName(page)}/`;
}

/** The entries of batches of one page, from an index on. */
export function entriesOf(
  writer: string,
  page: PageName,
  batches: readonly Batch[],
  { from = 0 }: { from?: number } = {},
): Entry[] {
  const entries: Entry[] = [];
  const prefix = idPrefixOf(writer, page);
  for (const { first, clock, references, entries: records } of batches) {
    for (let offset = Math.max(0, from - first); offset < records.length; offset++) {
      const { kind, parents, body } = records[offset] as EntryRecord;
      const index = first + offset;
      entries.push({ id: prefix + index, writer, page, index, clock, kind, parents, body, references });
    }
  }
  return entries;
}
