import { type RunFailure, wordsOf } from "./failure.ts";

/** What a report is made of. */
export interface ReportParts<Step> {
  seed: number | string;
  /** How many steps were drawn. */
  drawn: number;
  /** The smallest list of them that fails. */
  steps: readonly Step[];
  failure: RunFailure;
  /** How many runs the shrinking took. */
  runs: number;
  /** Whether it ended before its time. */
  isCutShort: boolean;
  describe(step: Step): string;
  /** Whether seeds are read from the environment. */
  hasEnvironment: boolean;
}

/** What is told of a failing seed: everything that a reader needs to see it and to run it again. */
export function reportOf<Step>(parts: ReportParts<Step>): string {
  const { seed, drawn, steps, failure, runs, isCutShort, describe, hasEnvironment } = parts;
  const effort = `${runs} ${runs === 1 ? "run" : "runs"} of shrinking${isCutShort ? ", cut short" : ""}`;
  const again = hasEnvironment ? `FLOCKSTATE_SEED=${seed}` : `seeds: [${JSON.stringify(seed)}]`;
  return [
    `Seed ${seed} fails: ${wordsOf(failure.error)}`,
    "",
    `${steps.length} of ${drawn} steps are needed (${effort}):`,
    ...steps.map((step, index) => `  ${index + 1}. ${describe(step)}`),
    "",
    "The last lines of the trace:",
    ...failure.trace.map((line) => `  ${line}`),
    "",
    `Run it again with ${again}.`,
  ].join("\n");
}
