import type { Closable } from "../base/index.ts";
import type { Reference } from "../protocol/index.ts";

/** What every call that may wait accepts; an abort rejects the call with the signal's own reason. */
export interface WaitOptions {
  signal?: AbortSignal;
}

export interface PutOptions extends WaitOptions {
  /** Default `application/octet-stream`. A store keeps the content type of the first put of the same bytes. */
  contentType?: string;
}

/**
 * Keeps bytes under the SHA-256 of those bytes, and never returns others.
 *
 * Every call rejects with `refstore/closed` once the store is closed, with `refstore/invalid-id` where an id is not
 * 64 lower-case hexadecimal digits, and with `refstore/unavailable` where the backend cannot be reached.
 */
export interface ReferenceStore extends Closable {
  /**
   * Stores bytes and names them; the caller may reuse the array at once. Bytes that are there already are kept as
   * they are.
   *
   * @throws `refstore/too-large` past 32 MiB or past the backend's own cap; `refstore/quota` where the backend is full;
   * `refstore/refused` where a remote declines; `refstore/invalid-options` for a malformed content type.
   */
  put(bytes: Uint8Array, options?: PutOptions): Promise<Reference>;
  /**
   * Returns a copy of the bytes, hashed anew wherever they come from disk or network.
   *
   * @throws `refstore/not-found`; `refstore/corrupt` where what was read has another hash: a local copy is then gone.
   */
  get(reference: Reference | string, options?: WaitOptions): Promise<Uint8Array>;
  /** Tells whether the store has the bytes, without reading them. */
  has(id: string, options?: WaitOptions): Promise<boolean>;
  /** Removes the bytes; false where there were none. */
  delete(id: string, options?: WaitOptions): Promise<boolean>;
}

/** How much a store holds. */
export interface StoreStats {
  count: number;
  bytes: number;
}

export interface LocalPutOptions extends PutOptions {
  /** Enters the reference in `uploads`, in one step with the bytes. Default false. */
  pending?: boolean;
}

/** What the relay is not known to have yet; as durable as the store that it belongs to. */
export interface UploadLedger {
  /** Every reference that was put as pending and has neither been removed here nor deleted. */
  load(): Promise<Reference[]>;
  /** Strikes one out; one that is not there is no error. */
  remove(id: string): Promise<void>;
}

/** A store on this device: it can be listed, and remembers what must still be uploaded. */
export interface LocalReferenceStore extends ReferenceStore {
  put(bytes: Uint8Array, options?: LocalPutOptions): Promise<Reference>;
  /** Every reference here, without reading the bytes; one that comes or goes meanwhile may be missed. */
  list(): AsyncIterable<Reference>;
  stats(): Promise<StoreStats>;
  readonly uploads: UploadLedger;
}
