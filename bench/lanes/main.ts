import { measureMemory, measureOpening } from "./opening.ts";
import { measureReading } from "./reading.ts";
import { measureSizes } from "./sizes.ts";
import { measureWriting } from "./writing.ts";

const runs = Number(process.env.BENCH_RUNS ?? 5);

/** Prints the figures of lanes; `session` is the path of the built `session.ts`. */
export async function main(session: string): Promise<void> {
  console.log(`Node ${process.version}, medians of ${runs} runs, with the range.`);
  await measureWriting(runs);
  await measureReading(runs);
  await measureSizes();
  measureMemory(runs, session);
  measureOpening(runs, session);
}
