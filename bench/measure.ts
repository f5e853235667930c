import { performance } from "node:perf_hooks";

/** One figure over several runs. */
export interface Figure {
  name: string;
  unit: string;
  runs: number[];
}

/** The middle of the runs. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Operations a second of a task that does `count` of them. */
export async function rate(count: number, task: () => unknown): Promise<number> {
  const start = performance.now();
  await task();
  return (count / (performance.now() - start)) * 1000;
}

/** The median time of `count` tasks one after another, in microseconds. */
export async function latencyUs(count: number, task: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    await task();
    times.push((performance.now() - start) * 1000);
  }
  return median(times);
}

/** Prints ours beside its limit: medians, the spread, and the ratio of the medians. */
export function report(title: string, ours: Figure, limit: Figure): void {
  const [a, b] = [median(ours.runs), median(limit.runs)];
  console.log(`\n${title}`);
  for (const { name, unit, runs } of [ours, limit]) {
    console.log(
      `  ${name.padEnd(44)} ${format(median(runs)).padStart(10)} ${unit}   (${format(Math.min(...runs))} to ${format(Math.max(...runs))})`,
    );
  }
  console.log(`  ratio ${(a / b).toFixed(a / b < 0.1 ? 3 : 2)}`);
}

function format(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1);
}
