import { createStore, maxClockDriftMs, timestampToMs } from "../../src/base/index.ts";
import type { LaneLimits } from "../../src/crdt/index.ts";
import type { Retention } from "../../src/index.ts";
import {
  defineFlock,
  type FaultMix,
  type FlockReplica,
  type FlockStep,
  type Scenario,
  type SimulatedRandom,
  type Simulation,
} from "../../src/testing/index.ts";
import { createLaneBook } from "./lanes-book.ts";
import { type LaneMember, openLaneMember, openTasks, tinyLanes, type Viewing } from "./lanes-member.ts";
import { complaintsOf, forgottenOf, undeliveredOf } from "./lanes-outcome.ts";
import type { Tamper } from "./member.ts";

export interface LaneFlockOptions {
  faults?: FaultMix;
  weights?: Partial<Record<"say" | "work", number>>;
  /** Default 30. */
  steps?: number;
  retention?: Partial<Retention>;
  /** The members' agents listen. Default true. */
  listens?: boolean;
  /** Whether the relay must have no more than what is live in the end. Default false. */
  measures?: boolean;
  /** Problems of these codes are no failures. */
  expected?: RegExp;
  viewing?: Viewing;
  limits?: LaneLimits;
  /** One whose clock is far ahead, a principal of its own, is there until the heal. Default false. */
  rogue?: boolean;
  /** Whether what consumers are told of gaps is noted. Default true. */
  notesGaps?: boolean;
  tamper?: Tamper;
}

/** After which nothing that was said may be missing. */
export const laneFaults: FaultMix = {
  cut: 4,
  silentCut: 1,
  partition: 4,
  mute: 1,
  deaf: 1,
  offline: 1,
  crash: 6,
  close: 2,
  hide: 1,
  skew: 2,
  slowDisk: 1,
  noisyTabs: 1,
  relayCrash: 2,
  relaySleep: 2,
  relayReset: 1,
  slowRelay: 1,
  failedUploads: 2,
  lateReferences: 1,
};

/** Longer than sealing and releases rest after an opening. */
const calmMs = 75_000;
const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;

function drawReplicas(random: SimulatedRandom, rogue: boolean): FlockReplica[] {
  const count = random.between(2, 3);
  const honest = Array.from({ length: count }, (_, index) => ({
    name: `m${index}`,
    browser: index > 0 && random.chance(0.35) ? "browser-0" : `browser-${index}`,
    ...(rogue && { identity: { principal: "honest" } }),
  }));
  if (!rogue) return honest;
  const skewMs = random.pick([2 * hourMs, 30 * 24 * hourMs, yearMs, 200 * yearMs]);
  return [...honest, { name: "rogue", identity: { principal: "rogue" }, skewMs, leaves: true }];
}

