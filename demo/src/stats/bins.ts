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

/** Bins sorted values at round edges; as many as the square root of their number, between 6 and `maxBins`. */
export function binValues(sorted: readonly number[], maxBins = 28): Bins {
  const low = sorted[0] ?? 0;
  const high = sorted.at(-1) ?? 0;
  if (low === high) return { start: low, step: 1, counts: [sorted.length] };
  const whole = sorted.every(Number.isInteger);
  const target = Math.min(maxBins, Math.max(6, Math.ceil(Math.sqrt(sorted.length))));
  const step = whole ? Math.max(1, roundStep(high - low, target)) : roundStep(high - low, target);
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
