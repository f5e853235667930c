import * as Y from "yjs";
import {
  type Batch,
  decodeBatch,
  formatPageName,
  type PageName,
  type PreviousPage,
  pageRoot,
} from "../../protocol/index.ts";

/** One page of a lane: an append-only Yjs document whose array holds batches. */
export interface Page {
  readonly name: PageName;
  readonly document: Y.Doc;
  /** Entries of the batches read so far. */
  readonly length: number;
  /** How many entries there are up to the end of each batch read so far: `ends[clock - 1]`. */
  readonly ends: readonly number[];
  /** Bytes of the batches read so far. */
  readonly bytes: number;
  /** True once a batch did not decode: nothing after it is read, on any replica. */
  readonly broken: boolean;
  /** The page before this one and its full length, once the first batch is here. */
  readonly previous: PreviousPage | undefined;
  /** The bytes of every batch, exactly as they are stored: what a seal is made of. */
  batches(): Uint8Array[];
  /** The batches that arrived since the last call, in order. */
  read(): Batch[];
}

/** An empty document of a page. */
export function createPageDocument(name: PageName): Y.Doc {
  // A random one would cost 2 % of what it takes to write a page, and only subdocuments need it.
  return new Y.Doc({ gc: false, guid: formatPageName(name) });
}

/** Creates a page that reads what comes into its document. */
export function createPage(name: PageName): Page {
  const document = createPageDocument(name);
  const batches = document.getArray<unknown>(pageRoot);
  let position = 0;
  let length = 0;
  let bytes = 0;
  let broken = false;
  const ends: number[] = [];
  let previous: PreviousPage | undefined;

  function accept(element: unknown): Batch | undefined {
    const encoded = bytesOf(element);
    if (!encoded) return undefined;
    try {
      const batch = decodeBatch(encoded);
      if (batch.first !== length || (batch.previous !== undefined && length > 0)) return undefined;
      bytes += encoded.length;
      return batch;
    } catch {
      // What does not decode here decodes nowhere: `broken` says so to every replica alike.
      return undefined;
    }
  }

  return {
    name,
    document,
    get length() {
      return length;
    },
    ends,
    get bytes() {
      return bytes;
    },
    get broken() {
      return broken;
    },
    get previous() {
      return previous;
    },
    batches: () => batches.toArray().flatMap((element) => bytesOf(element) ?? []),
    read() {
      const added: Batch[] = [];
      if (broken || batches.length === position) return added;
      for (const element of batches.slice(position)) {
        const batch = accept(element);
        if (!batch) {
          broken = true;
          break;
        }
        if (length === 0) previous = batch.previous;
        length += batch.entries.length;
        ends.push(length);
        added.push(batch);
      }
      position = batches.length;
      return added;
    },
  };
}

/** A batch is wrapped in an array, because Yjs gives each bare Uint8Array a struct of its own. */
function bytesOf(element: unknown): Uint8Array | undefined {
  const encoded: unknown = Array.isArray(element) && element.length === 1 ? element[0] : undefined;
  return encoded instanceof Uint8Array ? encoded : undefined;
}
