import { createEmitter, type Emitter, type Timestamp } from "../base/index.ts";
import { comparePages, entryId, type Json, type PageName } from "../protocol/index.ts";
import type { Page } from "./page.ts";

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

/** A page as the log knows it. */
export interface LoggedPage {
  readonly name: PageName;
  readonly entries: readonly Entry[];
  /** What the page's first batch says of the one before it. */
  readonly previous: Page["previous"];
}

/** Everything that the lanes known here say, by writer and page. */
export interface EntryLog {
  /** Takes up a page's new batches. Two copies of one page (this device's and the relay's) count once. */
  take(writer: string, page: Page): void;
  get(id: string): Entry | undefined;
  writers(): Iterable<string>;
  /** The pages of a writer, by number and then client. */
  pages(writer: string): readonly LoggedPage[];
  /** Told once for each arrival, with entries of one page in their order. */
  readonly added: Emitter<readonly Entry[]>;
  readonly size: number;
}

/** Creates an empty log. */
export function createEntryLog(): EntryLog {
  const lanes = new Map<string, { name: PageName; entries: Entry[]; previous: Page["previous"] }[]>();
  const entries = new Map<string, Entry>();
  const added = createEmitter<readonly Entry[]>();

  function pageOf(writer: string, page: Page): { entries: Entry[]; previous: Page["previous"] } {
    let pages = lanes.get(writer);
    if (!pages) {
      pages = [];
      lanes.set(writer, pages);
    }
    let logged = pages.find(({ name }) => comparePages(name, page.name) === 0);
    if (!logged) {
      logged = { name: page.name, entries: [], previous: undefined };
      pages.push(logged);
      pages.sort((a, b) => comparePages(a.name, b.name));
    }
    return logged;
  }

  return {
    take(writer, page) {
      const batches = page.read();
      if (batches.length === 0) return;
      const logged = pageOf(writer, page);
      const arrived: Entry[] = [];
      for (const batch of batches) {
        batch.entries.forEach(({ kind, parents, body }, offset) => {
          const index = batch.first + offset;
          if (index < logged.entries.length + arrived.length) return;
          const id = entryId({ writer, page: page.name, index });
          arrived.push({
            id,
            writer,
            page: page.name,
            index,
            clock: batch.clock,
            kind,
            parents,
            body,
            references: batch.references,
          });
        });
      }
      if (arrived.length === 0) return;
      logged.previous = page.previous;
      for (const entry of arrived) {
        logged.entries.push(entry);
        entries.set(entry.id, entry);
      }
      added.emit(arrived);
    },
    get: (id) => entries.get(id),
    writers: () => lanes.keys(),
    pages: (writer) => lanes.get(writer) ?? [],
    added,
    get size() {
      return entries.size;
    },
  };
}
