import { FlockError } from "./errors.ts";

/** Undoes a registration; calling it twice is safe. */
export type Undo = () => void;

/** The time and timers that a component may use; tests and the simulator hand in their own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `task` once after `delayMs`; the result cancels it. */
  after(delayMs: number, task: () => void): Undo;
}

/** The clock of the machine; in Node its timers never keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, task) {
    const timer: unknown = setTimeout(task, delayMs);
    if (typeof timer === "object" && timer !== null && "unref" in timer) (timer as { unref(): void }).unref();
    return () => clearTimeout(timer as ReturnType<typeof setTimeout>);
  },
};

/**
 * A point of hybrid logical time in one safe integer: `milliseconds * 1024 + counter`.
 * Integers of this form compare as times do and last until the year 2248.
 */
export type Timestamp = number;

const ticksPerMs = 1024;
/** How far ahead of the wall a foreign clock may pull ours. */
export const maxClockDriftMs = 60_000;

/** Milliseconds since the epoch of a hybrid timestamp. */
export function timestampToMs(timestamp: Timestamp): number {
  return Math.floor(timestamp / ticksPerMs);
}

/** The first hybrid timestamp of a millisecond. */
export function timestampFromMs(ms: number): Timestamp {
  return Math.floor(ms) * ticksPerMs;
}

/** Kulkarni et al., "Logical Physical Clocks" (2014), with the counter in the low ten bits. */
export interface HybridClock {
  /** The next timestamp: later than every one this clock has given or accepted. */
  tick(): Timestamp;
  /** Takes note of a timestamp from elsewhere, at most 60 s ahead of the wall; returns the clock's own. */
  observe(timestamp: Timestamp): Timestamp;
  /** The latest timestamp given or accepted. */
  latest(): Timestamp;
}

/**
 * Creates a hybrid logical clock over a wall clock.
 *
 * @throws `base/invalid-timestamp` from `observe` when the value is no safe, non-negative integer.
 * @example
 * ```ts
 * const clock = createHybridClock({ now: () => 1000 });
 * const first = clock.tick();
 * clock.tick() > first; // true, although the wall stands still
 * ```
 */
export function createHybridClock(wall: Pick<Clock, "now">, latest: Timestamp = 0): HybridClock {
  let last = latest;
  return {
    tick() {
      last = Math.max(last + 1, timestampFromMs(wall.now()));
      return last;
    },
    observe(timestamp) {
      if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
        throw new FlockError(
          "base/invalid-timestamp",
          `The timestamp ${timestamp} is no safe, non-negative integer.`,
        );
      }
      last = Math.max(last, Math.min(timestamp, timestampFromMs(wall.now() + maxClockDriftMs)));
      return last;
    },
    latest: () => last,
  };
}
