import type * as Y from "yjs";
import {
  type Batch,
  encodeAppend,
  type PageName,
  type PreviousPage,
  pageRoot,
} from "../../protocol/index.ts";
import { createPageDocument, type Page } from "./page.ts";
import type { UploadSource } from "./upload-source.ts";

/** The page that its lane is written to: appending needs no document, and one is made when somebody asks for it. */
export interface WrittenPage extends Page, UploadSource {
  /** Appends a batch that `bytes` are the encoding of; returns the update that brings it. */
  append(batch: Batch, bytes: Uint8Array): Uint8Array;
}

/** Creates an empty page, written as the Yjs client of its name. */
export function createWrittenPage(name: PageName): WrittenPage {
  const { client } = name;
  const batches: Uint8Array[] = [];
  const ends: number[] = [];
  let unread: Batch[] = [];
  let length = 0;
  let bytes = 0;
  let previous: PreviousPage | undefined;
  let document: Y.Doc | undefined;
  let inDocument = 0;

  return {
    name,
    get document() {
      document ??= documentOf(name, []);
      if (inDocument < batches.length) push(document, batches.slice(inDocument));
      inDocument = batches.length;
      return document;
    },
    get length() {
      return length;
    },
    ends,
    get bytes() {
      return bytes;
    },
    broken: false,
    get previous() {
      return previous;
    },
    batches: () => [...batches],
    read() {
      const read = unread;
      unread = [];
      return read;
    },
    append(batch, encoded) {
      if (length === 0) previous = batch.previous;
      unread.push(batch);
      batches.push(encoded);
      length += batch.entries.length;
      ends.push(length);
      bytes += encoded.length;
      return encodeAppend(client, batches.length - 1, [encoded]);
    },
    clocks: () => new Map([[client, batches.length]]),
    updateAfter(clocks) {
      const from = clocks.get(client) ?? 0;
      return encodeAppend(client, from, batches.slice(from));
    },
  };
}

/** A page's document with these batches, as its writer has it. */
export function documentOf(name: PageName, batches: readonly Uint8Array[]): Y.Doc {
  const document = createPageDocument(name);
  document.clientID = name.client;
  push(document, batches);
  return document;
}

function push(document: Y.Doc, batches: readonly Uint8Array[]): void {
  document.getArray(pageRoot).push(batches.map((batch) => [batch]));
}
