import type { SimulatedRandom } from "../simulation/random.ts";
import type { Simulation, SimulationOptions } from "../simulation/simulation.ts";

/** What the world of a run is like, besides its seed and its relay. */
export type World = Pick<SimulationOptions<never, never>, "latency" | "tabChannels" | "watchRealWorld">;

/** What may be explored: steps that are drawn as data, and how they are played. */
export interface Scenario<Step> {
  /** Draws the world of a run; the same random source gives the same. Default: the simulation's own. */
  world?(random: SimulatedRandom): World;
  /** Draws the steps of a run. Whatever a step needs is in it, so that it means the same when others are gone. */
  plan(random: SimulatedRandom): readonly Step[];
  /** Plays the steps in a world of their own; what it throws is the failure. */
  play(simulation: Simulation, steps: readonly Step[]): Promise<unknown>;
  /** A step in words. Default its JSON. */
  describe?(step: Step): string;
  /** Simpler forms of a step, the simplest first. Default none. */
  simplify?(step: Step): Iterable<Step>;
}
