import type { Closable } from "../../base/index.ts";
import { createSimulatedFetch } from "./blobs.ts";
import { createProfile, type Profile, type SimulatedBrowser } from "./browser.ts";
import { createHost, type Host } from "./host.ts";
import { createLine, type LineState } from "./network.ts";
import { createSimulatedRandom, type SimulatedRandom } from "./random.ts";
import { watchRealWorld } from "./real-world.ts";
import { createSimulatedRelay, type RelayCode, type SimulatedRelay } from "./relay.ts";
import { createSimulatedReplica, type SimulatedIdentity, type SimulatedReplica } from "./replica.ts";
import { createSettler } from "./settling.ts";
import type { TabChannelFaults } from "./tab-channels.ts";
import { createTimeline } from "./timeline.ts";

/** How slow the simulated world is, in milliseconds: each figure is the longest, and every event draws its own. */
export interface SimulatedLatency {
  /** One frame, one way. Default 80. */
  networkMs: number;
  /** One transaction of a disk. Default 12. */
  diskMs: number;
}

export interface SimulationOptions<Storage, Attachment> {
  /** Decides everything that is drawn. The same seed over the same code gives the same run. */
  seed: number | string;
  /** The relay's code: `{ createStorage: createInMemoryStorage, createCore: createRoomCore }` of `flockstate/edge`. */
  relay: RelayCode<Storage, Attachment>;
  latency?: Partial<SimulatedLatency>;
  /** Default: messages take up to 20 ms, in order, each once. */
  tabChannels?: Partial<TabChannelFaults>;
  /** Hears every line of the trace. */
  trace?: (line: string) => void;
  /**
   * Watches for uses of the machine's clock, timers, randomness and network by code that is in no package; `realWorld`
   * lists them. Default true.
   */
  watchRealWorld?: boolean;
}

export interface SimulatedBrowserOptions {
  /** False for a browser without Web Locks. Default true. */
  locks?: boolean;
}

export interface SimulatedReplicaOptions {
  /** The browser that the tab is in. Default one of the replica's own name. */
  browser?: string;
  identity?: SimulatedIdentity;
  /** How far its clock is ahead of the true time, in milliseconds. Default 0. */
  skewMs?: number;
}

/** Something that happens `afterMs` of virtual time after what comes before it. */
export interface SimulationStep {
  afterMs: number;
  act(): unknown;
}

/**
 * A world in one process: replicas in browsers, one relay, and the network between them, all on virtual time.
 * Nothing happens unless `advance`, `until` or `run` lets time pass.
 */
export interface Simulation extends Closable {
  readonly seed: number | string;
  /** For whoever drives the simulation. */
  readonly random: SimulatedRandom;
  readonly relay: SimulatedRelay;
  /** Milliseconds since the epoch, of virtual time. */
  now(): number;
  /** Opens a tab. Tabs of one browser share its disk, its locks and its channels; a name may be used again after a crash. */
  replica(name: string, options?: SimulatedReplicaOptions): SimulatedReplica;
  /** The browser of a name, made at its first mention. @throws RangeError where `locks` comes too late. */
  browser(name: string, options?: SimulatedBrowserOptions): SimulatedBrowser;
  /** Mends what can be mended: lines, browsers and the relay, which starts, and every tab is shown. Clocks stay wrong. */
  heal(): void;
  /** Lets time pass, with all that is due meanwhile. */
  advance(ms: number): Promise<void>;
  /**
   * Lets time pass until the promise settles, and gives its outcome.
   *
   * @throws RangeError where it has not settled after `limitMs`, by default ten minutes.
   */
  until<T>(promise: PromiseLike<T>, options?: { limitMs?: number }): Promise<T>;
  /**
   * Lets time pass until the condition holds; it is looked at after every event.
   *
   * @throws RangeError where it does not hold after `limitMs`, by default ten minutes.
   */
  untilTrue(condition: () => boolean, options?: { limitMs?: number }): Promise<void>;
  /** Takes the steps in their order. */
  run(steps: Iterable<SimulationStep>): Promise<void>;
  /** A hash of everything that has happened: equal for equal seeds. */
  readonly fingerprint: string;
  /** How many events have happened. */
  readonly events: number;
  /** Where code used what no seed decides, each place once, as `Date.now at /app/agent.ts:12:9`. */
  readonly realWorld: readonly string[];
  /** Kills every replica and the relay, and gives the platform back what was borrowed. Closing twice is safe. */
  close(): Promise<void>;
}

const defaultLimitMs = 10 * 60_000;
const defaultFaults: TabChannelFaults = { delayMs: 20, duplicate: 0, drop: 0, reorder: false };

/**
 * Creates a simulation; one at a time in a process. Virtual time is a queue of events by moment and order of
 * scheduling; after each of them every promise is settled and every digest is answered in the order of the calls, so
 * nothing depends on the machine's speed.
 *
 * @throws RangeError while another simulation is open.
 * @example
 * ```ts
 * const simulation = createSimulation({ seed: 7, relay: { createStorage: createInMemoryStorage, createCore: createRoomCore } });
 * const [left, right] = [simulation.replica("left"), simulation.replica("right")];
 * const [here, there] = await simulation.until(Promise.all([left.open("lab"), right.open("lab")]));
 * left.partition();
 * await simulation.advance(5_000);
 * left.heal();
 * await simulation.close();
 * ```
 */
