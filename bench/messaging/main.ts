import { measureInProcess } from "./in-process.ts";
import { measureRelay, type StartRelay } from "./relay.ts";
import { measureTabs } from "./tabs.ts";

export interface BenchOptions {
  runs: number;
  startRelay: StartRelay;
  /** Which parts to measure. */
  parts: readonly string[];
}

/** Prints every figure of messages as Markdown. */
export async function main({ runs, startRelay, parts }: BenchOptions): Promise<void> {
  console.log(`Node ${process.version}, medians of ${runs} runs, with the range.`);
  const tasks = new Map<string, () => Promise<void>>([
    ["in-process", () => measureInProcess(runs)],
    ["tabs", () => measureTabs(runs)],
    ["relay", () => measureRelay(runs, startRelay)],
  ]);
  for (const [name, task] of tasks) if (parts.length === 0 || parts.includes(name)) await task();
}
