import { type Clock, createEmitter, type Undo } from "../../base/index.ts";
import type { Timeline } from "./timeline.ts";

/** A process that can be killed: its timers die with it. */
export interface Host {
  readonly name: string;
  readonly alive: boolean;
  /** Whether a timer of its clock is running. */
  readonly isWaiting: boolean;
  readonly clock: Clock;
  /** How far its clock is ahead of the true time, in milliseconds; timers are not moved by it. */
  skewMs: number;
  /** While true its timers go off at whole minutes of the true time alone, as those of a hidden tab; what is overdue when it ends goes off at once. */
  hidden: boolean;
  /** Schedules something that happens only if the process is still there. */
  after(delayMs: number, label: string, task: () => void): Undo;
  kill(): void;
  onKill(listener: () => void): Undo;
}

interface Timer {
  cancel: Undo;
  /** Set while it is overdue in a hidden tab. */
  overdue: (() => void) | undefined;
}

const minuteMs = 60_000;

/** Creates a process; `latenessMs` says how much later than asked for each of its timers goes off. */
export function createHost(timeline: Timeline, name: string, latenessMs: () => number = () => 0): Host {
  const killed = createEmitter<void>();
  const timers = new Set<Timer>();
  let alive = true;
  let hidden = false;
  let skewMs = 0;

  function after(delayMs: number, label: string, task: () => void): Undo {
    if (!alive) return () => {};
    return timeline.after(delayMs, `${name}: ${label}`, () => {
      if (alive) task();
    });
  }

  function start(delayMs: number, task: () => void): Undo {
    const ring = (): void => {
      timers.delete(timer);
      task();
    };
    const timer: Timer = {
      overdue: undefined,
      cancel: after(delayMs, "timer", () => {
        if (!hidden) return ring();
        timer.overdue = ring;
        timer.cancel = after(minuteMs - (timeline.now() % minuteMs), "late timer", ring);
      }),
    };
    timers.add(timer);
    return () => {
      timers.delete(timer);
      timer.cancel();
    };
  }

  return {
    name,
    get alive() {
      return alive;
    },
    get isWaiting() {
      return timers.size > 0;
    },
    clock: {
      now: () => timeline.now() + skewMs,
      after: (delayMs, task) => start(delayMs + latenessMs(), task),
    },
    get skewMs() {
      return skewMs;
    },
    set skewMs(ms) {
      if (ms === skewMs) return;
      skewMs = ms;
      timeline.note(`${name}: its clock is ${ms} ms ahead`);
    },
    get hidden() {
      return hidden;
    },
    set hidden(value) {
      if (value === hidden) return;
      hidden = value;
      timeline.note(`${name}: ${value ? "hidden" : "shown"}`);
      if (hidden) return;
      for (const timer of timers) {
        if (!timer.overdue) continue;
        timer.cancel();
        timer.cancel = after(0, "overdue timer", timer.overdue);
      }
    },
    after,
    kill() {
      if (!alive) return;
      alive = false;
      timeline.note(`${name}: killed`);
      killed.emit();
    },
    onKill: (listener) => killed.on(listener),
  };
}
