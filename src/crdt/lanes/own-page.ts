import type * as Y from "yjs";
import { laneName } from "../../protocol/index.ts";
import type { Outbound } from "../writers/outbound.ts";
import { idPrefixOf } from "./entry.ts";
import type { Page } from "./page.ts";
import type { UploadSource } from "./upload-source.ts";
import { documentOf } from "./written-page.ts";

/** A page of a lane that is written here, and how far its entries have come. */
export interface OwnPage<Kind extends Page = Page> {
  readonly page: Kind;
  /** The name of its document. */
  readonly name: string;
  /** What the ids of its entries begin with. */
  readonly idPrefix: string;
  /** Entries that were here before this session; a page that has any is closed. */
  readonly loaded: number;
  /** Entries that are in the database. */
  kept: number;
  /** Whether its newest batch is on its way into the database. */
  storing: boolean;
  /** Entries that the relay is known to have. */
  relayed(): number;
  readonly outbound: Outbound | undefined;
  /** What may be told to other tabs: without what is not stored, which a crash would leave with them alone. */
  settled(): Y.Doc;
}

/** A page below the low-water mark whose batches are still in the database: its document is yet to be dropped. */
export interface SunkPage {
  /** The name of its document. */
  readonly name: string;
  /** The keys of its batches. */
  readonly keys: readonly string[];
}

export interface OwnPageOptions<Kind extends Page> {
  writer: string;
  /** New, or as it was loaded and read. */
  page: Kind;
  source: UploadSource;
  outbound: OpenOutbound;
}

/** Makes the upload of a page, where there is a relay. */
export type OpenOutbound = (
  what: { name: string; page: Page; source: UploadSource },
  ready: () => boolean,
) => Outbound | undefined;

/** Creates a page of our own. */
export function createOwnPage<Kind extends Page>({
  writer,
  page,
  source,
  outbound,
}: OwnPageOptions<Kind>): OwnPage<Kind> {
  const name = laneName(writer, page.name);
  const own: OwnPage<Kind> = {
    page,
    name,
    idPrefix: idPrefixOf(writer, page.name),
    loaded: page.length,
    kept: page.length,
    storing: false,
    relayed() {
      const clock = own.outbound?.acknowledged(page.name.client) ?? 0;
      // A relay may have more of a page than the database that was lost or refused it.
      return page.ends[Math.min(clock, page.ends.length) - 1] ?? 0;
    },
    outbound: outbound({ name, page, source }, () => !own.storing),
    settled() {
      if (own.kept === page.length) return page.document;
      const stored = page.ends.filter((end) => end <= own.kept).length;
      return documentOf(page.name, page.batches().slice(0, stored));
    },
  };
  return own;
}
