import { it } from "vitest";
import { explore, type FlockStep, type Scenario } from "../../src/testing/index.ts";
import { relayCode } from "./flock.ts";

const only = process.env["FLOCKSTATE_SEED"];
const chunk = 20;

/**
 * The seeds of a run: `FLOCKSTATE_SEED=n` for one, `FLOCKSTATE_SEEDS=n` for that many from `FLOCKSTATE_FIRST` or 0 on, else
 * `count`; pinned ones always.
 */
export function seedsFor(count: number, pinned: readonly number[] = []): number[] {
  if (only !== undefined) return [Number(only)];
  const first = Number(process.env["FLOCKSTATE_FIRST"] ?? 0);
  const wanted = Number(process.env["FLOCKSTATE_SEEDS"] ?? count);
  return [...new Set([...pinned, ...Array.from({ length: wanted }, (_, index) => first + index)])];
}

/**
 * Checks a property for each seed, a few to a test; a failure names its seed and how to run it alone, and that of a
 * scenario is shrunk.
 */
export function forSeeds(
  title: string,
  seeds: readonly number[],
  property: Scenario<FlockStep> | ((seed: number) => Promise<unknown>),
): void {
  for (let from = 0; from < seeds.length; from += chunk) {
    const some = seeds.slice(from, from + chunk);
    it(`${title} (seeds ${some[0]} to ${some.at(-1)})`, { timeout: 600_000 }, async () => {
      if (typeof property === "function") for (const seed of some) await withSeed(seed, property);
      else await explore(property, { relay: relayCode, seeds: some, environment: {} });
    });
  }
}

async function withSeed(seed: number, check: (seed: number) => Promise<unknown>): Promise<void> {
  try {
    await check(seed);
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    throw new Error(`Seed ${seed} fails; run it alone with FLOCKSTATE_SEED=${seed}.\n${reason}`, {
      cause: failure,
    });
  }
}
