import { createSimulatedRandom } from "../simulation/random.ts";
import type { RelayCode } from "../simulation/relay.ts";
import { createSimulation } from "../simulation/simulation.ts";
import { kindOf, type RunFailure } from "./failure.ts";
import { reportOf } from "./report.ts";
import type { Scenario, World } from "./scenario.ts";
import { shrink } from "./shrink.ts";

export interface ExploreOptions<Step, Storage, Attachment> extends World {
  /** The relay's code: `{ createStorage: createInMemoryStorage, createCore: createRoomCore }` of `flockstate/edge`. */
  relay: RelayCode<Storage, Attachment>;
  /** How many seeds, from 0 on, or which. Default 100. */
  seeds?: number | readonly (number | string)[];
  /** `process.env`: its `FLOCKSTATE_SEED` is the only seed then, and its `FLOCKSTATE_SEEDS` the number of them. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Played in place of those that are drawn: the steps of an earlier failure. */
  steps?: readonly Step[];
  /** How many runs the shrinking of a failure may take; 0 for none. Default 200. */
  shrinkRuns?: number;
  /** No run begins after this many milliseconds of the machine's time. Default: no such bound. */
  budgetMs?: number;
  /** Ends between two runs, with the signal's reason. */
  signal?: AbortSignal;
  onProgress?(progress: Progress): void;
  /** How many lines of the trace a report shows. Default 20. */
  traceLines?: number;
}

/** How far an exploration has come, told after each run. */
export interface Progress {
  seed: number | string;
  /** Seeds that passed. */
  passed: number;
  /** Runs of the shrinking so far; 0 while no seed has failed. */
  shrinkRuns: number;
}

/** What an exploration without a failure saw. */
export interface Exploration {
  /** The seeds that were played, which are fewer than asked for where the time was up. */
  seeds: readonly (number | string)[];
  /** Events of all runs. */
  events: number;
  /** The fingerprint of each run, by its seed. */
  fingerprints: ReadonlyMap<number | string, string>;
}

/** A seed that failed; its message is the report. */
export class ExplorationError<Step = unknown> extends Error {
  override readonly name = "ExplorationError";
  readonly seed: number | string;
  /** The smallest list of steps that fails: `explore` plays it again as `steps`. */
  readonly steps: readonly Step[];

  constructor(
    message: string,
    { seed, steps, cause }: { seed: number | string; steps: readonly Step[]; cause: unknown },
  ) {
    super(message, { cause });
    this.seed = seed;
    this.steps = steps;
  }
}

/**
 * Plays a scenario for each seed. The first that fails is played again with fewer and simpler steps for as long as the
 * failure is of the same kind (the same code, else the same message but for names and numbers).
 *
 * @throws ExplorationError whose message is the report: seed, steps, failure, trace, and how to run it again.
 * @example
 * ```ts
 * const overdrawn: Scenario<number> = {
 *   plan: (random) => Array.from({ length: 20 }, () => random.between(-9, 9)),
 *   async play(_simulation, payments) {
 *     if (payments.some((payment) => payment < -8)) throw new Error("the account is overdrawn");
 *   },
 * };
 * const relay = { createStorage: createInMemoryStorage, createCore: createRoomCore };
 * const failure = await explore(overdrawn, { relay, seeds: 20 }).catch((error: ExplorationError) => error.steps);
 * failure; // [-9], one of twenty payments
 * ```
 */
export async function explore<Step, Storage, Attachment>(
  scenario: Scenario<Step>,
  options: ExploreOptions<Step, Storage, Attachment>,
): Promise<Exploration> {
  const { relay, shrinkRuns = 200, budgetMs = Number.POSITIVE_INFINITY, traceLines = 20, signal } = options;
  const describe = (step: Step): string => scenario.describe?.(step) ?? JSON.stringify(step);
  const startedAt = performance.now();
  const fingerprints = new Map<number | string, string>();
  let events = 0;

  const isOver = (): boolean => performance.now() - startedAt >= budgetMs;

  /** Plays steps in a new world; undefined where nothing failed. */
  async function run(seed: number | string, steps: readonly Step[]): Promise<RunFailure | undefined> {
    signal?.throwIfAborted();
    const trace: string[] = [];
    const simulation = createSimulation({
      ...worldOf(options),
      ...scenario.world?.(createSimulatedRandom(seed)),
      seed,
      relay,
      trace(line) {
        trace.push(line);
        if (trace.length > 2 * traceLines) trace.splice(0, trace.length - traceLines);
      },
    });
    const fail = (error: unknown): RunFailure => ({
      error,
      kind: kindOf(error),
      trace: trace.slice(-traceLines),
    });
    try {
      await scenario.play(simulation, steps);
      fingerprints.set(seed, simulation.fingerprint);
      const [use] = simulation.realWorld;
      return use === undefined ? undefined : fail(new Error(realWorldMessage(simulation.realWorld)));
    } catch (error) {
      return fail(error);
    } finally {
      events += simulation.events;
      await simulation.close();
    }
  }

  async function report(
    seed: number | string,
    drawn: readonly Step[],
    first: RunFailure,
  ): Promise<ExplorationError<Step>> {
    let failure = first;
    let runs = 0;
    const isCutShort = (): boolean => runs >= shrinkRuns || isOver();
    const steps = await shrink(drawn, {
      simplify: (step) => scenario.simplify?.(step) ?? [],
      isOver: isCutShort,
      async fails(candidate) {
        runs++;
        const found = await run(seed, candidate);
        options.onProgress?.({ seed, passed: fingerprints.size, shrinkRuns: runs });
        if (found?.kind !== first.kind) return false;
        failure = found;
        return true;
      },
    });
    const hasEnvironment = options.environment !== undefined;
    const parts = { seed, drawn: drawn.length, steps, failure, runs, isCutShort: isCutShort() };
    const message = reportOf({ ...parts, describe, hasEnvironment });
    return new ExplorationError(message, { seed, steps, cause: failure.error });
  }

  for (const seed of seedsOf(options)) {
    if (isOver()) break;
    const steps = options.steps ?? scenario.plan(createSimulatedRandom(seed));
    const failure = await run(seed, steps);
    if (failure) throw await report(seed, steps, failure);
    options.onProgress?.({ seed, passed: fingerprints.size, shrinkRuns: 0 });
  }
  return { seeds: [...fingerprints.keys()], events, fingerprints };
}

function worldOf({ latency, tabChannels, watchRealWorld }: World): World {
  return {
    ...(latency && { latency }),
    ...(tabChannels && { tabChannels }),
    ...(watchRealWorld !== undefined && { watchRealWorld }),
  };
}

function realWorldMessage(uses: readonly string[]): string {
  return [
    "What no seed decides was used: take time and timers from the replica's clock, randomness from the simulation,",
    ...uses.map((use) => `  ${use}`),
  ].join("\n");
}

/** The seeds of an exploration: one, or that many, as the environment says; else those that were asked for. */
export function seedsOf({
  seeds = 100,
  environment = {},
}: Pick<ExploreOptions<never, never, never>, "seeds" | "environment">): readonly (number | string)[] {
  const only = environment["FLOCKSTATE_SEED"];
  if (only !== undefined) return [/^\d+$/.test(only) ? Number(only) : only];
  const wanted = environment["FLOCKSTATE_SEEDS"];
  if (wanted === undefined && typeof seeds !== "number") return seeds;
  const pinned = typeof seeds === "number" ? [] : seeds;
  const count = wanted === undefined ? Number(seeds) : Number(wanted);
  return [...new Set([...pinned, ...Array.from({ length: count }, (_, index) => index)])];
}
