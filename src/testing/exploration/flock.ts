import { createSimulatedRandom, type SimulatedRandom } from "../simulation/random.ts";
import type { SimulatedReplica } from "../simulation/replica.ts";
import type { Simulation } from "../simulation/simulation.ts";
import { defaultFaults, type FaultMix, type FaultName, faultNames, faults } from "./faults.ts";
import { describeStep, type FlockStep, simplifyStep } from "./flock-step.ts";
import { createMember, type FlockReplica, type Furnished, type Member } from "./member.ts";
import type { Scenario, World } from "./scenario.ts";
import { type SettleOptions, settle } from "./settle.ts";

/** Whom `open` opens a replica for. */
export interface Opening {
  simulation: Simulation;
  /** The replica's name; of a copied profile's, the name of the one that it is a copy of. */
  name: string;
  /** Kills the tab, as what runs in it may, and opens it again; does nothing once the tab is gone or all has healed. */
  reload(): void;
}

/** A flock of replicas: who they are, what they do, what befalls them, and what must hold. */
export interface FlockDefinition<M extends Furnished> {
  /** Who is there. */
  replicas: readonly (string | FlockReplica)[];
  /** Opens a replica's room and agents; called again after every crash. */
  open(replica: SimulatedReplica, opening: Opening): Promise<M>;
  /** What an open replica does, by name; what it draws is the step's own. */
  acts: Readonly<Record<string, (member: M, random: SimulatedRandom) => unknown>>;
  /** How likely each act is beside others and beside faults. Default 30 each. */
  weights?: Readonly<Record<string, number>>;
  /** How likely each fault is. Default `defaultFaults`. */
  faults?: FaultMix;
  /** How many steps a run has. Default 40. */
  steps?: number;
  /** The longest usual pause between two steps, in milliseconds; a tenth of them are up to 50 times as long. Default 400. */
  paceMs?: number;
  /** What the world is like besides. */
  world?: World;
  /** False for a relay that is never there. Default true. */
  relay?: boolean;
  /** What must hold once all has healed and the rooms are equal: it throws until it does. */
  check?(members: readonly M[]): unknown;
  /** Looked at after each step: it throws what must never be. */
  watch?(members: readonly M[]): void;
  /** Told of each fault as it begins. */
  onFault?(step: FlockStep): void;
  /** What the rooms must agree on besides state, messages and agents. */
  views?: SettleOptions["views"];
}

/** What a definition is made from: it is asked for anew in each run, so that runs share nothing. */
export type FlockSetup<M extends Furnished> = (random: SimulatedRandom) => FlockDefinition<M>;

const usualWeight = 30;
const usualSteps = 40;
const usualPaceMs = 400;
const lullFactor = 50;
const lastActs = 4;
/** About what a disk and a frame take together. */
const lastMs = 100;

/**
 * Makes a scenario of a flock: its replicas act and faults befall them, as drawn; then everything heals, all of them come
 * back, and they must become quiet and equal and pass the check.
 *
 * @example
 * ```ts
 * const tallies = defineFlock(() => ({
 *   replicas: ["alice", "bob", "carol"],
 *   async open(replica) {
 *     return { room: await replica.open("lab", { state: { tally: list<number>() } }) };
 *   },
 *   acts: { count: ({ room }, random) => void room.state.tally.push(random.below(10)) },
 * }));
 * const relay = { createStorage: createInMemoryStorage, createCore: createRoomCore };
 * const { seeds } = await explore(tallies, { relay, seeds: 3 });
 * seeds; // [0, 1, 2]
 * ```
 */
export function defineFlock<M extends Furnished>(setup: FlockSetup<M>): Scenario<FlockStep> {
  const define = (random: SimulatedRandom): FlockDefinition<M> => setup(random.fork("setup"));
  return {
    world: (random) => define(random).world ?? {},
    plan: (random) => drawSteps(define(random), random.fork("steps")),
    play: (simulation, steps) => play(define(simulation.random), simulation, steps),
    describe: describeStep,
    simplify: simplifyStep,
  };
}

