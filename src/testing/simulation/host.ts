import { type Clock, createEmitter, type Undo } from "../../base/index.ts";
import type { Timeline } from "./timeline.ts";

/** A process that can be killed: its timers die with it. */
export interface Host {
  readonly name: string;
  readonly alive: boolean;
  readonly clock: Clock;
  /** Schedules something that happens only if the process is still there. */
  after(delayMs: number, label: string, task: () => void): Undo;
  kill(): void;
  onKill(listener: () => void): Undo;
}

/** Creates a process; `latenessMs` says how much later than asked for each of its timers goes off. */
export function createHost(timeline: Timeline, name: string, latenessMs: () => number = () => 0): Host {
  const killed = createEmitter<void>();
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
    clock: {
      now: () => timeline.now(),
      after: (delayMs, task) => after(delayMs + latenessMs(), "timer", task),
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
