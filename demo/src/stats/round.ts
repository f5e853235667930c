/** Rounds to 10 significant digits, so that engines whose mathematics differ in the last bits agree. */
export function round(value: number): number {
  return Number(value.toPrecision(10));
}
