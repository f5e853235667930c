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

/** What a task took by the wall, and of the processor in all threads, in microseconds. */
export async function spentUs(task: () => unknown): Promise<{ wall: number; processor: number }> {
  const before = process.cpuUsage();
  const start = performance.now();
  await task();
  const wall = (performance.now() - start) * 1_000;
  const { user, system } = process.cpuUsage(before);
  return { wall, processor: user + system };
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
  console.log(`\n${title}`);
  for (const figure of [ours, limit]) console.log(lineOf(figure));
  console.log(`  ratio ${ratioOf(ours, limit)}`);
}

/** Prints several beside one limit, each with its ratio. */
export function reportAll(title: string, figures: readonly Figure[], limit: Figure): void {
  console.log(`\n${title}`);
  console.log(lineOf(limit));
  for (const figure of figures) console.log(`${lineOf(figure)}   ratio ${ratioOf(figure, limit)}`);
}

function lineOf({ name, unit, runs }: Figure): string {
  const spread = `(${format(Math.min(...runs))} to ${format(Math.max(...runs))})`;
  return `  ${name.padEnd(44)} ${format(median(runs)).padStart(10)} ${unit}   ${spread}`;
}

function ratioOf(ours: Figure, limit: Figure): string {
  const ratio = median(ours.runs) / median(limit.runs);
  return ratio.toFixed(ratio < 0.1 ? 3 : 2);
}

function format(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1);
}
