import type { Clock, Undo } from "../../base/index.ts";

/** One timer for whatever is next. */
export interface Timer {
  /** Milliseconds since the epoch; it goes on where the wall is set back while the timer runs. */
  now(): number;
  /** It is to go off at this time at the latest; never for `Infinity`. */
  set(at: number): void;
  close(): void;
}

/** What `setTimeout` can wait for: some 24 days. */
const longestMs = 2 ** 31 - 1;

/** Creates a timer that calls `task` when it goes off, and may do so before. */
export function createTimer(clock: Clock, task: () => void): Timer {
  let dueAt = Number.POSITIVE_INFINITY;
  let cancel: Undo = () => undefined;
  let floor = 0;

  function now(): number {
    return Math.max(floor, clock.now());
  }

  function clear(): void {
    cancel();
    dueAt = Number.POSITIVE_INFINITY;
  }

  return {
    now,
    set(at) {
      if (at === Number.POSITIVE_INFINITY) {
        if (dueAt !== at) clear();
        return;
      }
      // One that goes off early is set again, which costs less than to set it for each message.
      if (dueAt <= at) return;
      cancel();
      const delayMs = Math.min(longestMs, Math.max(0, at - now()));
      dueAt = now() + delayMs;
      cancel = clock.after(delayMs, () => {
        floor = dueAt;
        dueAt = Number.POSITIVE_INFINITY;
        task();
      });
    },
    close: clear,
  };
}
