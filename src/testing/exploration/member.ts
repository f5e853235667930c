import { isFlockError } from "../../base/index.ts";
import type { Room } from "../../room/index.ts";
import type { SimulatedIdentity, SimulatedReplica } from "../simulation/replica.ts";
import type { Simulation } from "../simulation/simulation.ts";

/** What a replica's `open` makes: its room, and whatever acts and checks need besides. */
export interface Furnished {
  readonly room: Room;
}

/** One replica of a flock, over all its restarts. */
export interface FlockReplica {
  name: string;
  /** Default one of its own name. */
  browser?: string;
  identity?: SimulatedIdentity;
  /** How far its clock is ahead of the true time, in milliseconds. Default 0. */
  skewMs?: number;
  /** Whether it is gone for good before the heal. Default false. */
  leaves?: boolean;
}

/** A replica over its restarts: at each moment open, opening, closing, or gone. */
export interface Member<M extends Furnished = Furnished> {
  readonly name: string;
  readonly browser: string;
  readonly leaves: boolean;
  /** The tab, open or opening. */
  readonly replica: SimulatedReplica | undefined;
  /** What `open` made; undefined while it is not open. */
  readonly furnished: M | undefined;
  readonly room: Room | undefined;
  /** Opens it, unless it is open; one that is closing opens once it is closed. */
  open(): void;
  crash(): void;
  close(): void;
  skew(ms: number): void;
  heal(): void;
  /** What kept it from opening or closing, faults of storage aside. */
  readonly failures: readonly unknown[];
}

export interface MemberOptions<M extends Furnished> {
  simulation: Simulation;
  replica: FlockReplica;
  furnish(replica: SimulatedReplica): Promise<M>;
  /** Whether storage may have failed. */
  storageFails(): boolean;
}

const againMs = 1_000;

/** Creates a member that is not open yet. */
export function createMember<M extends Furnished>(options: MemberOptions<M>): Member<M> {
  const { simulation, furnish, storageFails } = options;
  const { name, browser = name, identity, leaves = false } = options.replica;
  const failures: unknown[] = [];
  let skewMs = options.replica.skewMs ?? 0;
  let replica: SimulatedReplica | undefined;
  let furnished: M | undefined;
  let closing: SimulatedReplica | undefined;
  let isWanted = false;
  /** The line of a replica outlives its crashes. */
  let healsAtOpening = false;

  function note(failure: unknown): void {
    const isExpected =
      storageFails() && isFlockError(failure) && /^(crdt\/storage|refstore)/.test(failure.code);
    if (!isExpected) failures.push(failure);
  }

  async function start(own: SimulatedReplica): Promise<void> {
    try {
      const made = await furnish(own);
      if (replica === own) furnished = made;
    } catch (failure) {
      note(failure);
      // As a user who sees that the page did not come up reloads it.
      own.clock.after(againMs, () => {
        if (replica !== own) return;
        crash();
        open();
      });
    }
  }

  function open(): void {
    isWanted = true;
    if (replica || closing) return;
    const own = simulation.replica(name, { browser, skewMs, ...(identity && { identity }) });
    replica = own;
    if (healsAtOpening) own.heal();
    healsAtOpening = false;
    void start(own);
  }

  function crash(): void {
    isWanted = false;
    const own = replica ?? closing;
    replica = undefined;
    furnished = undefined;
    closing = undefined;
    own?.crash();
  }

  async function finish(own: SimulatedReplica, room: Room): Promise<void> {
    await room.close().catch(note);
    if (closing !== own) return;
    own.crash();
    closing = undefined;
    if (isWanted) open();
  }

  return {
    name,
    browser,
    leaves,
    get replica() {
      return replica;
    },
    get furnished() {
      return furnished;
    },
    get room() {
      return furnished?.room;
    },
    open,
    crash,
    close() {
      if (!replica || !furnished) return;
      isWanted = false;
      closing = replica;
      const { room } = furnished;
      replica = undefined;
      furnished = undefined;
      void finish(closing, room);
    },
    skew(ms) {
      skewMs = ms;
      replica?.skew(ms);
    },
    heal() {
      if (replica) replica.heal();
      else healsAtOpening = true;
    },
    failures,
  };
}
