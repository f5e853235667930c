import { FlockError, sha256Hex } from "../base/index.ts";
import { isReferenceId, maxReferenceBytes, type Reference, referenceSchema } from "../protocol/index.ts";

/** The content type of bytes about which nothing more is known. */
export const defaultContentType = "application/octet-stream";

/**
 * Returns the id that a reference or a string names, or throws.
 *
 * @throws `refstore/invalid-id`
 */
export function referenceId(reference: Reference | string): string {
  const id = typeof reference === "string" ? reference : reference.id;
  if (isReferenceId(id)) return id;
  throw new FlockError(
    "refstore/invalid-id",
    `The reference id ${JSON.stringify(id)} is not valid: use the 64 lower-case hexadecimal digits of a SHA-256.`,
  );
}

/** @throws `refstore/too-large` */
export function assertSize(sizeBytes: number, capBytes: number = maxReferenceBytes): void {
  if (sizeBytes <= capBytes) return;
  throw new FlockError(
    "refstore/too-large",
    `${sizeBytes} bytes are past the limit of ${capBytes} for one reference: split the content.`,
    { details: { sizeBytes, capBytes } },
  );
}

/**
 * Names bytes that the caller no longer changes.
 *
 * @throws `refstore/invalid-options` for a malformed content type.
 */
export async function nameBytes(bytes: Uint8Array, contentType = defaultContentType): Promise<Reference> {
  const parsed = referenceSchema.safeParse({ id: await sha256Hex(bytes), size: bytes.length, contentType });
  if (parsed.success) return parsed.data;
  throw new FlockError(
    "refstore/invalid-options",
    `The content type ${JSON.stringify(contentType)} is not valid: use type/subtype in printable ASCII.`,
  );
}

/**
 * Resolves where the bytes are those that the id names.
 *
 * @param place says in the message where they came from.
 * @throws `refstore/corrupt`
 */
export async function verify(id: string, bytes: Uint8Array, place: string): Promise<void> {
  const actual = await sha256Hex(bytes);
  if (actual !== id) throw corrupt(id, place, { actual, sizeBytes: bytes.length });
}

export function corrupt(id: string, place: string, details: Record<string, unknown> = {}): FlockError {
  return new FlockError(
    "refstore/corrupt",
    `What ${place} holds as ${id} has another hash: it was not used.`,
    {
      details: { id, ...details },
    },
  );
}

export function notFound(id: string, place: string): FlockError {
  return new FlockError("refstore/not-found", `The reference ${id} is not in ${place}.`, { details: { id } });
}

export function closed(place: string): FlockError {
  return new FlockError("refstore/closed", `${place} is closed: open another.`);
}
