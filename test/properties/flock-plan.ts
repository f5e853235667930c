import * as z from "zod/mini";
import { list, map, table, text } from "../../src/index.ts";
import { tokenScopes } from "../../src/protocol/index.ts";
import type { FaultMix, FlockReplica, SimulatedRandom, World } from "../../src/testing/index.ts";

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
export interface PlannedMember extends FlockReplica {
  browser: string;
  agents: readonly string[];
}

/** What may happen besides the faults, each as a weight. */
export interface ActWeights {
  edit: number;
  send: number;
}

/** What kind of run a seed gives: its world, and what differs from the usual weights. */
export interface Mood {
  world: World;
  /** The longest pause between two things that happen, in milliseconds. */
  paceMs: number;
  /** The probability that a replica is a tab of a browser that is there already. */
  sharing: number;
  weights: ActWeights;
  faults: FaultMix;
}

const usualWeights: ActWeights = { edit: 30, send: 30 };
const usualFaults: FaultMix = {
  cut: 5,
  silentCut: 1,
  partition: 3,
  mute: 1,
  deaf: 1,
  offline: 1,
  crash: 5,
  close: 2,
  hide: 1,
  skew: 1,
  relayCrash: 2,
  relaySleep: 2,
  relayReset: 1,
  slowRelay: 1,
  failedUploads: 1,
};
/** On a quiet network nothing but a crash can lose anything, and nothing later gives the loss away. */
const quietFaults: FaultMix = { crash: 8, close: 2, relaySleep: 2 };

const moods: readonly Pick<Mood, "weights" | "faults">[] = [
  { weights: usualWeights, faults: usualFaults },
  { weights: usualWeights, faults: usualFaults },
  { weights: { edit: 30, send: 2 }, faults: quietFaults },
  { weights: { edit: 2, send: 30 }, faults: quietFaults },
];

/** Draws a world: hasty or slow, with tabs or without, on good or bad machines. */
export function drawMood(random: SimulatedRandom): Mood {
  const isRough = random.chance(0.3);
  return {
    paceMs: random.pick([40, 400]),
    sharing: random.pick([0.2, 0.75]),
    ...random.pick(moods),
    world: {
      latency: { networkMs: random.pick([15, 80, 400]), diskMs: random.pick([2, 12, 120]) },
      tabChannels: {
        duplicate: isRough ? 0.1 : 0,
        reorder: isRough,
        drop: isRough && random.chance(0.5) ? 0.05 : 0,
      },
    },
  };
}

export interface FlockPlan {
  members: readonly PlannedMember[];
  /** By agent. */
  consumers: ReadonlyMap<string, readonly PlannedConsumer[]>;
  topic: string;
}

export interface PlanOptions {
  /** No two replicas have agents of one name. */
  ownAgents: boolean;
  sharing: number;
  /** Each browser is a principal of its own, with tokens; the first is an administrator. */
  principals: boolean;
}

const agentNames = ["planner", "critic", "writer", "clerk"];

/** Draws who is there: two to four replicas, some in one browser, some with agents of the same name. */
export function drawPlan(
  random: SimulatedRandom,
  { ownAgents, sharing, principals }: PlanOptions,
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
    const others = members.filter((other) => !other.leaves);
    // Another tab sends what it left, and others have its agents.
    const isReplaceable =
      others.some((other) => other.browser === browser) &&
      agents.every((agent) => others.some((other) => other.agents.includes(agent)));
    const isAdministrator = browser === (members[0]?.browser ?? browser);
    members.push({
      name: `replica-${index}`,
      browser,
      agents,
      leaves: isReplaceable && random.chance(0.5),
      ...(principals && {
        identity: {
          principal: browser,
          tokenLifeMs: 60_000,
          ...(isAdministrator && { scopes: tokenScopes }),
        },
      }),
    });
  }
  const consumers = new Map<string, PlannedConsumer[]>();
  for (const agent of new Set(members.flatMap(({ agents }) => agents))) {
    consumers.set(agent, [{ name: "direct", topic: undefined }]);
    if (random.chance(0.5)) consumers.get(agent)?.push({ name: "news", topic: "news" });
  }
  return { members, consumers, topic: "news" };
}
