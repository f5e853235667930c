import { round } from "./round.ts";

/** Bins of equal width: bin `i` begins at `start + i * step` and holds `counts[i]` values; the last one is closed. */
export interface Bins {
  start: number;
  step: number;
  counts: number[];
}

/** The round width (1, 2 or 5 times a power of ten) that cuts `span` into about `target` parts. */
export function roundStep(span: number, target: number): number {
  const raw = span / target;
  const power = 10 ** Math.floor(Math.log10(raw));
  const factor = raw / power;
  return round(
    power * (factor < Math.SQRT2 ? 1 : factor < Math.sqrt(10) ? 2 : factor < Math.sqrt(50) ? 5 : 10),
  );
}

/** Values closer together than this, relative to their size, fall between the edges that a double can name. */
const leastSpread = 1e-9;

/** Bins sorted values at round edges; as many as the square root of their number, between 6 and `maxBins`. */
export function binValues(sorted: readonly number[], maxBins = 28): Bins {
  const low = sorted[0] ?? 0;
  const high = sorted.at(-1) ?? 0;
  const span = high - low;
  if (
    span <= Math.max(Math.abs(low), Math.abs(high)) * leastSpread ||
    span < Number.MIN_VALUE / Number.EPSILON
  ) {
    return { start: low, step: span || 1, counts: [sorted.length] };
  }
  const whole = sorted.every(Number.isInteger);
  const target = Math.min(maxBins, Math.max(6, Math.ceil(Math.sqrt(sorted.length))));
  const step = whole ? Math.max(1, roundStep(span, target)) : roundStep(span, target);
  const first = Math.floor(low / step);
  // Whole numbers in steps of one are values of their own, so the greatest has a bin to itself.
  const last = whole && step === 1 ? high : Math.max(first, Math.ceil(high / step) - 1);
  const counts = Array.from({ length: last - first + 1 }, () => 0);
  for (const value of sorted) {
    const at = Math.min(counts.length - 1, Math.max(0, Math.floor(value / step) - first));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return { start: round(first * step), step, counts };
}
