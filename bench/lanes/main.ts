import { measureWriting } from "./writing.ts";

const runs = Number(process.env.BENCH_RUNS ?? 5);

export async function main(): Promise<void> {
  console.log(`Node ${process.version}, medians of ${runs} runs, with the range.`);
  await measureWriting(runs);
}
