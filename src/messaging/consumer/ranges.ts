/**
 * Whole numbers as `[from, to, from, to, …]`, ascending and apart, each up to and without `to`. Changed in place: a
 * consumer's position changes with every message.
 */
export type Ranges = number[];

/** Tells whether a number is in one of them. */
export function contains(ranges: readonly number[], value: number): boolean {
  for (let at = 0; at < ranges.length; at += 2) {
    if (value < (ranges[at] as number)) return false;
    if (value < (ranges[at + 1] as number)) return true;
  }
  return false;
}

/** Adds the numbers from `from` up to and without `to`; what touches is merged. */
export function include(ranges: Ranges, from: number, to: number): void {
  if (from >= to) return;
  let begin = ranges.length;
  while (begin > 0 && (ranges[begin - 1] as number) >= from) begin -= 2;
  let end = begin;
  let [first, last] = [from, to];
  for (; end < ranges.length && (ranges[end] as number) <= to; end += 2) {
    first = Math.min(first, ranges[end] as number);
    last = Math.max(last, ranges[end + 1] as number);
  }
  if (end === begin + 2) {
    ranges[begin] = first;
    ranges[begin + 1] = last;
  } else ranges.splice(begin, end - begin, first, last);
}

/** Takes out what lies below a floor or reaches up from it, and gives the floor that this makes. */
export function absorb(ranges: Ranges, floor: number): number {
  let raised = floor;
  let taken = 0;
  while (taken < ranges.length && (ranges[taken] as number) <= raised) {
    raised = Math.max(raised, ranges[taken + 1] as number);
    taken += 2;
  }
  if (taken > 0) ranges.splice(0, taken);
  return raised;
}
