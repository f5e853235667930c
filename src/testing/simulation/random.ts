import { type RandomBytes, toUtf8 } from "../../base/index.ts";

/** Random numbers that a seed decides. */
export interface SimulatedRandom {
  /** The port that a room takes. */
  readonly bytes: RandomBytes;
  /** A number from 0, and less than 1. */
  fraction(): number;
  /** An integer from 0, and less than `limit`. */
  below(limit: number): number;
  /** An integer from `low` to `high`, both possible. */
  between(low: number, high: number): number;
  /** True with the given probability, 0 to 1. */
  chance(probability: number): boolean;
  /** One of the items. @throws RangeError where there are none. */
  pick<T>(items: readonly T[]): T;
  /** A source of its own: what one draws does not change what the other gives. */
  fork(label: string): SimulatedRandom;
}

/** Creates a source; the same seed gives the same numbers for ever. */
export function createSimulatedRandom(seed: number | string): SimulatedRandom {
  const next = createGenerator(String(seed));

  function fraction(): number {
    return next() / 2 ** 32;
  }

  function below(limit: number): number {
    return Math.floor(fraction() * limit);
  }

  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() & 255),
    fraction,
    below,
    between: (low, high) => low + below(high - low + 1),
    chance: (probability) => fraction() < probability,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new RangeError("There is nothing to pick from.");
      return items[below(items.length)] as T;
    },
    fork: (label) => createSimulatedRandom(`${seed}/${label}`),
  };
}

/** sfc32 of Chris Doty-Humphrey's PractRand: 128 bits of state, so that forks do not run into each other. */
function createGenerator(seed: string): () => number {
  let [a, b, c, counter] = [1, 2, 3, 4].map((lane) => hashText(seed, lane)) as [
    number,
    number,
    number,
    number,
  ];
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 16; round++) next();
  return next;
}

/** FNV-1a of a text, 32 bits; `lane` gives independent hashes. */
export function hashText(text: string, lane = 0): number {
  return hashBytes(toUtf8(text), lane);
}

/** FNV-1a of bytes, 32 bits; `lane` gives independent hashes. */
export function hashBytes(bytes: Uint8Array, lane = 0): number {
  let hash = 0x811c9dc5 ^ Math.imul(lane, 0x9e3779b1);
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
