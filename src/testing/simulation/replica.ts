import type { Clock } from "../../base/index.ts";
import type { StateSchema } from "../../crdt/index.ts";
import { type TokenScope, tokenScopes } from "../../protocol/index.ts";
import { openRoom, type Room, type RoomOptions, type RoomPlatform } from "../../room/index.ts";
import type { Profile, SimulatedBrowser } from "./browser.ts";
import type { Host } from "./host.ts";
import type { CutOptions, Line, PartitionOptions } from "./network.ts";
import { createSimulatedPersistence } from "./persistence.ts";
import { sealGrant } from "./tokens.ts";

/** One tab, from its opening until it is closed or crashes. */
export interface SimulatedReplica {
  readonly name: string;
  /** False after `crash`. */
  readonly alive: boolean;
  /** The browser that the tab is in. */
  readonly browser: SimulatedBrowser;
  /** The tab's own time: its timers die with it. */
  readonly clock: Clock;
  /** What a room takes of the machine; `open` hands it in. */
  readonly platform: RoomPlatform;
  /** Opens a room in this tab, at the simulated relay, with the replica's tokens. Wait for it with `simulation.until`. */
  open<S extends StateSchema = Record<never, never>>(
    room: string,
    options?: Omit<RoomOptions<S>, "relay">,
  ): Promise<Room<S>>;
  /** Breaks the connection to the relay, once. */
  cut(options?: CutOptions): void;
  /** Keeps the replica off the network until `heal`, over its crashes too. */
  partition(options?: PartitionOptions): void;
  heal(): void;
  /** Sets how far the tab's clock is ahead of the true time, in milliseconds; less than 0 is behind. No heal mends it. */
  skew(ms: number): void;
  /** Hides the tab: its timers go off once a minute, and its sockets and channels go on. */
  hide(): void;
  /** Shows it again; timers that are overdue go off at once. */
  show(): void;
  /**
   * Kills the tab without a goodbye: its timers never go off, its sockets break, its locks are free, and of the
   * writes that its disk had not done only a first part still happens. The browser's disk stays.
   */
  crash(): void;
}

/** Whom a replica's tokens speak for and what they allow. */
export interface SimulatedIdentity {
  principal: string;
  /** Default every one but `admin`. */
  scopes?: readonly TokenScope[];
  /** How long a token holds. Default ten minutes. */
  tokenLifeMs?: number;
}

export interface ReplicaOptions {
  /** Without one it brings no token. */
  identity: SimulatedIdentity | undefined;
  host: Host;
  browser: Profile;
  line: Line;
  /** The true time, by which tokens are issued. */
  now(): number;
  relayUrl: string;
  random: NonNullable<RoomPlatform["random"]>;
  fetch: typeof fetch;
}

const usualScopes = tokenScopes.filter((scope) => scope !== "admin");
const usualLifeMs = 10 * 60_000;

/** Creates a tab in a browser. */
export function createSimulatedReplica(options: ReplicaOptions): SimulatedReplica {
  const { host, browser, line, now, relayUrl, random, fetch, identity } = options;
  let tokens = 0;

  function mint({ principal, scopes = usualScopes, tokenLifeMs = usualLifeMs }: SimulatedIdentity): string {
    const issuedAt = now();
    const tokenId = `${host.name}-${++tokens}`;
    return sealGrant({ principal, scopes, tokenId, issuedAt, expiresAt: issuedAt + tokenLifeMs });
  }

  const platform: RoomPlatform = {
    persistence: createSimulatedPersistence(browser.disk, browser.locks, host),
    openReferences: (name) => browser.references.open(name),
    openSocket: line.openSocket,
    openTabChannel: browser.tabChannels.portOf(host),
    watchConnectivity: () => () => {},
    fetch,
    clock: host.clock,
    random,
  };
  return {
    name: host.name,
    get alive() {
      return host.alive;
    },
    browser,
    clock: host.clock,
    platform,
    open: (room, roomOptions) =>
      openRoom(room, {
        platform,
        ...(identity && { principal: identity.principal, token: () => mint(identity) }),
        ...roomOptions,
        relay: relayUrl,
      }),
    cut: (cutOptions) => line.cut(cutOptions),
    partition: (cutOptions) => line.partition(cutOptions),
    heal: () => line.heal(),
    skew(ms) {
      host.skewMs = ms;
    },
    hide() {
      host.hidden = true;
    },
    show() {
      host.hidden = false;
    },
    crash: () => host.kill(),
  };
}
