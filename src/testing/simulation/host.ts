import { type Clock, createEmitter, type Undo } from "../../base/index.ts";
import type { Timeline } from "./timeline.ts";

/** A process that can be killed: its timers die with it. */
export interface Host {
  readonly name: string;
  readonly alive: boolean;
  /** Whether a timer of its clock is running. */
  readonly isWaiting: boolean;
  readonly clock: Clock;
  /** Schedules something that happens only if the process is still there. */
  after(delayMs: number, label: string, task: () => void): Undo;
  kill(): void;
  onKill(listener: () => void): Undo;
}

/** Creates a process; `latenessMs` says how much later than asked for each of its timers goes off. */
export function createHost(timeline: Timeline, name: string, latenessMs: () => number = () => 0): Host {
  const killed = createEmitter<void>();
  const timers = new Set<object>();
  let alive = true;

  function after(delayMs: number, label: string, task: () => void): Undo {
    if (!alive) return () => {};
    return timeline.after(delayMs, `${name}: ${label}`, () => {
      if (alive) task();
    });
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
      now: () => timeline.now(),
      after(delayMs, task) {
        const timer = {};
        timers.add(timer);
        const cancel = after(delayMs + latenessMs(), "timer", () => {
          timers.delete(timer);
          task();
        });
        return () => {
          timers.delete(timer);
          cancel();
        };
      },
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
