import type { RandomBytes } from "./ids.ts";

/** Delays that double from `firstMs` to `maxMs`. */
export interface Backoff {
  firstMs: number;
  maxMs: number;
}

/** The delay after so many failures in a row (0 for the first), drawn from the upper half: clients spread out. */
export function backoffMs(failures: number, { firstMs, maxMs }: Backoff, random: RandomBytes): number {
  const [byte = 0] = random(1);
  return Math.min(maxMs, firstMs * 2 ** failures) * (0.5 + byte / 510);
}
