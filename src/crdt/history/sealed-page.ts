import {
  type Batch,
  comparePages,
  decodeBatch,
  decodeSeal,
  maxPageEntries,
  type PageLink,
  type PreviousPage,
} from "../../protocol/index.ts";
import { entriesOf, type LoggedPage } from "../lanes/entry.ts";
import { corruptPage } from "./failures.ts";

/** A page of a chain, as whoever names it tells of it. */
export interface ChainLink extends PageLink {
  /** How many entries it holds; not every link says so. */
  length?: number;
}

/** The pages that the header of a page names, the nearest first; none where it is the first of its chain, or was written before there were seals. */
export function linksOf(previous: PreviousPage | undefined): ChainLink[] {
  if (!previous?.seal) return [];
  const { page, length, seal } = previous;
  const nearest = { page, length, hash: seal.hash };
  // Where the lane skips a number, the page two before is the one before.
  return [nearest, ...seal.earlier.filter((link) => !isSameLink(link, nearest))];
}

function isSameLink(a: PageLink, b: PageLink): boolean {
  return comparePages(a.page, b.page) === 0 && a.hash === b.hash;
}

/**
 * Decodes a seal of the right hash, and believes none of it unless all of it holds together.
 *
 * @throws `crdt/history-corrupt`
 */
export function readSealedPage(writer: string, { page: name }: PageLink, seal: Uint8Array): LoggedPage {
  const batches = decodeAll(writer, name, seal);
  let length = 0;
  for (const { first, previous, entries } of batches) {
    if (first !== length) throw corruptPage(writer, name, `a batch begins at ${first}, not at ${length}`);
    if (previous && first > 0) throw corruptPage(writer, name, "a later batch names a page before it");
    length += entries.length;
  }
  const [first] = batches;
  if (!first) throw corruptPage(writer, name, "it is empty");
  if (length > maxPageEntries) throw corruptPage(writer, name, `it holds ${length} entries`);
  const { previous } = first;
  if (!isBefore(previous, name))
    throw corruptPage(writer, name, "it does not follow the pages that it names");
  return { name, entries: entriesOf(writer, name, batches), previous };
}

/** @throws `crdt/history-corrupt` where a page is not as long as a link says. */
export function assertLength(writer: string, { page: name, length }: ChainLink, page: LoggedPage): void {
  if (length === undefined || length === page.entries.length) return;
  throw corruptPage(writer, name, `it holds ${page.entries.length} entries, not ${length}`);
}

/** @throws `crdt/history-corrupt` where a page does not follow the one before it. */
export function assertFollows(writer: string, page: LoggedPage, { link, length }: Passed): void {
  const [nearest] = linksOf(page.previous);
  if (!nearest || nearest.length !== length || !isSameLink(nearest, link))
    throw corruptPage(writer, page.name, "it does not follow the page before it");
}

/** A page that was read, and its true length. */
export interface Passed {
  link: PageLink;
  length: number;
}

function decodeAll(writer: string, name: PageLink["page"], seal: Uint8Array): Batch[] {
  try {
    return decodeSeal(seal).map(decodeBatch);
  } catch (cause) {
    throw corruptPage(writer, name, "it does not follow the format", cause);
  }
}

/** Whether a header names only pages before its own, from the nearest on. */
function isBefore(previous: PreviousPage | undefined, { number }: PageLink["page"]): boolean {
  if (!previous) return true;
  const numbers = [
    number,
    previous.page.number,
    ...linksOf(previous)
      .slice(1)
      .map(({ page }) => page.number),
  ];
  return numbers.every((each, index) => index === 0 || each < (numbers[index - 1] as number));
}
