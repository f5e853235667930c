import { it } from "vitest";

const only = process.env["FLOCKSTATE_SEED"];
const chunk = 20;
const shownLines = 12;

/** The seeds of a run: `FLOCKSTATE_SEED=n` for one, `FLOCKSTATE_SEEDS=n` for that many, else `count`; pinned ones always. */
export function seedsFor(count: number, pinned: readonly number[] = []): number[] {
  if (only !== undefined) return [Number(only)];
  const wanted = Number(process.env["FLOCKSTATE_SEEDS"] ?? count);
  return [...new Set([...pinned, ...Array.from({ length: wanted }, (_, index) => index)])];
}

/** Runs a property for each seed, a few to a test; a failure names its seed and how to run it alone. */
export function forSeeds(
  title: string,
  seeds: readonly number[],
  check: (seed: number) => Promise<unknown>,
): void {
  for (let from = 0; from < seeds.length; from += chunk) {
    const some = seeds.slice(from, from + chunk);
    it(`${title} (seeds ${some[0]} to ${some.at(-1)})`, { timeout: 600_000 }, async () => {
      for (const seed of some) await withSeed(seed, check);
    });
  }
}

async function withSeed(seed: number, check: (seed: number) => Promise<unknown>): Promise<void> {
  try {
    await check(seed);
  } catch (failure) {
    const reason = (failure instanceof Error ? failure.message : String(failure))
      .split("\n")
      .slice(0, shownLines)
      .join("\n");
    throw new Error(`Seed ${seed} fails; run it alone with FLOCKSTATE_SEED=${seed}.\n${reason}`, {
      cause: failure,
    });
  }
}
