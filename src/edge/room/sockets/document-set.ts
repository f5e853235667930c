/** Numbers past it are never in a set, so that a set takes at most 16 KiB. */
const maxDocument = 2 ** 17;

/** A set of document numbers: a bit each, since every socket of a room has one. */
export interface DocumentSet {
  has(document: number): boolean;
  add(document: number): void;
}

/** Creates an empty set. */
export function createDocumentSet(): DocumentSet {
  let bits = new Uint32Array(0);
  return {
    has: (document) => ((bits[document >>> 5] ?? 0) & (1 << (document & 31))) !== 0,
    add(document) {
      if (document >= maxDocument) return;
      const word = document >>> 5;
      if (word >= bits.length) {
        const grown = new Uint32Array(Math.max(4, word * 2));
        grown.set(bits);
        bits = grown;
      }
      bits[word] = (bits[word] ?? 0) | (1 << (document & 31));
    },
  };
}
