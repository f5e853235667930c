import { createEmitter, type Emitter, type Undo } from "../../base/index.ts";
import { comparePages, type PageName, type PreviousPage } from "../../protocol/index.ts";
import { type Entry, entriesOf, idPrefixOf, type LoggedPage } from "./entry.ts";
import type { Page } from "./page.ts";

/** The live part of the lanes known here, by writer and page. What was let go of is history. */
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
  /** Lets go of a page that is sealed, whoever holds it; one that is not here is no error. */
  release(writer: string, page: PageName): void;
  /** Told with each page that was let go of. */
  readonly released: Emitter<{ writer: string; page: LoggedPage }>;
  /** Says which entries somebody here still needs; the result undoes it. */
  hold(holds: (entry: Entry) => boolean): Undo;
  /** Whether somebody here still needs an entry of the page. */
  isHeld(writer: string, page: PageName): boolean;
}

interface Logged {
  name: PageName;
  /** What the ids of its entries begin with. */
  idPrefix: string;
  entries: Entry[];
  previous: PreviousPage | undefined;
}

/** Creates an empty log. */
export function createEntryLog(): EntryLog {
  const lanes = new Map<string, Logged[]>();
  /** The same pages, by what their ids begin with. */
  const byPrefix = new Map<string, Logged>();
  let size = 0;
  const added = createEmitter<readonly Entry[]>();
  const released = createEmitter<{ writer: string; page: LoggedPage }>();
  const holders = new Set<(entry: Entry) => boolean>();

  function find(writer: string, page: PageName): Logged | undefined {
    // From the end, where what comes next belongs.
    return lanes.get(writer)?.findLast(({ name }) => comparePages(name, page) === 0);
  }

  function pageOf(writer: string, page: PageName): Logged {
    const present = find(writer, page);
    if (present) return present;
    const made: Logged = { name: page, idPrefix: idPrefixOf(writer, page), entries: [], previous: undefined };
    byPrefix.set(made.idPrefix, made);
    const pages = lanes.get(writer) ?? [];
    lanes.set(writer, pages);
    pages.push(made);
    pages.sort((a, b) => comparePages(a.name, b.name));
    return made;
  }

  return {
    take(writer, page) {
      const batches = page.read();
      if (batches.length === 0) return;
      const logged = pageOf(writer, page.name);
      const arrived = entriesOf(writer, page.name, batches, { from: logged.entries.length });
      if (arrived.length === 0) return;
      logged.previous = page.previous;
      for (const entry of arrived) logged.entries.push(entry);
      size += arrived.length;
      added.emit(arrived);
    },
    get(id) {
      const indexAt = id.lastIndexOf("/") + 1;
      const entry = byPrefix.get(id.slice(0, indexAt))?.entries[Number(id.slice(indexAt))];
      // A number has several spellings, and an entry one id.
      return entry?.id === id ? entry : undefined;
    },
    writers: () => lanes.keys(),
    pages: (writer) => lanes.get(writer) ?? [],
    added,
    get size() {
      return size;
    },
    release(writer, name) {
      const page = find(writer, name);
      if (!page) return;
      const left = lanes.get(writer)?.filter((each) => each !== page) ?? [];
      if (left.length > 0) lanes.set(writer, left);
      else lanes.delete(writer);
      byPrefix.delete(page.idPrefix);
      size -= page.entries.length;
      released.emit({ writer, page });
    },
    released,
    hold(holds) {
      holders.add(holds);
      return () => void holders.delete(holds);
    },
    isHeld(writer, name) {
      const page = find(writer, name);
      if (!page) return false;
      for (const holds of holders) if (page.entries.some(holds)) return true;
      return false;
    },
  };
}
