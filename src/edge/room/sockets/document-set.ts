/** Numbers of one block of bits. */
const blockNumbers = 1_024;
/** Blocks of one set, 16 KiB together; past it all are forgotten, and what was in them is named again. */
const maxBlocks = 128;

/** A set of document numbers: a bit each, since every socket of a room has one. */
export interface DocumentSet {
  has(document: number): boolean;
  add(document: number): void;
}

/** Creates an empty set. It takes memory for what is in it, not for how high the numbers have risen. */
export function createDocumentSet(): DocumentSet {
  const blocks = new Map<number, Uint32Array>();
  /** The last that was asked for: documents at work at one time have numbers near each other. */
  let recent = { key: -1, bits: undefined as Uint32Array | undefined };

  function blockOf(document: number): Uint32Array | undefined {
    const key = Math.floor(document / blockNumbers);
    if (key !== recent.key) recent = { key, bits: blocks.get(key) };
    return recent.bits;
  }

  function createBlock(document: number): Uint32Array {
    if (blocks.size === maxBlocks) blocks.clear();
    const key = Math.floor(document / blockNumbers);
    const bits = new Uint32Array(blockNumbers / 32);
    blocks.set(key, bits);
    recent = { key, bits };
    return bits;
  }

  const wordOf = (document: number) => (document % blockNumbers) >>> 5;

  return {
    has: (document) => ((blockOf(document)?.[wordOf(document)] ?? 0) & (1 << (document & 31))) !== 0,
    add(document) {
      const bits = blockOf(document) ?? createBlock(document);
      const word = wordOf(document);
      bits[word] = (bits[word] ?? 0) | (1 << (document & 31));
    },
  };
}
