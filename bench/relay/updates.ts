import * as encoding from "lib0/encoding";
import { pageRoot } from "../../src/protocol/gate/index.ts";
import { encodeBatch, encodeEntry } from "../../src/protocol/index.ts";
import { encodeMark } from "./marks.ts";

/** A page of ours is full at so many messages; the peers' get a new array as often, so that none pays for long ones. */
export const pageEntries = 1_000;

/** Where a message goes, and the Yjs update that appends it there. */
export interface PreparedUpdate {
  page: number;
  update: Uint8Array;
}

/** How a writer's messages lie in documents. */
export type Layout =
  /** A document for each page, as lanes are. */
  | "pages"
  /** One document with an array for each page. */
  | "arrays";

const note =
  "A lane entry of ordinary length: what an agent says to another about its task, with a little data. ".repeat(
    2,
  );

/** The Yjs client of a writer. */
export function clientOf(writer: number): number {
  return 1_000_000_000 + writer;
}

/** One message of about 250 bytes as the update that appends it: what Yjs itself encodes for a push. */
export function prepareUpdate(writer: number, index: number, layout: Layout): PreparedUpdate {
  const page = Math.floor(index / pageEntries);
  const place = index % pageEntries;
  const clock = layout === "pages" ? place : index;
  const client = clientOf(writer);
  const body = { type: "task_progress", note: note.slice(0, 130), mark: encodeMark(writer, index) };
  const entry = encodeEntry({ kind: "message", parents: [], body });
  const batch = encodeBatch(
    { first: place, clock: 1_795_000_000_000 * 1024, previous: undefined, references: [] },
    [entry],
  );

  const encoder = encoding.createEncoder();
  // One client with one struct, from this clock.
  encoding.writeVarUint(encoder, 1);
  encoding.writeVarUint(encoder, 1);
  encoding.writeVarUint(encoder, client);
  encoding.writeVarUint(encoder, clock);
  if (place > 0) {
    encoding.writeUint8(encoder, contentAny | hasOrigin);
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, clock - 1);
  } else {
    encoding.writeUint8(encoder, contentAny);
    encoding.writeVarUint(encoder, 1);
    encoding.writeVarString(encoder, layout === "pages" ? pageRoot : `${pageRoot}-${writer}-${page}`);
  }
  encoding.writeVarUint(encoder, 1);
  encoding.writeAny(encoder, batch);
  // No deletions.
  encoding.writeVarUint(encoder, 0);
  return { page, update: encoding.toUint8Array(encoder) };
}

const contentAny = 8;
const hasOrigin = 0x80;
