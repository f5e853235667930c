import type { RandomBytes } from "../base/index.ts";

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

/** The promise, or a rejection with the signal's reason as soon as it aborts. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    const settled = () => signal.removeEventListener("abort", abort);
    promise.then(resolve, reject).then(settled);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}
