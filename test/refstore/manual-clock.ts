import type { Clock } from "../../src/base/index.ts";

/** A clock that stands still until it is told to move. */
export interface ManualClock extends Clock {
  /** Runs every timer that falls due within `ms`, in order. */
  advance(ms: number): void;
  /** Runs the next timer, however far ahead; false where there is none. */
  runNext(): boolean;
  /** Delays of the timers that are set, from now on. */
  delays(): number[];
}

export function createManualClock(startMs = 1_000): ManualClock {
  let now = startMs;
  const timers = new Set<{ at: number; task: () => void }>();

  const next = () => [...timers].sort((a, b) => a.at - b.at)[0];
  const run = (timer: { at: number; task: () => void }) => {
    timers.delete(timer);
    now = Math.max(now, timer.at);
    timer.task();
  };

  return {
    now: () => now,
    after(delayMs, task) {
      const timer = { at: now + delayMs, task };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    advance(ms) {
      const until = now + ms;
      for (let timer = next(); timer && timer.at <= until; timer = next()) run(timer);
      now = until;
    },
    runNext() {
      const timer = next();
      if (timer) run(timer);
      return timer !== undefined;
    },
    delays: () => [...timers].map((timer) => timer.at - now),
  };
}

/** Waits, a turn of the event loop at a time, until the condition holds. */
export async function until(holds: () => boolean | Promise<boolean>, what = "the condition"): Promise<void> {
  for (let turns = 0; turns < 20_000; turns++) {
    if (await holds()) return;
    await new Promise((resume) => setImmediate(resume));
  }
  throw new Error(`Waited in vain for ${what}.`);
}
