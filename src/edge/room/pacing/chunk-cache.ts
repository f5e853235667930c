import type { Chunk, Told } from "./chunk.ts";

/** Of the rows in all chunks, in bytes; their frames are as much again. */
export const cachedChunkBytes = 4 * 1024 * 1024;

/** Chunks that were told lately, by the document or room that they tell and where they begin. */
export interface ChunkCache {
  /** A chunk from here on that is full, or tells all there is up to `head`. */
  find(document: number, from: Told, head: number): Chunk | undefined;
  put(document: number, chunk: Chunk): void;
  /** Forgets the chunks that begin before a sequence. */
  drop(upTo: number): void;
  clear(): void;
}

/** Creates it empty. */
export function createChunkCache(): ChunkCache {
  const chunks = new Map<string, Chunk>();
  let bytes = 0;

  function remove(key: string): void {
    bytes -= chunks.get(key)?.bytes ?? 0;
    chunks.delete(key);
  }

  return {
    find(document, from, head) {
      const chunk = chunks.get(keyOf(document, from));
      return chunk && (chunk.isFull || chunk.to.upTo === head) ? chunk : undefined;
    },
    put(document, chunk) {
      const key = keyOf(document, chunk.from);
      remove(key);
      chunks.set(key, chunk);
      bytes += chunk.bytes;
      for (const oldest of chunks.keys()) {
        if (bytes <= cachedChunkBytes) break;
        remove(oldest);
      }
    },
    drop(upTo) {
      for (const [key, { from }] of chunks) if (from.upTo < upTo) remove(key);
    },
    clear() {
      chunks.clear();
      bytes = 0;
    },
  };
}

function keyOf(document: number, { upTo, midway }: Told): string {
  return midway ? `${document} ${upTo} ${midway.sequence} ${midway.piece}` : `${document} ${upTo}`;
}
