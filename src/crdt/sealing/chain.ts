import { comparePages, type LaneMarks, type PreviousPage, parsePageName } from "../../protocol/index.ts";
import type { EntryLog } from "../lanes/entry-log.ts";
import type { Page } from "../lanes/page.ts";
import type { StoredValue } from "../persistence/port.ts";
import { type Seal, type SealBook, sealPage } from "./seal-book.ts";

/** Chains the pages of a lane: each names what the ones before it are sealed into. */
export interface Chain {
  /**
   * What the page of a number says of the one before it, and what is to be stored with its first batch: the seals of the
   * page that it closes, and of pages from before there were seals. `closed` are the live pages before it, oldest first.
   */
  link(number: number, closed: readonly Page[]): Promise<Links>;
}

/** What a page begins with. */
export interface Links {
  previous: PreviousPage | undefined;
  noted: [key: string, value: StoredValue][];
}

export interface ChainOptions {
  writer: string;
  seals: SealBook;
  marks(): LaneMarks | undefined;
  log: EntryLog;
  /** The latest clock of this device. */
  latest(): number;
  onProblem(failure: unknown): void;
}

/** Creates the chain of a lane. */
export function createChain({ writer, seals, marks, log, latest, onProblem }: ChainOptions): Chain {
  let canHash = true;

  async function seal(closed: readonly Page[]): Promise<Seal[]> {
    const made: Seal[] = [];
    try {
      for (const page of closed) {
        if (!canHash || page.length === 0 || seals.names(page.name)) continue;
        made.push(await sealPage(page, { newest: newestOf(page), latest: latest() }));
      }
    } catch (failure) {
      // Where the page is served insecurely nothing can be hashed: the lane goes on unsealed.
      canHash = false;
      onProblem(failure);
    }
    return made;
  }

  function newestOf({ name }: Page): number {
    const logged = log.pages(writer).find((each) => comparePages(each.name, name) === 0);
    return logged?.entries.reduce((newest, { clock }) => Math.max(newest, clock), 0) ?? 0;
  }

  function previousOf(number: number, before: Page | undefined): PreviousPage | undefined {
    const { first = 0, head } = marks() ?? {};
    const page = before?.name ?? (head && parsePageName(head.page));
    const length = before?.length ?? head?.length;
    if (!page || !length) return undefined;
    const hash = before ? (seals.names(page) ? seals.get(page.number)?.hash : undefined) : head?.hash;
    return hash === undefined
      ? { page, length }
      : { page, length, seal: { hash, earlier: seals.earlier(number, first) } };
  }

  return {
    async link(number, closed) {
      const noted = seals.note(await seal(closed));
      return { previous: previousOf(number, closed.at(-1)), noted };
    },
  };
}
