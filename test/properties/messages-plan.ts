import type { LaneLimits } from "../../src/crdt/index.ts";
import type { MessageFilter, OnMessageOptions } from "../../src/index.ts";
import type { FaultMix, FlockReplica, SimulatedRandom, World } from "../../src/testing/index.ts";

export const maxDeliver = 3;
export const ackWaitMs = 2_000;

/** A consumer that each agent of the flock has, or that they share. */
export interface PlannedConsumer {
  /** As registers name it. */
  readonly name: string;
  readonly consumer: string;
  readonly group: string | undefined;
  readonly filter: MessageFilter;
  readonly delivery: Pick<OnMessageOptions, "order" | "maxInFlight" | "maxDeliver" | "ackWaitMs">;
  /** Whether its handlers record what they have done in the shared state, before they acknowledge it. */
  readonly records: boolean;
}

/** One replica, over all its restarts. */
export interface PlannedMember extends FlockReplica {
  browser: string;
  agent: string;
  /** Whether its agent is opened in the middle of the run only. */
  isLate: boolean;
}

export interface MessagesPlan {
  readonly members: readonly PlannedMember[];
  /** The names of the agents, each once. */
  readonly agents: readonly string[];
  readonly consumers: readonly PlannedConsumer[];
  /** How long pages become; undefined for as long as usual, so that nothing is sealed. */
  readonly limits: LaneLimits | undefined;
  /** The longest pause between two steps, in milliseconds. */
  readonly paceMs: number;
  readonly world: World;
}

/** After which no message may be missing, nor anything that a handler has recorded. */
export const messageFaults: FaultMix = {
  cut: 4,
  silentCut: 1,
  partition: 4,
  mute: 1,
  deaf: 1,
  offline: 1,
  crash: 7,
  close: 2,
  hide: 1,
  skew: 1,
  slowDisk: 1,
  noisyTabs: 1,
  relayCrash: 2,
  relaySleep: 1,
  relayReset: 1,
  slowRelay: 1,
};

/** Pages of four entries, of which some four stay live. */
const tinyLanes: LaneLimits = {
  pageEntries: 4,
  pageBytes: 256 * 1024,
  liveEntries: 8,
  liveBytes: 256 * 1024,
  livePages: 4,
};

/** Draws two or three replicas, often tabs of one browser or of one agent, and what they consume. */
export function drawMessagesPlan(random: SimulatedRandom): MessagesPlan {
  const members: PlannedMember[] = [];
  const count = random.between(2, 3);
  for (let index = 0; index < count; index++) {
    const shares = index > 0 && random.chance(0.35);
    members.push({
      name: `m${index}`,
      browser: shares ? random.pick(members).browser : `browser-${index}`,
      agent: index === 0 ? "planner" : random.pick(["planner", "critic"]),
      isLate: index > 0 && random.chance(0.3),
    });
  }
  const isRough = random.chance(0.3);
  return {
    members,
    agents: [...new Set(members.map(({ agent }) => agent))],
    consumers: drawConsumers(random),
    limits: random.chance(0.3) ? tinyLanes : undefined,
    paceMs: random.pick([60, 500]),
    world: {
      latency: { networkMs: random.pick([15, 80, 400]), diskMs: random.pick([2, 12, 120]) },
      tabChannels: { duplicate: isRough ? 0.1 : 0, reorder: isRough },
    },
  };
}

function drawConsumers(random: SimulatedRandom): PlannedConsumer[] {
  const rules = { maxDeliver, ackWaitMs };
  return [
    {
      name: "direct",
      consumer: "direct",
      group: undefined,
      filter: {},
      delivery: { ...rules, order: "lane", maxInFlight: random.pick([1, 2, 256]) },
      records: true,
    },
    {
      name: "news",
      consumer: "news",
      group: undefined,
      filter: { topic: "news.>" },
      delivery: { ...rules, order: "none", maxInFlight: random.between(1, 3) },
      records: false,
    },
    {
      name: "group:crew/work",
      consumer: "work",
      group: "crew",
      filter: { topic: "work" },
      delivery: { ...rules, order: random.pick(["lane", "none"]), maxInFlight: random.pick([1, 3]) },
      records: true,
    },
  ];
}

/** The consumer over the writers that share its position, as the ledger names it. */
export function sharedName({ name, group }: PlannedConsumer, agent: string): string {
  return group === undefined ? `${agent}/${name}` : name;
}