function drawSteps<M extends Furnished>(
  definition: FlockDefinition<M>,
  random: SimulatedRandom,
): readonly FlockStep[] {
  const { acts, weights = {}, steps = usualSteps, paceMs = usualPaceMs, relay = true } = definition;
  const mix = definition.faults ?? defaultFaults;
  const names = definition.replicas.map((each) => (typeof each === "string" ? each : each.name));
  const possible = faultNames.filter((name) => relay || faults[name].isLocal);
  const bag: [name: string, weight: number][] = [
    ...Object.keys(acts).map((name): [string, number] => [name, weights[name] ?? usualWeight]),
    ...possible.map((name): [string, number] => [name, mix[name] ?? 0]),
  ];
  const total = bag.reduce((sum, [, weight]) => sum + weight, 0);

  function pickName(): string {
    let left = random.fraction() * total;
    return (bag.find(([, weight]) => {
      left -= weight;
      return left < 0;
    }) ?? (bag[0] as [string, number]))[0];
  }

  function drawAct(afterMs: number, does: string): FlockStep {
    return { afterMs, does, on: random.pick(names), draw: random.below(10_000) };
  }

  function draw(afterMs: number): FlockStep {
    const does = pickName();
    if (does in acts) return drawAct(afterMs, does);
    const fault = faults[does as FaultName];
    return { afterMs, does, ...(fault.isLocal && { on: random.pick(names) }), ...fault.draw(random) };
  }

  /** What a crash at the very end loses, no later change gives away. */
  function drawLast(): FlockStep[] {
    const last = Array.from({ length: random.below(lastActs + 1) }, () =>
      drawAct(random.between(0, paceMs), random.pick(Object.keys(acts))),
    );
    const dying = names.filter(() => random.chance(0.4));
    const pauseMs = random.between(0, lastMs);
    return [
      ...last,
      ...dying.map(
        (on, index): FlockStep => ({ afterMs: index === 0 ? pauseMs : 0, does: "crash", on, forMs: 0 }),
      ),
    ];
  }

  const drawn = Array.from({ length: steps }, () => {
    const isLull = random.chance(0.1);
    return draw(random.between(0, isLull ? lullFactor * paceMs : paceMs));
  });
  return mix.crash ? [...drawn, ...drawLast()] : drawn;
}

/** Something that ends later. */
interface Ending {
  at: number;
  end(): void;
}

async function play<M extends Furnished>(
  definition: FlockDefinition<M>,
  simulation: Simulation,
  steps: readonly FlockStep[],
): Promise<void> {
  const {
    acts,
    open,
    relay = true,
    check = () => {},
    watch = () => {},
    onFault = () => {},
    views,
  } = definition;
  let storageFails = false;
  let isHealed = false;
  const members: Member<M>[] = [];
  let endings: Ending[] = [];

  function join(replica: FlockReplica, name = replica.name): void {
    const member = createMember<M>({
      simulation,
      replica,
      furnish: (tab) => open(tab, { simulation, name, reload: () => reload(member, tab) }),
      storageFails: () => storageFails,
    });
    members.push(member);
    member.open();
  }

  function reload(member: Member<M>, tab: SimulatedReplica): void {
    if (isHealed || member.replica !== tab) return;
    member.crash();
    member.open();
  }

  const furnished = (of: readonly Member<M>[]): M[] => of.flatMap((member) => member.furnished ?? []);

  function verify(): void {
    const failure = members.flatMap(({ failures }) => failures)[0];
    if (failure !== undefined) throw failure;
    watch(furnished(members));
  }

  function begin(step: FlockStep, name: FaultName): void {
    const fault = faults[name];
    const member = members.find((each) => each.name === step.on);
    const neighbours = members.filter(({ browser }) => browser === member?.browser);
    storageFails ||= fault.isOfStorage === true;
    onFault(step);
    const addCopy = (of: Member, browser: string): void =>
      join({ name: `${of.name} in ${browser}`, browser, leaves: of.leaves }, of.name);
    const end = fault.begin({ simulation, member, neighbours, step, addCopy });
    if (end && step.forMs !== undefined) endings.push({ at: simulation.now() + step.forMs, end });
  }

  function perform(step: FlockStep): void {
    const act = acts[step.does];
    if (!act) {
      begin(step, step.does as FaultName);
      return;
    }
    const member = members.find(({ name }) => name === step.on);
    // One that is gone does nothing: a step must not change what others mean.
    if (member?.furnished) act(member.furnished, createSimulatedRandom(`${step.does} ${step.draw}`));
  }

  /** Lets time pass, and ends what ends meanwhile. */
  async function pass(ms: number): Promise<void> {
    const until = simulation.now() + ms;
    for (;;) {
      const next = endings.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      endings = endings.filter((each) => each !== next);
      await simulation.advance(Math.max(0, next.at - simulation.now()));
      next.end();
    }
    await simulation.advance(until - simulation.now());
  }

  async function heal(): Promise<void> {
    isHealed = true;
    for (const { end } of endings.splice(0)) end();
    const staying = members.filter(({ leaves }) => !leaves);
    for (const member of members) if (member.leaves) member.crash();
    simulation.heal();
    if (!relay) simulation.relay.crash();
    for (const member of staying) member.open();
    await simulation.untilTrue(() =>
      staying.every((member) => member.furnished ?? member.failures.length > 0),
    );
    verify();
    const rooms = Object.fromEntries(staying.flatMap(({ name, room }) => (room ? [[name, room]] : [])));
    await settle(simulation, rooms, {
      relay,
      ...(views && { views }),
      check: async () => {
        verify();
        await check(furnished(staying));
      },
    });
  }

  if (!relay) simulation.relay.crash();
  for (const each of definition.replicas) join(typeof each === "string" ? { name: each } : each);
  for (const step of steps) {
    await pass(step.afterMs);
    perform(step);
    verify();
  }
  await heal();
}
