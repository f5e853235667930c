import type { Random } from "../protocol/gate/random.ts";
import type { Death, Phase, Survey } from "./campaign.ts";

/** A step is waited for at most this many times ... */
const maxHits = 12;
/** ... and only its first time where it came less often than this in the survey, or it might not come. */
const rare = 40;
const maxMomentMs = 300;

/** Each step once: that of an alarm where there is something to compact, any other in the last phase but that. */
export function everyStep(survey: Survey, random: Random): Death[] {
  const seen = new Set<string>();
  return (["busy", "recovering", "creating", "bulky"] as const).flatMap((when) =>
    stepsOf(survey, when)
      .filter(([step]) => !seen.has(step))
      .map(([step, count]) => {
        seen.add(step);
        return { step, hits: count < rare ? 1 : 1 + random.below(maxHits), when };
      }),
  );
}

/** Steps of every phase, anything that comes after some steps, and moments; without end. */
export function* randomDeaths(survey: Survey, random: Random): Iterable<Death> {
  for (;;) {
    const kind = random.below(10);
    if (kind < 2) {
      yield { afterMs: random.below(maxMomentMs) };
      continue;
    }
    const when = random.pick(weighedPhases);
    const steps = stepsOf(survey, when);
    const total = steps.reduce((sum, [, count]) => sum + count, 0);
    const [step, count] = kind < 4 && when !== "bulky" ? ["*", total] : random.pick(steps);
    yield { step, hits: 1 + random.below(step === "*" ? total : Math.min(count, maxHits)), when };
  }
}

const weighedPhases: readonly Phase[] = [
  "creating",
  "recovering",
  "recovering",
  "bulky",
  "bulky",
  "busy",
  "busy",
  "busy",
];

/** The steps of a phase; of bulky writes those of the compaction that they lead to. */
function stepsOf(survey: Survey, when: Phase): [string, number][] {
  return Object.entries(survey[when]).filter(([step]) => step.startsWith("alarm/") === (when === "bulky"));
}