export function createSimulation<Storage, Attachment>(
  options: SimulationOptions<Storage, Attachment>,
): Simulation {
  const { seed } = options;
  const { networkMs, diskMs }: SimulatedLatency = { networkMs: 80, diskMs: 12, ...options.latency };
  const faults: TabChannelFaults = { ...defaultFaults, ...options.tabChannels };
  const random = createSimulatedRandom(seed);
  const settler = createSettler();
  const timeline = createTimeline(options.trace);
  const relay = createSimulatedRelay(timeline, random.fork("relay"), options.relay);
  const browsers = new Map<string, Profile>();
  const lines = new Map<string, LineState>();
  const replicas = new Set<SimulatedReplica>();
  const realWorld = new Set<string>();
  const unwatch = options.watchRealWorld === false ? () => {} : watchRealWorld((use) => realWorld.add(use));
  const hosts: Host[] = [];
  let closing: Promise<void> | undefined;

  function browserNamed(name: string, { locks = true }: SimulatedBrowserOptions = {}): Profile {
    const present = browsers.get(name);
    if (present) return present;
    const made = createProfile({
      name,
      timeline,
      random: random.fork(`browser ${name}`),
      diskLatencyMs: (draw) => draw.between(0, diskMs),
      tabChannels: faults,
      locks,
      makeClone(clone) {
        if (browsers.has(clone))
          throw new RangeError(`There is a browser ${clone}: copy it to another name.`);
        return browserNamed(clone, { locks });
      },
    });
    browsers.set(name, made);
    return made;
  }

  function browser(name: string, browserOptions?: SimulatedBrowserOptions): SimulatedBrowser {
    if (browserOptions?.locks !== undefined && browsers.has(name)) {
      throw new RangeError(`The browser ${name} is there: say whether it has locks at its first mention.`);
    }
    return browserNamed(name, browserOptions);
  }

  function replica(
    name: string,
    { browser: browserName = name, identity, skewMs = 0 }: SimulatedReplicaOptions = {},
  ): SimulatedReplica {
    if (hosts.some((host) => host.name === name && host.alive)) {
      throw new RangeError(`The replica ${name} is open: crash it first, or take another name.`);
    }
    const draw = random.fork(`replica ${name} ${hosts.length}`);
    const host = createHost(timeline, name);
    hosts.push(host);
    host.skewMs = skewMs;
    const profile = browserNamed(browserName);
    profile.opened(host);
    const state = lines.get(name) ?? { blocked: "none" };
    lines.set(name, state);
    const latencyMs = (): number => draw.between(1, networkMs);
    const line = createLine({ timeline, random: draw.fork("line"), relay, host, latencyMs }, state);
    const made = createSimulatedReplica({
      identity,
      host,
      browser: profile,
      line,
      now: () => timeline.now(),
      relayUrl: relay.url,
      random: draw.fork("room").bytes,
      fetch: createSimulatedFetch({ host, line, relay, random: draw.fork("references"), latencyMs }),
    });
    replicas.add(made);
    host.onKill(() => replicas.delete(made));
    return made;
  }

  function heal(): void {
    for (const each of replicas) {
      each.heal();
      each.show();
    }
    for (const state of lines.values()) state.blocked = "none";
    for (const each of browsers.values()) each.mend();
    relay.mend();
    relay.start();
  }

  /** Runs what is due until `stop` says so; false where time is up before. */
  async function pass(limitMs: number, stop: () => boolean): Promise<boolean> {
    const end = timeline.now() + limitMs;
    await settler.settle();
    while (!stop()) {
      if (!timeline.step(end)) {
        timeline.skipTo(end);
        return stop();
      }
      await settler.settle();
    }
    return true;
  }

  async function advance(ms: number): Promise<void> {
    await pass(ms, () => false);
  }

  async function end(): Promise<void> {
    for (const host of hosts) host.kill();
    relay.crash();
    unwatch();
    await settler.settle();
    settler.close();
  }

  return {
    seed,
    random,
    relay,
    now: () => timeline.now(),
    replica,
    browser,
    heal,
    advance,
    async until(promise, { limitMs = defaultLimitMs } = {}) {
      let settled = false;
      const note = (): void => {
        settled = true;
      };
      Promise.resolve(promise).then(note, note);
      if (await pass(limitMs, () => settled)) return promise;
      throw new RangeError(`Nothing came of the promise in ${limitMs} ms of virtual time (seed ${seed}).`);
    },
    async untilTrue(condition, { limitMs = defaultLimitMs } = {}) {
      if (await pass(limitMs, condition)) return;
      throw new RangeError(`The condition does not hold after ${limitMs} ms of virtual time (seed ${seed}).`);
    },
    async run(steps) {
      for (const { afterMs, act } of steps) {
        await advance(afterMs);
        act();
      }
      await settler.settle();
    },
    get fingerprint() {
      return timeline.fingerprint;
    },
    get events() {
      return timeline.events;
    },
    get realWorld() {
      return [...realWorld];
    },
    close() {
      closing ??= end();
      return closing;
    },
  };
}
