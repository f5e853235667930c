import { createInMemoryStorage, createRoomCore, type SocketAttachment } from "../../src/edge/index.ts";
import type { Write } from "../../src/index.ts";
import {
  defineFlock,
  type Exploration,
  explore,
  type FaultMix,
  type FaultName,
  type FlockStep,
  type RelayCode,
  type Scenario,
  type SimulatedRandom,
} from "../../src/testing/index.ts";
import { type ActWeights, drawMood, drawPlan } from "./flock-plan.ts";
import { createFlockLedger } from "./ledger.ts";
import { type Handling, type Member, openMember, type Tamper } from "./member.ts";
import { complaintsOf } from "./outcome.ts";

/** The relay's real code. */
export const relayCode: RelayCode<ReturnType<typeof createInMemoryStorage>, SocketAttachment> = {
  createStorage: createInMemoryStorage,
  createCore: createRoomCore,
};

export interface FlockOptions {
  /** What differs from the weights of the mood that the seed draws. */
  weights?: Partial<ActWeights>;
  faults?: FaultMix;
  /** How many things happen before the heal. Default 50. */
  steps?: number;
  /** No two replicas have agents of one name. Default false. */
  ownAgents?: boolean;
  /** The probability that a replica is a tab of a browser that is there already. Default: drawn. */
  sharing?: number;
  /** All replicas are tabs of one browser, and no relay is ever there. Default false. */
  alone?: boolean;
  /** Each browser is a principal of its own, with tokens; the first is an administrator. Default false: all are one. */
  principals?: boolean;
  /** Problems of these codes are no failures. Default none. */
  expected?: RegExp;
  tamper?: Tamper;
  handling?: Handling;
}

/** A flock whose agents edit, send and handle, and a ledger of what must last; a failure is one complaint a line. */
export function flockScenario(options: FlockOptions = {}): Scenario<FlockStep> {
  const { steps = 50, ownAgents = false, alone = false, principals = false, expected = /^$/ } = options;
  const { tamper = ({ platform }) => platform, handling = (finish) => finish() } = options;
  return defineFlock<Member>((random) => {
    const mood = drawMood(random);
    const faults = { ...mood.faults, ...options.faults };
    const sharing = alone ? 1 : (options.sharing ?? mood.sharing);
    const plan = drawPlan(random.fork("plan"), { ownAgents, sharing, principals });
    const has = (...names: readonly FaultName[]): boolean => names.some((name) => (faults[name] ?? 0) > 0);
    const ledger = createFlockLedger({ mayFork: has("fullDisk", "abortedWrites", "powerLoss", "clone") });
    const mayLoseBytes = has("wipe", "clearData", "powerLoss");
    let lives = 0;
    let counter = 0;
    let healing = false;
    let problem: unknown;

    function keep(what: string, write: Write, { browser }: Member): void {
      for (const stage of ["local", "relayed"] as const) {
        write.settled(stage).then(
          () => ledger.promise(what, stage, browser),
          () => undefined,
        );
      }
    }

    function edit(member: Member, draw: SimulatedRandom): void {
      const { room } = member;
      const { notes, board, log, kept, rows } = room.state;
      const value = `${member.browser}-${counter++}`;
      const edits: (() => void)[] = [
        () => notes.insert(draw.below(notes.y.length + 1), value),
        () => {
          const { length } = notes.y;
          if (length > 0) notes.delete(draw.below(length), 1);
        },
        () => board.set(`key-${draw.below(4)}`, draw.below(1000)),
        () => board.delete(`key-${draw.below(4)}`),
        () => log.insert(draw.below(log.y.length + 1), value),
        () => {
          const { length } = log.y;
          if (length > 0) log.delete(draw.below(length));
        },
        () => keep(`kept ${value}`, kept.push(value), member),
        () => rows.set({ id: `row-${draw.below(4)}`, value: draw.below(1000) }),
        () => rows.delete(`row-${draw.below(4)}`),
      ];
      const count = draw.between(1, 2);
      room.transact(() => {
        for (let number = 0; number < count; number++) draw.pick(edits)();
      });
    }

    function send(member: Member, draw: SimulatedRandom): void {
      const agent = draw.pick([...member.agents.values()]);
      const to = draw.chance(0.2) ? { topic: plan.topic } : { to: draw.pick([...plan.consumers.keys()]) };
      const count = draw.chance(0.3) ? draw.between(2, 5) : 1;
      for (let index = 0; index < count; index++) {
        // Bytes that die with their browser before they are uploaded hold up the lane for good.
        const isLarge = !mayLoseBytes && draw.chance(0.05);
        const content = { number: counter++, filling: "x".repeat(isLarge ? 12_000 : 10) };
        agent.send({ ...to, type: draw.pick(["QUERY", "STATUS"]), content }).then(
          (sent) => keep(`message ${sent.id}`, sent, member),
          () => undefined,
        );
      }
    }

    /** What another browser shows as delivered was acknowledged for good. */
    function watchAcknowledgements(members: readonly Member[]): void {
      for (const watcher of members) {
        for (const { id, to, stage } of watcher.room.messages.get()) {
          if (to === undefined || stage !== "delivered") continue;
          const owner = plan.members.find(({ agents }) => agents.includes(to));
          if (owner && owner.browser !== watcher.browser) ledger.acknowledged(`${to}/direct`, id);
        }
      }
    }

    return {
      replicas: plan.members,
      steps,
      faults,
      paceMs: mood.paceMs,
      weights: { ...mood.weights, ...options.weights },
      relay: !alone,
      world: {
        ...mood.world,
        // Without a relay nobody tells what a tab missed for good.
        ...(alone && { tabChannels: { ...mood.world.tabChannels, drop: 0 } }),
      },
      acts: { edit, send },
      open(replica, { simulation, name }) {
        const planned = plan.members.find((member) => member.name === name);
        if (!planned) throw new RangeError(`Nobody planned a replica ${name}.`);
        return openMember(replica, {
          plan,
          planned,
          ledger,
          tamper,
          handling,
          random: simulation.random.fork(`member ${replica.name} ${lives}`),
          life: `${replica.name} life ${++lives}`,
          mayFail: () => !healing,
          onProblem(error) {
            if (!expected.test(error.code)) problem ??= error;
          },
        });
      },
      watch(members) {
        if (problem !== undefined) throw problem;
        if (ownAgents) watchAcknowledgements(members);
      },
      check(members) {
        healing = true;
        const found = [...new Set(complaintsOf(plan, ledger, members))];
        if (found.length > 0) throw new Error(found.join("\n"));
      },
      onFault({ does, on }) {
        const browser = plan.members.find(({ name }) => name === on)?.browser;
        if (browser && ["wipe", "clearData", "powerLoss"].includes(does)) ledger.lost(browser);
      },
    };
  });
}

/** Plays a flock once, over a relay that may be broken; a failure is not shrunk. */
export function playFlock(
  seed: number,
  { relay = relayCode, ...options }: FlockOptions & { relay?: typeof relayCode } = {},
): Promise<Exploration> {
  return explore(flockScenario(options), { relay, seeds: [seed], shrinkRuns: 0 });
}
