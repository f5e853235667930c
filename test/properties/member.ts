import type { Agent, FlockError, Room } from "../../src/index.ts";
import type { SimulatedRandom, SimulatedReplica } from "../../src/testing/index.ts";
import { type FlockPlan, type FlockState, type PlannedMember, state } from "./flock-plan.ts";
import type { FlockLedger } from "./ledger.ts";

/** What tests do to a tab before its room opens, for instance put a faulty disk in. */
export type Tamper = (replica: SimulatedReplica) => SimulatedReplica["platform"];

/** How a handler works; `finish` resolves when the work is done and on record. */
export type Handling = (finish: () => Promise<void>) => Promise<void>;

/** An open replica of the flock. */
export interface Member {
  readonly browser: string;
  readonly room: Room<FlockState>;
  readonly agents: ReadonlyMap<string, Agent>;
}

export interface MemberOptions {
  plan: FlockPlan;
  planned: PlannedMember;
  ledger: FlockLedger;
  random: SimulatedRandom;
  /** Names this life among those of all replicas. */
  life: string;
  tamper: Tamper;
  handling: Handling;
  /** Whether handlers may fail at present. */
  mayFail(): boolean;
  /** Told of what went wrong without a caller to throw to. */
  onProblem(error: FlockError): void;
}

const slowestHandlerMs = 250;

/** Opens a replica's room and its agents, with every consumer of the plan. */
export async function openMember(replica: SimulatedReplica, options: MemberOptions): Promise<Member> {
  const { plan, planned, ledger, random, life, tamper, handling, mayFail, onProblem } = options;
  const room = await replica.open("lab", { state, platform: tamper(replica) });
  room.onProblem((error) => {
    if (error.code !== "messaging/handler-failed") onProblem(error);
  });
  const agents = new Map<string, Agent>();
  for (const name of planned.agents) {
    const agent = await room.agent(name);
    agents.set(name, agent);
    for (const consumer of plan.consumers.get(name) ?? []) {
      const filter = consumer.topic === undefined ? {} : { topic: consumer.topic };
      const key = `${name}/${consumer.name}`;
      agent.onMessage(
        filter,
        async ({ id }) => {
          ledger.began(life, key, id);
          await handling(async () => {
            await new Promise<void>((resolve) =>
              replica.clock.after(random.between(0, slowestHandlerMs), resolve),
            );
            if (mayFail() && random.chance(0.2)) throw new Error("a handler's bad day");
            ledger.completed(key, id);
          });
        },
        { consumer: consumer.name },
      );
    }
  }
  return { browser: replica.browser.name, room, agents };
}
