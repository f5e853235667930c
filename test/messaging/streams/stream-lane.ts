import { sha256Hex, toBase64Url, toUtf8 } from "../../../src/base/index.ts";
import type { ReadStreamOptions } from "../../../src/messaging/streams/read-stream.ts";
import { readStream } from "../../../src/messaging/streams/read-stream.ts";
import {
  encodeSeal,
  formatPageName,
  type Json,
  type LaneMarks,
  type PageLink,
  type PageName,
  type Reference,
} from "../../../src/protocol/index.ts";
import { createInMemoryStore } from "../../../src/refstore/index.ts";
import { readPage, writePage } from "../../crdt/lanes.ts";
import { createWorld } from "../world.ts";

export { settle } from "../world.ts";

export const lane = "anon.writer.AAAAAAAAAAA";

/** The entry that opens the stream is the first of the lane. */
export const streamId = `${lane}/0-100/0`;

export interface Said {
  kind: string;
  body: Json;
}

export const opening: Said = {
  kind: "message",
  body: { schemaVersion: "1.0", type: "DRAFT", topic: "drafts", content: null, role: "stream" },
};

/** The entries of a stream whose parts are these, from an offset on. */
export function partsOf(parts: readonly (string | Uint8Array)[], of = streamId): Said[] {
  let at = 0;
  return parts.map((part) => {
    const content = typeof part === "string" ? { text: part } : { bytes: toBase64Url(part) };
    const body = { of, at, ...content };
    at += part.length;
    return { kind: "stream", body };
  });
}

/** The end of a stream that became this whole. */
export async function endOf(
  whole: string | Uint8Array,
  of = streamId,
): Promise<Said & { reference: Reference }> {
  const bytes = typeof whole === "string" ? toUtf8(whole) : whole;
  const contentType = "text/plain";
  const reference = { id: await sha256Hex(bytes), size: bytes.length, contentType };
  const unit = typeof whole === "string" ? "text" : "bytes";
  return { kind: "stream-end", body: { of, at: whole.length, reference, unit }, reference };
}

/** A replica that hears one lane, page by page, entry by entry. */
export function createHearing() {
  const world = createWorld();
  const refs = createInMemoryStore();
  const closed = new AbortController();
  const pages: { name: PageName; updates: Uint8Array[]; length: number; hash: string }[] = [];
  let page: ReturnType<typeof writePage> | undefined;

  async function sealNewest(): Promise<void> {
    const newest = pages.at(-1);
    if (newest)
      newest.hash = await world.pages.put(encodeSeal(readPage(newest.name, newest.updates).batches()));
  }

  return {
    ...world,
    refs,
    closed,
    /** Entries come, of the page that is written; with `begins` of the one after it. */
    async hear(said: readonly Said[], { begins = false, shows = true } = {}) {
      for (const { kind, body } of said) {
        let previous: Parameters<NonNullable<typeof page>["append"]>[0]["previous"];
        if (!page || begins) {
          await sealNewest();
          const before = pages.at(-1);
          const number = pages.length;
          const earlier: PageLink[] = [];
          for (let distance = 2; distance <= number; distance *= 2) {
            const link = pages[number - distance];
            if (link) earlier.push({ page: link.name, hash: link.hash });
          }
          previous = before && {
            page: before.name,
            length: before.length,
            seal: { hash: before.hash, earlier },
          };
          page = writePage(number, 100 + number);
          pages.push({ name: page.name, updates: [], length: 0, hash: "" });
          begins = false;
        }
        const own = pages.at(-1);
        own?.updates.push(page.append({ kind, bodies: [body], previous }));
        if (own) own.length++;
        if (shows && own) world.log.take(lane, readPage(own.name, own.updates));
      }
    },
    /** Everything is in pages of so many entries. */
    async hearInPages(said: readonly Said[], perPage: number, shows = true) {
      for (let begin = 0; begin < said.length; begin += perPage) {
        await this.hear(said.slice(begin, begin + perPage), { begins: true, shows });
      }
    },
    /** The page that is written is full. */
    sealNewest,
    /** The pages below a number are sealed, and let go of; retention has taken those below `first`. */
    seal(low: number, { first = 0, releases = true } = {}) {
      const head = pages[low - 1];
      if (!head) throw new RangeError(`no page ${low - 1}`);
      const marks: LaneMarks = {
        low,
        first,
        head: { page: formatPageName(head.name), length: head.length, hash: head.hash },
      };
      for (const { name, hash } of pages) {
        if (name.number < first) world.pages.seals.delete(hash);
        if (releases && name.number < low) world.log.release(lane, name);
      }
      world.publish(lane, { version: 1, since: 1, capabilities: [], consumers: {}, lane: marks });
    },
    /** Reads the stream as fast as `pace` lets it. */
    read({
      id = streamId,
      pace,
      ...options
    }: ReadStreamOptions & { id?: string; pace?: () => Promise<unknown> } = {}) {
      const reader = { at: [] as number[], text: "", end: undefined as unknown };
      const source = {
        documents: world.documents,
        refs: { ...refs, resolve: refs.get },
        closed: closed.signal,
      };
      const run = async (): Promise<void> => {
        for await (const piece of readStream(source as never, id, options)) {
          reader.at.push(piece.at);
          reader.text += "text" in piece ? piece.text : String.fromCharCode(...piece.bytes);
          await pace?.();
        }
      };
      const over = run().then(
        () => {
          reader.end = "done";
        },
        (failure: unknown) => {
          reader.end = failure;
        },
      );
      return Object.assign(reader, { over });
    },
  };
}
