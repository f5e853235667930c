import type { SimulatedRandom } from "../simulation/random.ts";
import type { Simulation } from "../simulation/simulation.ts";
import type { FlockStep } from "./flock-step.ts";
import type { Member } from "./member.ts";

/** Everything that may befall a flock, by name. */
export type FaultName =
  /** The connection breaks, and the replica hears of it. */
  | "cut"
  /** It breaks, and nobody is told. */
  | "silentCut"
  /** Off the network for a while; `mute` and `deaf` in one direction alone. */
  | "partition"
  | "mute"
  | "deaf"
  /** The application leaves the network for a while. */
  | "offline"
  /** The tab dies, and is opened again later; `close` with a goodbye. */
  | "crash"
  | "close"
  /** The tab is hidden for a while. */
  | "hide"
  /** The clock jumps. */
  | "skew"
  /** The browser's disk is full, slow, or aborts transactions for a while. */
  | "fullDisk"
  | "slowDisk"
  | "abortedWrites"
  /** Messages between tabs are doubled and overtake each other for a while. */
  | "noisyTabs"
  /** All tabs die, and what was not yet synced is lost. */
  | "powerLoss"
  /** Storage is lost with the tabs closed; `clearData` under open ones, which are reloaded later. */
  | "wipe"
  | "clearData"
  /** The profile is copied, and both go on. */
  | "clone"
  | "relayCrash"
  | "relaySleep"
  | "relayReset"
  | "slowRelay"
  /** References: uploads are answered 503, answers come late, the bytes of one are lost. */
  | "failedUploads"
  | "lateReferences"
  | "lostReference";

/** How likely each fault is beside others and beside acts. */
export type FaultMix = Readonly<Partial<Record<FaultName, number>>>;

/**
 * What a flock must survive without losing anything: all but loss of storage and of power, copied profiles, and bytes
 * that the relay lost. Add those with a weight of your own.
 */
export const defaultFaults: FaultMix = {
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
  slowDisk: 1,
  relayCrash: 2,
  relaySleep: 2,
  relayReset: 1,
  slowRelay: 1,
  failedUploads: 1,
  lateReferences: 1,
};

/** What a fault is given. */
export interface FaultScene {
  simulation: Simulation;
  /** Whom it is about; undefined for the relay's. */
  member: Member | undefined;
  /** Every replica in the member's browser. */
  neighbours: readonly Member[];
  step: FlockStep;
  /** Opens a copy of a member in a browser. */
  addCopy(of: Member, browser: string): void;
}

/** How a fault is drawn and done. */
export interface Fault {
  /** Whether a replica suffers it; else the relay does. */
  readonly isLocal: boolean;
  /** Whether what is stored may be lost or refused by it. */
  readonly isOfStorage?: true;
  draw(random: SimulatedRandom): Pick<FlockStep, "forMs" | "value">;
  /** Begins it; the result ends it. */
  begin(scene: FaultScene): (() => void) | undefined;
}

const hourMs = 3_600_000;

const briefly = (random: SimulatedRandom): number => random.pick([200, 2_000, 20_000, 120_000]);
const nothing = (): Pick<FlockStep, "forMs" | "value"> => ({});
const lasting = (random: SimulatedRandom): Pick<FlockStep, "forMs"> => ({ forMs: briefly(random) });

/** Something that the member's tab suffers, and that ends with `undo`. */
function ofTab(
  begin: (member: Member, step: FlockStep) => void,
  undo?: (member: Member) => void,
  draw: Fault["draw"] = undo ? lasting : nothing,
): Fault {
  return {
    isLocal: true,
    draw,
    begin({ member, step }) {
      if (!member) return undefined;
      begin(member, step);
      return undo && (() => undo(member));
    },
  };
}

/** Something that all tabs of a browser suffer: they die, something happens to the profile, and they come back. */
function ofProfile(happen: (scene: FaultScene, browser: string) => void): Fault {
  return {
    isLocal: true,
    isOfStorage: true,
    draw: lasting,
    begin(scene) {
      const { member, neighbours } = scene;
      if (!member) return undefined;
      for (const each of neighbours) each.crash();
      happen(scene, member.browser);
      return () => {
        for (const each of neighbours) each.open();
      };
    },
  };
}

type BrowserImpairment = Parameters<ReturnType<Simulation["browser"]>["impair"]>[0];

function impairedBrowser(
  worse: (step: FlockStep) => BrowserImpairment,
  sound: BrowserImpairment,
  draw: Fault["draw"],
): Fault {
  return {
    isLocal: true,
    isOfStorage: true,
    draw,
    begin({ simulation, member, step }) {
      if (!member) return undefined;
      const browser = simulation.browser(member.browser);
      browser.impair(worse(step));
      return () => browser.impair(sound);
    },
  };
}

type RelayImpairment = Parameters<Simulation["relay"]["impair"]>[0];