/** A flock whose agents say much on lanes of tiny pages, and views that must show all of it; a failure is one complaint a line. */
export function laneScenario(options: LaneFlockOptions = {}): Scenario<FlockStep> {
  const {
    steps = 30,
    retention = {},
    listens = true,
    expected = /^refstore\/unavailable$/,
    viewing = {},
  } = options;
  const { tamper = ({ platform }) => platform, measures = false, limits = tinyLanes } = options;
  const { rogue = false, notesGaps = true } = options;
  const works = options.weights?.work !== 0;
  const copies = (options.faults?.clone ?? 0) > 0;
  const forgets = Object.keys(retention).length > 0;
  return defineFlock<LaneMember>((random) => {
    const replicas = drawReplicas(random.fork("replicas"), rogue);
    const book = createLaneBook();
    const rooms = new WeakMap<object, LaneMember>();
    let counter = 0;
    let lives = 0;
    let isCalm = false;
    let world: Simulation | undefined;
    let joiner: LaneMember | undefined;
    let problem: unknown;

    const memberOptions = {
      book,
      retention,
      limits,
      notesGaps,
      tamper,
      viewing,
      onProblem(error: { code: string }) {
        if (!expected.test(error.code)) problem ??= error;
      },
    };

    function tell(
      { agent, browser, name, replica }: LaneMember,
      to: { to: string } | { topic: string },
      content: string | Record<string, string | number>,
    ) {
      agent.send({ ...to, type: "STATUS", content }).then(
        (sent) => {
          const aheadMs = timestampToMs(book.get(sent.id)?.clock ?? 0) - replica.clock.now();
          if (rogue && aheadMs > maxClockDriftMs) book.accuse(`${name} is ${aheadMs} ms ahead of its wall`);
          // What the rogue had only here is gone with it.
          for (const stage of name === "rogue" ? (["relayed"] as const) : (["local", "relayed"] as const)) {
            sent.settled(stage).then(
              () => book.promise(sent.id, stage, browser),
              () => undefined,
            );
          }
        },
        () => undefined,
      );
    }

    /** Says the member's part of a task that it knows, else begins one. */
    function work(member: LaneMember, draw: SimulatedRandom): void {
      // The last acts of a run are drawn without weights.
      if (!works || !member.isReady()) return;
      const own = member.name;
      const lacking = [...openTasks(member)].filter(([, { parts }]) => !(own in parts));
      const known = draw.chance(0.8) ? lacking.map(([key]) => key) : [];
      for (const task of known.length > 0 ? known : [`task-${own}-${counter++}`]) {
        tell(member, { topic: "work" }, { task, part: own, of: replicas.length });
      }
    }

    function problems(): void {
      if (problem !== undefined) throw problem;
      if (book.violations.length > 0) throw new Error(book.violations.join("\n"));
    }

    return {
      replicas,
      steps,
      faults: { ...laneFaults, ...options.faults },
      weights: { say: 50, work: 15, ...options.weights },
      paceMs: random.pick([300, 1_500]),
      world: {
        latency: { networkMs: random.pick([15, 80, 400]), diskMs: random.pick([2, 12, 120]) },
      },
      acts: {
        say(member, draw) {
          const to = draw.chance(0.3) ? { to: draw.pick(replicas).name } : { topic: "talk" };
          for (let count = draw.between(1, 7); count > 0; count--) tell(member, to, `line ${counter++}`);
        },
        work,
      },
      async open(replica, { simulation, name }) {
        world = simulation;
        const life = `life ${++lives}`;
        const member = await openLaneMember(replica, { ...memberOptions, name, life, listens });
        // A page whose seal retention took, and those of a writer that is frozen, stay live where they are.
        const isAlike = !forgets && !copies;
        const shown = isAlike ? member : { ...member, room: { ...member.room, messages: createStore([]) } };
        rooms.set(shown.room, shown);
        return shown;
      },
      watch(members) {
        problems();
        for (const member of members) {
          for (const complaint of [...openTasksLost(member), ...undeliveredOf(book, member)]) {
            throw new Error(complaint);
          }
        }
      },
      views: forgets ? {} : { said: (room) => rooms.get(room)?.transcript.get("all") ?? [] },
      async check(members) {
        problems();
        const simulation = world as Simulation;
        const outcome = { simulation, book, measures };
        if (!isCalm) {
          // What was opened a moment ago seals, and looks again at what was held, some time later.
          await simulation.advance(calmMs);
          isCalm = true;
          throw new Error("the members were not calm yet");
        }
        if (forgets) {
          await complainOf(forgottenOf({ ...outcome, members }));
          return;
        }
        await complainOf(complaintsOf({ ...outcome, members }));
        if (!joiner) {
          joiner = await openJoiner(simulation);
          await simulation.until(Promise.all([joiner.transcript.ready, joiner.tasks.ready]));
          await simulation.advance(calmMs);
          throw new Error("the joiner was not calm yet");
        }
        await complainOf(complaintsOf({ ...outcome, members: [joiner] }));
        const [shown, want] = [joiner, members[0]].map((each) => each?.transcript.get("all")?.join());
        if (shown !== want) throw new Error("the joiner has not all that the others have");
      },
      onFault({ does, on }) {
        const browser = replicas.find(({ name }) => name === on)?.browser;
        if (browser && ["wipe", "clearData", "powerLoss"].includes(does)) book.lost(browser);
      },
    };

    function openJoiner(simulation: Simulation): Promise<LaneMember> {
      const identity = rogue ? { identity: { principal: "honest" } } : {};
      const joining = { ...memberOptions, name: "joiner", life: "only", listens: false };
      return simulation.until(openLaneMember(simulation.replica("joiner", identity), joining));
    }

    async function complainOf(found: readonly string[] | Promise<readonly string[]>): Promise<void> {
      const complaints = [...new Set(await found)];
      if (complaints.length > 0) throw new Error(complaints.join("\n"));
    }
  });
}

/** PROP-22: entries of open tasks that were live here and are no more. */
function* openTasksLost(member: LaneMember): Iterable<string> {
  const { seen, tasks, name } = member;
  if (!member.isReady()) return;
  const open = new Map(openTasks(member));
  for (const key of [...seen.keys()]) if (!open.has(key)) seen.delete(key);
  for (const key of open.keys()) {
    if (tasks.status(key) !== "ready") continue;
    const live = new Set(tasks.entries(key).map(({ id }) => id));
    for (const id of seen.get(key) ?? []) {
      if (!live.has(id)) yield `${name} has let go of ${id}, which the open ${key} needs`;
    }
    seen.set(key, live);
  }
}
