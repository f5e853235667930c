import { roundStep } from "../stats/bins.ts";
import { round } from "../stats/round.ts";

/** Maps values of a domain to positions. */
export type Scale = (value: number) => number;

/** The linear scale from a domain to a range; an empty domain maps to the range's middle. */
export function linearScale([d0, d1]: readonly [number, number], [r0, r1]: readonly [number, number]): Scale {
  if (d0 === d1) return () => (r0 + r1) / 2;
  return (value) => r0 + ((value - d0) / (d1 - d0)) * (r1 - r0);
}

/** Round values within a domain, about `count` of them. */
export function ticks([low, high]: readonly [number, number], count: number): number[] {
  if (low === high) return [low];
  const step = roundStep(high - low, count);
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step);
  return Array.from({ length: last - first + 1 }, (_, i) => round((first + i) * step));
}
