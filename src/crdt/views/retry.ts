import { type Clock, type FlockError, isFlockError, type Undo } from "../../base/index.ts";

/** Tries again what history did not give, later and later. */
export interface Retry {
  /** Tells of a failure, once for each, unless the page is only out of reach; the task runs again. */
  failed(failure: unknown): void;
  /** Takes the next try back; the next failure counts as the first. */
  succeeded(): void;
  close(): void;
}

export interface RetryOptions {
  clock: Clock;
  task(): void;
  onProblem(error: FlockError): void;
}

const firstMs = 1_000;
const maxMs = 60_000;

/** Creates it; the task runs again a second after the first failure, and at most a minute after a later one. */
export function createRetry({ clock, task, onProblem }: RetryOptions): Retry {
  const told = new Set<string>();
  let failures = 0;
  let cancel: Undo | undefined;

  function again(): void {
    cancel = undefined;
    task();
  }

  return {
    failed(failure) {
      cancel ??= clock.after(Math.min(maxMs, firstMs * 2 ** failures++), again);
      if (!isFlockError(failure) || failure.code === "refstore/unavailable" || told.has(failure.message))
        return;
      told.add(failure.message);
      onProblem(failure);
    },
    succeeded() {
      failures = 0;
      told.clear();
      cancel?.();
      cancel = undefined;
    },
    close: () => cancel?.(),
  };
}
