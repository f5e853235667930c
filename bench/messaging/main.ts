import { measureInProcess } from "./in-process.ts";
import { measureNats, type Nats } from "./peers.ts";
import { measureRelay, type StartRelay } from "./relay.ts";
import { measureRouting } from "./routing.ts";
import { measureTabs } from "./tabs.ts";

export interface BenchOptions {
  runs: number;
  startRelay: StartRelay;
  /** Undefined where this machine has none. */
  startNats(): Promise<Nats | undefined>;
  /** The path of the built `reader.ts`. */
  reader: string;
  /** Which parts to measure. */
  parts: readonly string[];
}

/** Prints every figure of messages as Markdown. */
export async function main({ runs, startRelay, startNats, reader, parts }: BenchOptions): Promise<void> {
  console.log(`Node ${process.version}, medians of ${runs} runs, with the range.`);
  const tasks = new Map<string, () => Promise<void>>([
    ["in-process", () => measureInProcess(runs)],
    ["tabs", () => measureTabs(runs)],
    ["routing", () => measureRouting(runs)],
    ["relay", () => measureRelay(runs, startRelay, reader)],
    ["nats", () => withNats(startNats, (nats) => measureNats(runs, nats))],
  ]);
  for (const [name, task] of tasks) if (parts.length === 0 || parts.includes(name)) await task();
}

async function withNats(
  start: BenchOptions["startNats"],
  task: (nats: Nats) => Promise<void>,
): Promise<void> {
  const nats = await start();
  try {
    if (nats) await task(nats);
  } finally {
    nats?.close();
  }
}
