import { isFlockError } from "../../base/index.ts";
import { comparePages, laneName, type PreviousPage } from "../../protocol/index.ts";
import type { LoggedPage } from "../lanes/entry.ts";
import type { EntryLog } from "../lanes/entry-log.ts";
import type { PageStore } from "../page-store.ts";
import { createRecent } from "./recent.ts";
import { createSealReader, type SealReader } from "./seal-reader.ts";
import { type ChainLink, linksOf } from "./sealed-page.ts";

/** What a chain says of a number: its page, that it has none, or that the way there ends before it, or never. */
export type Sought = ChainLink | "absent" | "lost";

export interface SeekOptions {
  signal?: AbortSignal | undefined;
  /** Why pages could not be read, by hash: whoever seeks again with it does not ask for them again. */
  failed?: Map<string, unknown>;
}

/** Finds its way in the chains of the lanes, by jumps, over the headers of live and sealed pages. */
export interface Chains extends SealReader {
  /** The page of a number, looked for from a later page on; reads a logarithm of pages, those that are not known. */
  seek(writer: string, from: ChainLink, number: number, options?: SeekOptions): Promise<Sought>;
  /** The same, from what is known here alone. */
  seekKnown(writer: string, from: ChainLink, number: number): Sought | "unknown";
  /**
   * The pages from number `from` up to `head`, in order; reads about half of them to find the others' names. With
   * `skips`, a page that is not to be had hides only those before it.
   */
  ascend(
    writer: string,
    head: ChainLink,
    options: SeekOptions & { from: number; skips?: boolean },
  ): AsyncGenerator<ChainLink, void, undefined>;
}

/** What is known of a page: which one it follows, if any. */
interface Header {
  previous: PreviousPage | undefined;
}

/** Pages on the way to one: a chain of ours takes 30, and torn notes of its seals 64 more; past it somebody leads astray. */
const maxSteps = 256;

/** Headers that stay known; each is about 100 bytes for each doubling of the lane's length. */
const keptHeaders = 256;

/** Creates the chains over what is live and, for the rest, over the store of sealed pages. */
export function createChains(log: EntryLog, pages: Pick<PageStore, "get">): Chains {
  const recent = createRecent<Header>(keptHeaders);
  const reader = createSealReader(pages, note);
  log.released.on(({ writer, page }) => note(writer, page));

  function note(writer: string, { name, previous }: LoggedPage): void {
    recent.set(laneName(writer, name), { previous });
  }

  function known(writer: string, { page }: ChainLink): Header | undefined {
    const live = log.pages(writer).find(({ name }) => comparePages(name, page) === 0);
    return live ?? recent.get(laneName(writer, page));
  }

  async function headerOf(writer: string, link: ChainLink, { signal, failed }: SeekOptions): Promise<Header> {
    const header = known(writer, link);
    if (header) return header;
    if (failed?.has(link.hash)) throw failed.get(link.hash);
    try {
      return await reader.read(writer, link, { signal });
    } catch (failure) {
      failed?.set(link.hash, failure);
      throw failure;
    }
  }

  return {
    read: reader.read,
    async seek(writer, from, number, options = {}) {
      let at: Sought = from;
      for (let step = 0; typeof at !== "string" && at.page.number !== number; step++) {
        if (step === maxSteps) return "lost";
        at = at.page.number < number ? "absent" : towards(at, await headerOf(writer, at, options), number);
      }
      return at;
    },
    seekKnown(writer, from, number) {
      let at: Sought = from;
      for (let step = 0; typeof at !== "string" && at.page.number !== number; step++) {
        if (step === maxSteps) return "lost";
        const header: Header | undefined = known(writer, at);
        if (at.page.number > number && !header) return "unknown";
        at = at.page.number < number || !header ? "absent" : towards(at, header, number);
      }
      return at;
    },
    async *ascend(writer, head, { from, signal, skips = false }) {
      const stack = [{ link: head, isOpened: false }];
      let floor = from;
      for (let top = stack.at(-1); top; top = stack.at(-1)) {
        const { link } = top;
        if (!top.isOpened && link.page.number > floor) {
          top.isOpened = true;
          const { previous } = await headerOf(writer, link, { signal }).catch((failure: unknown) => {
            if (skips && isGone(failure)) return { previous: undefined };
            throw failure;
          });
          for (const earlier of linksOf(previous)) {
            const isBelow = earlier.page.number < link.page.number;
            if (isBelow && earlier.page.number >= floor) stack.push({ link: earlier, isOpened: false });
          }
          if (stack.at(-1) !== top) continue;
        }
        stack.pop();
        if (link.page.number < floor) continue;
        yield link;
        floor = link.page.number + 1;
      }
    },
  };
}

function isGone(failure: unknown): boolean {
  return isFlockError(failure, "refstore/not-found") || isFlockError(failure, "crdt/history-corrupt");
}

/** The furthest jump back from a page that does not pass the number; a live page may lie, and must not lead in circles. */
function towards(from: ChainLink, { previous }: Header, number: number): Sought {
  if (!previous || previous.page.number < number) return "absent";
  const links = linksOf(previous).filter(({ page }) => page.number < from.page.number);
  return links.findLast(({ page }) => page.number >= number) ?? "lost";
}
