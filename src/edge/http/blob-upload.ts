import { concatBytes, toHex } from "../../base/index.ts";

/** Part of workerd only: hashes what is written to it. */
declare const crypto: {
  readonly DigestStream: new (
    algorithm: "SHA-256",
  ) => WritableStream<Uint8Array> & { readonly digest: Promise<ArrayBuffer> };
};

/** The bytes of an upload on their way to the store, and the hash that they turn out to have. */
export interface Upload {
  content: ReadableStream<Uint8Array> | Uint8Array;
  /** Lower-case hexadecimal; undefined where the upload broke off. Settles once `content` is read. */
  sha256: Promise<string | undefined>;
}

/** Hashes a body of known length while the store reads it; R2 takes no other streams. */
export function streamUpload(body: ReadableStream<Uint8Array>): Upload {
  const [content, copy] = body.tee();
  return { content, sha256: hash(copy) };
}

/** Collects a body of unknown length; undefined past the limit. */
export async function collectUpload(
  body: ReadableStream<Uint8Array> | null,
  limitBytes: number,
): Promise<Upload | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = body?.getReader();
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    bytes += read.value.length;
    if (bytes > limitBytes) {
      await reader?.cancel();
      return undefined;
    }
    chunks.push(read.value);
  }
  const content = concatBytes(chunks);
  return { content, sha256: hash(new Blob([content]).stream()) };
}

async function hash(stream: ReadableStream<Uint8Array>): Promise<string | undefined> {
  const digester = new crypto.DigestStream("SHA-256");
  try {
    await stream.pipeTo(digester);
    return toHex(new Uint8Array(await digester.digest));
  } catch {
    // The client went away: the store fails on the same bytes, and that is what is answered.
    digester.digest.catch(() => {});
    return undefined;
  }
}
