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

interface Waiting {
  readonly target: number;
  resolve(): void;
  reject(failure: Error): void;
}

/** Creates a watermark at `value`. */
export function createWatermark(value = 0): Watermark {
  let current = value;
  let failed: { reason: Error; upTo: number } | undefined;
  /** By target, because many may wait and few be ready: whoever asks for the same later comes after. */
  const waiting: Waiting[] = [];

  function wait(one: Waiting): void {
    const at = waiting.findLastIndex(({ target }) => target <= one.target) + 1;
    waiting.splice(at, 0, one);
  }

  /** Those who wait for a number up to a value, who then wait no more. */
  function takeUpTo(value: number): Waiting[] {
    const left = waiting.findIndex(({ target }) => target > value);
    return waiting.splice(0, left === -1 ? waiting.length : left);
  }

  return {
    get value() {
      return current;
    },
    advance(next) {
      if (next <= current) return;
      current = next;
      failed = undefined;
      for (const { resolve } of takeUpTo(current)) resolve();
    },
    fail(reason, upTo = Number.POSITIVE_INFINITY) {
      failed = { reason, upTo };
      for (const { reject } of takeUpTo(upTo)) reject(reason);
    },
    reached(target, signal) {
      if (target <= current) return Promise.resolve();
      if (failed && target <= failed.upTo) return Promise.reject(failed.reason);
      return abortable(new Promise<void>((resolve, reject) => wait({ target, resolve, reject })), signal);
    },
  };
}
