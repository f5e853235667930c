import type { Clock, Undo } from "../../base/index.ts";

/** One timer for whatever is next. */
export interface Timer {
  /** Milliseconds since the epoch by the wall as it was at first: it goes on where that is set back. */
  now(): number;
  /** When that will be at a time of the wall as it is now. */
  whenWallIs(ms: number): number;
  /** It is to go off at this time at the latest; never for `Infinity`. */
  set(at: number): void;
  close(): void;
}

/** What `setTimeout` can wait for: some 24 days. */
const longestMs = 2 ** 31 - 1;
/** Timers go off early by a millisecond or so, which is no reason to correct the wall. */
const jitterMs = 1_000;

/** Creates a timer that calls `task` when it goes off, and may do so before. */
export function createTimer(clock: Clock, task: () => void): Timer {
  let dueAt = Number.POSITIVE_INFINITY;
  let cancel: Undo = () => undefined;
  let latest = 0;
  /** By how much the wall was set back. */
  let behindMs = 0;

  function now(): number {
    const wall = clock.now();
    if (wall + behindMs < latest - jitterMs) behindMs = latest - wall;
    latest = Math.max(latest, wall + behindMs);
    return latest;
  }

  function clear(): void {
    cancel();
    dueAt = Number.POSITIVE_INFINITY;
  }

  return {
    now,
    whenWallIs: (ms) => now() + ms - clock.now(),
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
        latest = Math.max(now(), dueAt);
        dueAt = Number.POSITIVE_INFINITY;
        task();
      });
    },
    close: clear,
  };
}
