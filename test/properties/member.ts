import type { Agent, FlockError, Room } from "../../src/index.ts";
import type { SimulatedIdentity, SimulatedReplica, Simulation } from "../../src/testing/index.ts";
import { type FlockPlan, type FlockState, type PlannedMember, state } from "./flock-plan.ts";
import type { FlockLedger } from "./ledger.ts";

/** What tests do to a tab before its room opens, for instance put a faulty disk in. */
export type Tamper = (replica: SimulatedReplica) => SimulatedReplica["platform"];

/** How a handler works; `finish` resolves when the work is done and on record. */
export type Handling = (finish: () => Promise<void>) => Promise<void>;

export interface MemberOptions {
  simulation: Simulation;
  plan: FlockPlan;
  planned: PlannedMember;
  ledger: FlockLedger;
  tamper: Tamper;
  handling: Handling;
  /** Its tokens; without one it brings none. */
  identity: SimulatedIdentity | undefined;
  /** Whether handlers may fail at present. */
  mayFail(): boolean;
}

/** A replica over its restarts: at each moment open, opening, or gone. */
export interface Member {
  readonly name: string;
  browser: string;
  /** Undefined while the room is not open. */
  readonly room: Room<FlockState> | undefined;
  readonly agents: ReadonlyMap<string, Agent>;
  readonly replica: SimulatedReplica | undefined;
  /** Whether it was closed or has crashed, and may be opened. */
  readonly isGone: boolean;
  open(): void;
  crash(): void;
  close(): void;
  /** Errors that no scenario explains. */
  readonly failures: readonly unknown[];
}

const roomId = "lab";
const slowestHandlerMs = 250;

export function createMember(options: MemberOptions): Member {
  const { simulation, plan, planned, ledger, tamper, handling, identity, mayFail } = options;
  const random = simulation.random.fork(`member ${planned.name}`);
  const failures: unknown[] = [];
  let browser = planned.browser;
  let replica: SimulatedReplica | undefined;
  let room: Room<FlockState> | undefined;
  let agents = new Map<string, Agent>();
  let lives = 0;
  let closing: SimulatedReplica | undefined;

  async function furnish(own: SimulatedReplica): Promise<void> {
    const life = `${planned.name} life ${++lives}`;
    const opened = await own.open(roomId, { state, platform: tamper(own) });
    opened.onProblem((error) => note(error));
    const furnished = new Map<string, Agent>();
    for (const name of planned.agents) {
      const agent = await opened.agent(name);
      furnished.set(name, agent);
      for (const consumer of plan.consumers.get(name) ?? []) {
        const filter = consumer.topic === undefined ? {} : { topic: consumer.topic };
        const key = `${name}/${consumer.name}`;
        agent.onMessage(
          filter,
          async ({ id }) => {
            ledger.began(life, key, id);
            await handling(async () => {
              await pause(own, random.between(0, slowestHandlerMs));
              if (mayFail() && random.chance(0.2)) throw new Error("a handler's bad day");
              ledger.completed(key, id);
            });
          },
          { consumer: consumer.name },
        );
      }
    }
    if (replica !== own) return;
    room = opened;
    agents = furnished;
  }

  function note(error: FlockError): void {
    if (error.code !== "messaging/handler-failed") failures.push(error);
  }

  function forget(): void {
    replica = undefined;
    room = undefined;
    agents = new Map();
  }

  return {
    name: planned.name,
    get browser() {
      return browser;
    },
    set browser(name) {
      browser = name;
    },
    get room() {
      return room;
    },
    get agents() {
      return agents;
    },
    get replica() {
      return replica;
    },
    get isGone() {
      return replica === undefined && closing === undefined;
    },
    open() {
      const own = simulation.replica(planned.name, { browser, ...(identity && { identity }) });
      replica = own;
      furnish(own).catch((failure: unknown) => failures.push(failure));
    },
    crash() {
      const own = replica ?? closing;
      forget();
      closing = undefined;
      own?.crash();
    },
    close() {
      const [own, open] = [replica, room];
      if (!own || !open) return;
      forget();
      closing = own;
      open
        .close()
        .catch((failure: unknown) => failures.push(failure))
        .then(() => {
          own.crash();
          closing = undefined;
        });
    },
    failures,
  };
}

function pause(replica: SimulatedReplica, ms: number): Promise<void> {
  return new Promise((resolve) => replica.clock.after(ms, resolve));
}
