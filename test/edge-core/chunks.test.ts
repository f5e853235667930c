import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { createInMemoryStorage, type StoredRow } from "../../src/edge/index.ts";
import { type Chunk, chunkBytes, takeChunk, toChunks } from "../../src/edge/room/pacing/chunk.ts";
import { cachedChunkBytes, createChunkCache } from "../../src/edge/room/pacing/chunk-cache.ts";
import { createRecentRows } from "../../src/edge/room/pacing/recent-rows.ts";
import { editedDocument, pageOf, pageUpdates, readPage } from "./documents.ts";
import { createHarness, grantOf, type Peer } from "./room-harness.ts";
import { itemsOf, updateFrame } from "./wire.ts";

const kilobyte = 1_024;
const start = { upTo: 0, midway: undefined };

function rowOf(sequence: number, bytes = 100 * kilobyte, piece = 0): StoredRow {
  return { sequence, piece, document: 1, parts: new Uint8Array(bytes) };
}

function rowsOf(count: number, bytes?: number): StoredRow[] {
  return Array.from({ length: count }, (_, index) => rowOf(index + 1, bytes));
}

const sequencesOf = (rows: Iterable<StoredRow> = []) => [...rows].map(({ sequence }) => sequence);

describe("chunks", () => {
  test("FLOW-2: the chunks of a turn follow each other row by row, each no larger than a chunk but for one row", () => {
    const rows = [...rowsOf(7), rowOf(8, 700 * kilobyte), rowOf(9)];
    const chunks = toChunks(rows, { before: 0, head: 9 });
    expect(chunks.flatMap((chunk) => sequencesOf(chunk.rows))).toEqual(sequencesOf(rows));
    for (const chunk of chunks) {
      expect(chunk.bytes <= chunkBytes || chunk.rows.length === 1).toBe(true);
      expect(chunk.to).toEqual({ upTo: chunk.rows.at(-1)?.sequence, midway: undefined });
    }
  });

  test("FLOW-2: nobody has been told a sequence of which a piece is to come", () => {
    const rows = [rowOf(4), rowOf(9, undefined, 0), rowOf(9, undefined, 1), rowOf(9, undefined, 2)];
    const limits = { bytes: chunkBytes, head: 9, mayExceed: true };
    const first = takeChunk(rows, start, limits);
    expect(first?.to).toEqual({ upTo: 4, midway: { sequence: 9, piece: 0 } });
    const rest = takeChunk(rows, first?.to ?? start, limits);
    expect(rest?.rows).toEqual(rows.slice(2));
    expect(rest?.to).toEqual({ upTo: 9, midway: undefined });
  });

  test("FLOW-14: what is kept of chunks stays bounded, and one that has grown since is read anew", () => {
    const cache = createChunkCache();
    const chunkAfter = (upTo: number, isFull: boolean): Chunk => {
      const rows = [rowOf(upTo + 1)];
      const to = { upTo: upTo + 1, midway: undefined };
      const from = { upTo, midway: undefined };
      return { rows, bytes: 100 * kilobyte, documents: [1], isFull, from, to, frames: new Map() };
    };
    const fits = Math.floor(cachedChunkBytes / (100 * kilobyte));
    for (let upTo = 0; upTo < 2 * fits; upTo++) cache.put(0, chunkAfter(upTo, true));
    const isKept = (upTo: number) => cache.find(0, { upTo, midway: undefined }, 1_000) !== undefined;
    const kept = Array.from({ length: 2 * fits }, (_, upTo) => upTo).filter(isKept);
    expect(kept).toEqual(Array.from({ length: fits }, (_, index) => fits + index));
    cache.drop(2 * fits - 1);
    expect(kept.filter(isKept)).toEqual([2 * fits - 1]);
    cache.put(0, chunkAfter(5_000, false));
    expect(cache.find(0, { upTo: 5_000, midway: undefined }, 5_001)).toBeDefined();
    expect(cache.find(0, { upTo: 5_000, midway: undefined }, 5_002)).toBeUndefined();
  });

  test("FLOW-14: the rows that are kept are the newest without a gap, and bounded", () => {
    const recent = createRecentRows();
    recent.add(0, rowsOf(100));
    const kept = sequencesOf(recent.after(90));
    expect(kept).toEqual([91, 92, 93, 94, 95, 96, 97, 98, 99, 100]);
    expect(recent.after(10)).toBeUndefined();
    recent.drop(95);
    expect(recent.after(94)).toBeUndefined();
    expect(sequencesOf(recent.after(95))).toEqual([96, 97, 98, 99, 100]);
    recent.drop(500);
    recent.add(700, [rowOf(701)]);
    expect(recent.after(99)).toBeUndefined();
    expect(sequencesOf(recent.after(700))).toEqual([701]);
  });
});

