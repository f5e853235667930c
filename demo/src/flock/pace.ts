/** How long an analyst pauses before each task, in milliseconds: work that takes no time cannot be watched. */
export interface Pace {
  get(): number;
  set(ms: number): void;
}

/** The paces on offer. */
export const paces = [
  { label: "Full speed", ms: 0 },
  { label: "Watchable", ms: 280 },
  { label: "Slow", ms: 900 },
] as const;

const defaultPaceMs = 280;
const maxPaceMs = 10_000;

/** Creates the pace from the page's `?pace=` in milliseconds; 280 without one. */
export function createPace(asked: string | null): Pace {
  let current = readPace(asked);
  return {
    get: () => current,
    set(ms) {
      current = ms;
    },
  };
}

/** Reads a pace: whole milliseconds up to ten seconds, or the default. */
export function readPace(asked: string | null): number {
  if (asked === null || !/^\d{1,6}$/.test(asked)) return defaultPaceMs;
  return Math.min(maxPaceMs, Number(asked));
}
