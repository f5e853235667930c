import type * as Y from "yjs";
import { laneName, type PageName, pageRoot } from "../protocol/index.ts";
import type { Outbound } from "./outbound.ts";
import { createPage, type Page } from "./page.ts";

/** A page of a lane that is written here, and how far its entries have come. */
export interface OwnPage {
  readonly page: Page;
  /** The name of its document. */
  readonly name: string;
  /** Entries that were here before this session; a page that has any is closed. */
  readonly loaded: number;
  /** Entries that are in the database. */
  kept: number;
  /** Whether its newest batch is on its way into the database. */
  storing: boolean;
  /** Entries that the relay is known to have. */
  relayed(): number;
  readonly outbound: Outbound | undefined;
  /** What may be told to others: without a batch that is not stored yet. */
  settled(): Y.Doc;
}

/** A page below the low-water mark whose batches are still in the database: its document is yet to be dropped. */
export interface SunkPage {
  /** The name of its document. */
  readonly name: string;
  /** The keys of its batches. */
  readonly keys: readonly string[];
}

export interface OwnPageOptions {
  writer: string;
  name: PageName;
  /** What the database had of it; a page without any may be written. */
  page?: Page;
  /** Makes the upload of the page's document, where there is a relay. */
  outbound(name: string, page: Page, ready: () => boolean): Outbound | undefined;
}

/** Creates a page of our own, new or as it was loaded and read. */
export function createOwnPage({
  writer,
  name,
  page = createPage(name, { writable: true }),
  outbound,
}: OwnPageOptions): OwnPage {
  const documentName = laneName(writer, name);
  const own: OwnPage = {
    page,
    name: documentName,
    loaded: page.length,
    kept: page.length,
    storing: false,
    relayed: () => page.ends[(own.outbound?.acknowledged(name.client) ?? 0) - 1] ?? 0,
    outbound: outbound(documentName, page, () => !own.storing),
    settled: () => (own.storing ? withoutLast(page) : page.document),
  };
  return own;
}

/** A page's document as it was before its newest batch. */
function withoutLast({ name, document }: Page): Y.Doc {
  const before = createPage(name, { writable: true });
  before.document.getArray(pageRoot).push(document.getArray(pageRoot).toArray().slice(0, -1));
  return before.document;
}

/** The update that a change of a document makes. */
export function captureUpdate(document: Y.Doc, change: () => void): Uint8Array {
  let captured: Uint8Array | undefined;
  const listen = (update: Uint8Array): void => {
    captured = update;
  };
  document.on("update", listen);
  change();
  document.off("update", listen);
  return captured as Uint8Array;
}