function impairedRelay(
  worse: (step: FlockStep) => RelayImpairment,
  sound: RelayImpairment,
  draw: Fault["draw"],
): Fault {
  return {
    isLocal: false,
    draw,
    begin({ simulation: { relay }, step }) {
      relay.impair(worse(step));
      return () => relay.impair(sound);
    },
  };
}

function ofRelay(
  begin: (simulation: Simulation, step: FlockStep) => void,
  draw: Fault["draw"] = nothing,
): Fault {
  return {
    isLocal: false,
    draw,
    begin({ simulation, step }) {
      begin(simulation, step);
      return undefined;
    },
  };
}

const bySome =
  (...values: readonly number[]): Fault["draw"] =>
  (random) => ({ ...lasting(random), value: random.pick(values) });

/** Every fault, and what it does. */
export const faults: Readonly<Record<FaultName, Fault>> = {
  cut: ofTab(({ replica }) => replica?.cut()),
  silentCut: ofTab(({ replica }) => replica?.cut({ silent: true })),
  partition: ofTab(
    ({ replica }) => replica?.partition(),
    ({ heal }) => heal(),
  ),
  mute: ofTab(
    ({ replica }) => replica?.partition({ way: "up" }),
    ({ heal }) => heal(),
  ),
  deaf: ofTab(
    ({ replica }) => replica?.partition({ way: "down" }),
    ({ heal }) => heal(),
  ),
  offline: ofTab(
    ({ room }) => room?.disconnect(),
    ({ room }) => room?.connect(),
  ),
  crash: ofTab(
    (member) => member.crash(),
    (member) => member.open(),
  ),
  close: ofTab(
    (member) => member.close(),
    (member) => member.open(),
  ),
  hide: ofTab(
    ({ replica }) => replica?.hide(),
    ({ replica }) => replica?.show(),
  ),
  skew: ofTab(
    (member, { value = 0 }) => member.skew(value),
    undefined,
    (random) => ({ value: random.pick([-30 * 24, -24, -1, 1, 24, 30 * 24]) * hourMs }),
  ),
  fullDisk: impairedBrowser(() => ({ full: true }), { full: false }, lasting),
  slowDisk: impairedBrowser(({ value = 0 }) => ({ slowMs: value }), { slowMs: 0 }, bySome(50, 500, 5_000)),
  abortedWrites: impairedBrowser(({ value = 0 }) => ({ aborted: value }), { aborted: 0 }, bySome(0.1, 0.5)),
  noisyTabs: impairedBrowser(
    () => ({ tabChannels: { delayMs: 20, duplicate: 0.2, drop: 0, reorder: true } }),
    { tabChannels: { delayMs: 20, duplicate: 0, drop: 0, reorder: false } },
    lasting,
  ),
  powerLoss: ofProfile(({ simulation }, browser) => simulation.browser(browser).losePower()),
  wipe: ofProfile(({ simulation }, browser) => simulation.browser(browser).wipe()),
  clearData: {
    isLocal: true,
    isOfStorage: true,
    draw: lasting,
    begin({ simulation, member, neighbours }) {
      if (!member) return undefined;
      simulation.browser(member.browser).wipe();
      return () => {
        for (const each of neighbours) {
          each.crash();
          each.open();
        }
      };
    },
  },
  clone: {
    isLocal: true,
    isOfStorage: true,
    draw: nothing,
    begin({ simulation, member, neighbours, addCopy }) {
      if (!member) return undefined;
      const copy = `${member.browser}-copy-${simulation.events}`;
      simulation.browser(member.browser).clone(copy);
      for (const each of neighbours) addCopy(each, copy);
      return undefined;
    },
  },
  relayCrash: {
    isLocal: false,
    draw: lasting,
    begin({ simulation: { relay } }) {
      relay.crash();
      return () => relay.start();
    },
  },
  relaySleep: ofRelay(({ relay }) => relay.sleep()),
  relayReset: ofRelay(({ relay }) => relay.reset()),
  slowRelay: impairedRelay(({ value = 0 }) => ({ slowMs: value }), { slowMs: 0 }, bySome(200, 2_000)),
  failedUploads: impairedRelay(
    ({ value = 0 }) => ({ failedUploads: value }),
    { failedUploads: 0 },
    bySome(0.5, 1),
  ),
  lateReferences: impairedRelay(
    ({ value = 0 }) => ({ lateBlobsMs: value }),
    { lateBlobsMs: 0 },
    bySome(1_000, 60_000),
  ),
  lostReference: ofRelay(
    ({ relay }, { value = 0 }) => {
      const ids = relay.references();
      const id = ids[Math.floor(value * ids.length)];
      if (id !== undefined) relay.loseReference(id);
    },
    (random) => ({ value: random.fraction() }),
  ),
};

/** The names of all faults. */
export const faultNames = Object.keys(faults) as FaultName[];