describe("readers who lag together", () => {
  const updatesOf = (peer: Peer) => itemsOf(peer.items, "update").map(({ update }) => update);

  function createLaggingRoom(readerCount: number) {
    const storage = createInMemoryStorage();
    let reads = 0;
    const room = createHarness({
      ...storage,
      rowsAfter(sequence) {
        reads++;
        return storage.rowsAfter(sequence);
      },
    });
    const writer = room.join(undefined, undefined, grantOf("writer"));
    const readers = Array.from({ length: readerCount }, () => room.join());
    const source = editedDocument(5);
    let mark = 0;
    return {
      room,
      readers,
      reads: () => reads,
      write(count: number) {
        for (let round = 0; round < count; round++) {
          source.doc.getMap("m").set(`k${mark}`, "x".repeat(100 * kilobyte));
          room.clock.advance(1);
          writer.send(updateFrame("shared", source.take(), ++mark));
          writer.credit();
        }
      },
    };
  }

  test("FLOW-14: they are told from memory, and are sent the very same frames", () => {
    const { room, readers, reads, write } = createLaggingRoom(6);
    const frames = readers.map((): Uint8Array[] => []);
    readers.forEach(({ socket }, index) => {
      const { send } = socket;
      socket.send = (bytes) => {
        frames[index]?.push(bytes);
        send(bytes);
      };
    });
    write(30);
    const before = reads();
    room.drain(...readers);
    expect(reads() - before).toBeLessThanOrEqual(2);
    for (const reader of readers) expect(updatesOf(reader)).toHaveLength(30);
    const large = frames.map((each) => each.filter(({ length }) => length > kilobyte));
    for (const each of large) expect(each.every((frame, index) => frame === large[0]?.[index])).toBe(true);
  });

  test("FLOW-14: a turn past a window is told up to a row, and nothing of it comes twice", () => {
    const room = createHarness();
    const writer = room.join(undefined, undefined, grantOf("anon"));
    const reader = room.join();
    room.crowd();
    const pages = Array.from({ length: 10 }, (_, page) =>
      Array.from({ length: 4 }, (_, index) => `${page}.${index} ${"x".repeat(60 * kilobyte)}`),
    );
    pages.forEach((values, page) => {
      for (const update of pageUpdates(page + 1, values)) {
        writer.send(updateFrame(pageOf(page + 1), [update]));
      }
    });
    room.clock.advance(1);
    room.drain(reader, writer);
    pages.forEach((values, page) => {
      const own = itemsOf(reader.items, "update").filter(({ name }) => name === pageOf(page + 1));
      expect(own.map(({ update }) => update)).toHaveLength(values.length);
      expect(readPage(own.map(({ update }) => update))).toEqual(values);
    });
  });

  test("COMPACT-3: who was told rows around a snapshot is told the snapshot, not the rows that are kept in memory", () => {
    const { room, readers, write } = createLaggingRoom(1);
    const [reader] = readers as [Peer];
    const other = room.join(undefined, undefined, grantOf("other"));
    write(15);
    // The joiner's first chunk ends here, before the snapshot of what came earlier.
    const between = editedDocument(6);
    between.doc.getMap("m").set("k", "x".repeat(300 * kilobyte));
    room.clock.advance(1);
    other.send(updateFrame("shared/between", between.take()));
    write(15);
    room.elapse(5_000);
    const joiner = room.join();
    room.drain(reader, joiner);
    for (const peer of [reader, joiner]) {
      const replica = new Y.Doc();
      for (const { name, update } of itemsOf(peer.items, "update")) {
        if (name === "shared") Y.applyUpdate(replica, update);
      }
      expect(replica.getMap("m").size).toBe(30);
    }
  });
});
