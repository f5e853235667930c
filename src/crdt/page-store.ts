/** Where sealed pages are kept, by their SHA-256: the references of the room, handed in by it. */
export interface PageStore {
  /**
   * Keeps a seal on this device, on its way to the relay, and returns its hash.
   *
   * @throws `refstore/quota`, `refstore/unavailable`, `refstore/closed`
   */
  put(seal: Uint8Array): Promise<string>;
  /** Resolves once the relay has it; at once in a room without a relay. */
  relayed(hash: string, options?: { signal?: AbortSignal }): Promise<void>;
  /**
   * Puts a seal on its way again that the relay has lost; nothing, where this device does not have it either.
   *
   * @throws `refstore/refused`, and as `put`
   */
  restore(hash: string, options?: { signal?: AbortSignal }): Promise<void>;
  /**
   * The bytes, from this device or the relay, verified.
   *
   * @throws `refstore/not-found`, `refstore/corrupt`, `refstore/unavailable`, `refstore/closed`
   */
  get(hash: string, options?: { signal?: AbortSignal }): Promise<Uint8Array>;
  /**
   * Deletes it on this device and at the relay.
   *
   * @throws `refstore/unavailable`, `refstore/refused`
   */
  delete(hash: string): Promise<void>;
}
