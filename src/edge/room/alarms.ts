import type { Clock, Undo } from "../../base/index.ts";

/** What a room has deadlines for. */
export type Deadline = "expiry" | "stalled" | "compaction" | "retention";

/** The deadlines of a room, on the host's one alarm: unlike a timer, an alarm lets the room sleep. */
export interface Alarms {
  /** Sets, moves or with undefined clears a deadline. */
  set(deadline: Deadline, atMs: number | undefined): void;
  /** The host's alarm has rung: it is set no more. */
  rang(): void;
  /** Takes those that have come. */
  takeDue(): Deadline[];
  stop(): void;
}

/** Platforms run a timer that is set further ahead at once ... */
const longestMs = 2 ** 31 - 1;
/** ... and take no alarm past the year 2189. */
const latestMs = 6_900_000_000_000;

export interface AlarmsOptions {
  clock: Clock;
  /** The host's alarm; without it the clock's timers serve. */
  setAlarm: ((atMs: number | undefined) => void) | undefined;
  /** The alarm has come: for timers only, since a host calls the room itself. */
  ring(): void;
}

/** Creates the deadlines of a room; none is set. */
export function createAlarms({ clock, setAlarm, ring }: AlarmsOptions): Alarms {
  const deadlines = new Map<Deadline, number>();
  let armedAt: number | undefined;
  let cancel: Undo | undefined;

  function arm(): void {
    const earliest = deadlines.size === 0 ? undefined : Math.min(...deadlines.values());
    if (earliest === armedAt) return;
    armedAt = earliest;
    // One that comes before any deadline is set again.
    if (setAlarm) {
      setAlarm(earliest === undefined ? undefined : Math.min(earliest, latestMs));
      return;
    }
    cancel?.();
    const delayMs = Math.min(Math.max(0, (earliest ?? 0) - clock.now()), longestMs);
    cancel = earliest === undefined ? undefined : clock.after(delayMs, wake);
  }

  function wake(): void {
    armedAt = undefined;
    ring();
  }

  return {
    set(deadline, atMs) {
      if (deadlines.get(deadline) === atMs) return;
      if (atMs === undefined) deadlines.delete(deadline);
      else deadlines.set(deadline, atMs);
      arm();
    },
    rang() {
      armedAt = undefined;
    },
    takeDue() {
      const now = clock.now();
      const due = [...deadlines].filter(([, atMs]) => atMs <= now).map(([deadline]) => deadline);
      for (const deadline of due) deadlines.delete(deadline);
      arm();
      return due;
    },
    stop() {
      cancel?.();
      cancel = undefined;
    },
  };
}
