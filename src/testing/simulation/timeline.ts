import type { Undo } from "../../base/index.ts";
import { hashText } from "./random.ts";

/** Virtual time, and everything that is still to happen in it. */
export interface Timeline {
  /** Whole milliseconds since the epoch. */
  now(): number;
  /** Runs `task` once after `delayMs`, behind what is due at the same moment already. */
  after(delayMs: number, label: string, task: () => void): Undo;
  /** Runs the next event if it is due by `untilMs`; false where there is none. */
  step(untilMs: number): boolean;
  /** Moves on to a moment before which nothing is due. */
  skipTo(ms: number): void;
  /** Adds a line to the trace. */
  note(line: string): void;
  /** A hash of the trace so far: every event with its moment and label, and every note. */
  readonly fingerprint: string;
  /** How many events have run. */
  readonly events: number;
}

interface Scheduled {
  at: number;
  label: string;
  task: () => void;
}

/** A round moment, so that traces read well: 2030-01-01. */
const startMs = Date.UTC(2030, 0, 1);

/** Creates a timeline; `trace` hears each line as it is written. */
export function createTimeline(trace: (line: string) => void = () => {}): Timeline {
  let now = startMs;
  let events = 0;
  let hashes: [number, number] = [0, 0];
  /** By moment, and at one moment in the order of scheduling. */
  const scheduled: Scheduled[] = [];

  function note(text: string): void {
    const line = `${now - startMs} ${text}`;
    hashes = [hashText(`${hashes[0]}${line}`, 1), hashText(`${hashes[1]}${line}`, 2)];
    trace(line);
  }

  function placeOf(at: number): number {
    let low = 0;
    let high = scheduled.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((scheduled[middle] as Scheduled).at <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    now: () => now,
    after(delayMs, label, task) {
      const event: Scheduled = { at: now + Math.max(0, Math.ceil(delayMs)), label, task };
      scheduled.splice(placeOf(event.at), 0, event);
      return () => {
        const place = scheduled.indexOf(event);
        if (place >= 0) scheduled.splice(place, 1);
      };
    },
    step(untilMs) {
      const next = scheduled[0];
      if (!next || next.at > untilMs) return false;
      scheduled.shift();
      now = next.at;
      events++;
      note(next.label);
      next.task();
      return true;
    },
    skipTo(ms) {
      now = Math.max(now, ms);
    },
    note,
    get fingerprint() {
      return hashes.map((hash) => hash.toString(16).padStart(8, "0")).join("");
    },
    get events() {
      return events;
    },
  };
}
