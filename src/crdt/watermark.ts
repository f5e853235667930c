import { abortable } from "../base/index.ts";

/** A number that only rises, and those who wait for it. */
export interface Watermark {
  readonly value: number;
  /** Raises the value; what failed before is over. */
  advance(value: number): void;
  /** Whoever waits for a number up to `upTo` fails, now and until the value rises. Default: any number. */
  fail(failure: Error, upTo?: number): void;
  /** Resolves once the value has reached `target`. Rejects with the signal's reason, or with what `fail` gave. */
  reached(target: number, signal?: AbortSignal): Promise<void>;
}

/** Creates a watermark at `value`. */
export function createWatermark(value = 0): Watermark {
  let current = value;
  let failed: { reason: Error; upTo: number } | undefined;
  let waiting: { target: number; resolve: () => void; reject: (failure: Error) => void }[] = [];

  return {
    get value() {
      return current;
    },
    advance(next) {
      if (next <= current) return;
      current = next;
      failed = undefined;
      if (waiting.length === 0) return;
      const ready = waiting.filter(({ target }) => target <= current);
      waiting = ready.length === waiting.length ? [] : waiting.filter(({ target }) => target > current);
      for (const { resolve } of ready) resolve();
    },
    fail(reason, upTo = Number.POSITIVE_INFINITY) {
      failed = { reason, upTo };
      const lost = waiting.filter(({ target }) => target <= upTo);
      waiting = waiting.filter(({ target }) => target > upTo);
      for (const { reject } of lost) reject(reason);
    },
    reached(target, signal) {
      if (target <= current) return Promise.resolve();
      if (failed && target <= failed.upTo) return Promise.reject(failed.reason);
      return abortable(
        new Promise<void>((resolve, reject) => waiting.push({ target, resolve, reject })),
        signal,
      );
    },
  };
}
