import * as z from "zod/mini";
import { list, map, table, text } from "../../src/index.ts";
import type { SimulatedLatency, SimulatedRandom, TabChannelFaults } from "../../src/testing/index.ts";

export const state = {
  notes: text(),
  board: map<number>(),
  log: list<string>(),
  /** Nothing is ever deleted here: what was kept must be there. */
  kept: list<string>(),
  rows: table(z.object({ id: z.string(), value: z.number() }), { key: "id" }),
};

export type FlockState = typeof state;

/** A durable consumer of an agent. */
export interface PlannedConsumer {
  name: string;
  topic: string | undefined;
}

/** One replica of the flock, over all its restarts. */
export interface PlannedMember {
  name: string;
  browser: string;
  /** Whom its tokens speak for, over the loss of its browser too. */
  principal: string;
  agents: readonly string[];
  /** Whether it is gone for good before the heal: another tab sends what it left, others have its agents. */
  retires: boolean;
}

/** What may happen in a run, each as a weight. */
export interface Weights {
  edit: number;
  send: number;
  cut: number;
  partition: number;
  disconnect: number;
  crash: number;
  close: number;
  relayCrash: number;
  relaySleep: number;
  relayReset: number;
  loseBrowser: number;
}

export const usualWeights: Weights = {
  edit: 30,
  send: 30,
  cut: 6,
  partition: 4,
  disconnect: 2,
  crash: 5,
  close: 2,
  relayCrash: 2,
  relaySleep: 2,
  relayReset: 1,
  loseBrowser: 0,
};

/** What kind of world a run takes place in. */
export interface World {
  /** The longest pause between two things that happen, in milliseconds. */
  paceMs: number;
  /** The probability that a replica is a tab of a browser that is there already. */
  sharing: number;
  latency: SimulatedLatency;
  tabChannels: Partial<TabChannelFaults>;
  /** What differs from the usual weights. */
  mood: Partial<Weights>;
}

/** On a quiet network nothing but a crash can lose anything, and nothing later gives the loss away. */
const quiet: Partial<Weights> = {
  cut: 0,
  partition: 0,
  disconnect: 0,
  relayCrash: 0,
  relayReset: 0,
  crash: 8,
};
const moods: readonly Partial<Weights>[] = [{}, {}, { ...quiet, send: 2 }, { ...quiet, edit: 2 }];

/** Draws a world: hasty or slow, with tabs or without, on good or bad machines. */
export function drawWorld(random: SimulatedRandom): World {
  const isRough = random.chance(0.3);
  return {
    paceMs: random.pick([40, 400]),
    sharing: random.pick([0.2, 0.75]),
    latency: { networkMs: random.pick([15, 80, 400]), diskMs: random.pick([2, 12, 120]) },
    mood: random.pick(moods),
    tabChannels: {
      duplicate: isRough ? 0.1 : 0,
      reorder: isRough,
      drop: isRough && random.chance(0.5) ? 0.05 : 0,
    },
  };
}

export interface FlockPlan {
  members: readonly PlannedMember[];
  /** By agent. */
  consumers: ReadonlyMap<string, readonly PlannedConsumer[]>;
  topic: string;
}

const agentNames = ["planner", "critic", "writer", "clerk"];

/** Draws who is there: two to four replicas, some in one browser, some with agents of the same name. */
export function drawPlan(
  random: SimulatedRandom,
  { ownAgents, sharing }: { ownAgents: boolean; sharing: number },
): FlockPlan {
  const count = random.between(2, 4);
  const members: PlannedMember[] = [];
  for (let index = 0; index < count; index++) {
    const shares = index > 0 && random.chance(sharing);
    const browser = shares ? random.pick(members).browser : `browser-${index}`;
    const free = agentNames.filter((name) => !members.some(({ agents }) => agents.includes(name)));
    const first = ownAgents ? (free[0] as string) : random.pick(agentNames);
    const second = random.pick(agentNames);
    const agents = !ownAgents && random.chance(0.3) && second !== first ? [first, second] : [first];
    const others = members.filter((other) => !other.retires);
    const isReplaceable =
      others.some((other) => other.browser === browser) &&
      agents.every((agent) => others.some((other) => other.agents.includes(agent)));
    const principal = browser;
    members.push({
      name: `replica-${index}`,
      browser,
      principal,
      agents,
      retires: isReplaceable && random.chance(0.5),
    });
  }
  const consumers = new Map<string, PlannedConsumer[]>();
  for (const agent of new Set(members.flatMap(({ agents }) => agents))) {
    consumers.set(agent, [{ name: "direct", topic: undefined }]);
    if (random.chance(0.5)) consumers.get(agent)?.push({ name: "news", topic: "news" });
  }
  return { members, consumers, topic: "news" };
}
