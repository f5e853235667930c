import { abortable } from "../../base/index.ts";
import { laneName, type PageLink } from "../../protocol/index.ts";
import type { LoggedPage } from "../lanes/entry.ts";
import type { PageStore } from "../page-store.ts";
import { createRecent } from "./recent.ts";
import { assertLength, type ChainLink, readSealedPage } from "./sealed-page.ts";

/** Reads sealed pages by their links. */
export interface SealReader {
  /** @throws `crdt/history-corrupt`; as `get` of the page store */
  read(writer: string, link: ChainLink, options?: { signal?: AbortSignal | undefined }): Promise<LoggedPage>;
}

/** Sealed pages that stay decoded: enough for the subtrees of a reading forward, and for views that share one. */
const keptPages = 16;

/** Creates a reader; reads of one page at the same time share one way to the store. */
export function createSealReader(
  pages: Pick<PageStore, "get">,
  onRead: (writer: string, page: LoggedPage) => void,
): SealReader {
  const recent = createRecent<LoggedPage>(keptPages);
  const flights = new Map<string, Promise<LoggedPage>>();

  async function load(key: string, writer: string, link: PageLink): Promise<LoggedPage> {
    const page = readSealedPage(writer, link, await pages.get(link.hash));
    recent.set(key, page);
    onRead(writer, page);
    return page;
  }

  function fly(key: string, writer: string, link: PageLink): Promise<LoggedPage> {
    const present = flights.get(key);
    if (present) return present;
    const flight = load(key, writer, link).finally(() => flights.delete(key));
    flights.set(key, flight);
    return flight;
  }

  return {
    async read(writer, link, { signal } = {}) {
      signal?.throwIfAborted();
      const key = `${laneName(writer, link.page)}/${link.hash}`;
      const page = recent.get(key) ?? (await abortable(fly(key, writer, link), signal));
      assertLength(writer, link, page);
      return page;
    },
  };
}
