/** A source of random bytes. */
export type RandomBytes = (length: number) => Uint8Array;

/** The browser's randomness. */
export const browserRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));
