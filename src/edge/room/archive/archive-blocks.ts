import { concatBytes, equalBytes, sha256 } from "../../../base/index.ts";
import { archiveMagic, blockTargetBytes, invalidArchive, maxBlockBytes } from "./archive-format.ts";

const lengthBytes = 4;
const digestBytes = 32;

/** Each digest covers the one before it: the last one is that of everything, and damage shows in its own block. */
function chain(previous: Uint8Array, block: Uint8Array): Promise<Uint8Array> {
  return sha256(concatBytes([previous, block]));
}

/** Writes encoded records as an archive: whole records to a block, each block with its digest. */
export async function* writeBlocks(records: Iterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let digest: Uint8Array = await sha256(archiveMagic);
  let gathered: Uint8Array[] = [];
  let bytes = 0;

  async function close(): Promise<Uint8Array> {
    const block = concatBytes(gathered);
    const length = new Uint8Array(lengthBytes);
    new DataView(length.buffer).setUint32(0, block.length);
    digest = await chain(digest, block);
    gathered = [];
    bytes = 0;
    return concatBytes([length, block, digest]);
  }

  yield archiveMagic;
  for (const record of records) {
    gathered.push(record);
    bytes += record.length;
    if (bytes >= blockTargetBytes) yield await close();
  }
  if (bytes > 0) yield await close();
  yield await close();
}

/**
 * Reads the blocks of an archive as its bytes come in, each one only once its digest holds.
 *
 * @throws `edge/invalid-archive` where the bytes are no archive, damaged, cut short or go on after its end
 */
export async function* readBlocks(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const bytes = createByteReader(chunks);
  try {
    yield* verifiedBlocks(bytes);
  } finally {
    await bytes.close();
  }
}

async function* verifiedBlocks(bytes: ByteReader): AsyncIterable<Uint8Array> {
  if (!equalBytes(await bytes.take(archiveMagic.length), archiveMagic)) {
    throw invalidArchive("it does not begin as an export of this version does");
  }
  let digest: Uint8Array = await sha256(archiveMagic);
  for (let length = -1; length !== 0; ) {
    const header = await bytes.take(lengthBytes);
    length = new DataView(header.buffer, header.byteOffset).getUint32(0);
    if (length > maxBlockBytes) throw invalidArchive(`a block of ${length} bytes is longer than any`);
    const block = await bytes.take(length);
    digest = await chain(digest, block);
    if (!equalBytes(await bytes.take(digestBytes), digest)) throw invalidArchive("a digest does not hold");
    if (length > 0) yield block;
  }
  if (!(await bytes.ended())) throw invalidArchive("it goes on after its end");
}

interface ByteReader {
  /** Exactly as many bytes. */
  take(count: number): Promise<Uint8Array>;
  ended(): Promise<boolean>;
  close(): Promise<void>;
}

/** Takes bytes from chunks of any size, keeping no more than it was asked for and one chunk. */
function createByteReader(chunks: AsyncIterable<Uint8Array>): ByteReader {
  const source = chunks[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array();

  /** Whether there is more to read. */
  async function more(): Promise<boolean> {
    while (rest.length === 0) {
      const next = await source.next();
      if (next.done) return false;
      rest = next.value;
    }
    return true;
  }

  return {
    async take(count) {
      const taken = new Uint8Array(count);
      let filled = 0;
      while (filled < count) {
        if (!(await more())) throw invalidArchive("it was cut short");
        const part = rest.subarray(0, count - filled);
        taken.set(part, filled);
        filled += part.length;
        rest = rest.subarray(part.length);
      }
      return taken;
    },
    ended: async () => !(await more()),
    async close() {
      await source.return?.();
    },
  };
}
