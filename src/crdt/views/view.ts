import type { Clock, Closable, Emitter, FlockError, Timestamp, Undo } from "../../base/index.ts";
import type { Entry } from "../lanes/entry.ts";
import type { Lanes } from "./lanes.ts";
import type { Order } from "./order.ts";
import type { SnapshotStorage } from "./snapshots.ts";

/** What an arrival did to a key. */
export interface ViewChange<State> {
  readonly key: string;
  /** Undefined where the view had no such key. */
  readonly before: State | undefined;
  readonly after: State;
}

/** `loading`: entries of the key are being read from history. `waiting`: one waits for a parent that may still come. */
export type KeyStatus = "ready" | "loading" | "waiting";

/** A view at work on a room's lanes. */
export interface View<State> extends Closable {
  /** The state of a key: of what is known here, while the key is not `ready`. Undefined where the view has no such key. */
  get(key: string): State | undefined;
  keys(): Iterable<string>;
  /** The live entries folded for a key, in their order. */
  entries(key: string): readonly Entry[];
  /** Undefined where nothing of the key is in memory. */
  status(key: string): KeyStatus | undefined;
  /**
   * Resolves once the view holds all that it is opened over; at once where nothing has to be read. Waits for the network
   * where sealed pages have to come from there. A lane that lies, or whose pages nobody has, is told as a problem, left
   * out and tried again. Rejects with `crdt/closed` where the view closes before.
   */
  readonly ready: Promise<void>;
  /**
   * The state of a key, also of one that was closed and let go of: from memory, the view's snapshot, or all of history.
   *
   * @throws `crdt/closed`, and `refstore/unavailable` where history has to be read and is out of reach
   */
  fetch(key: string, options?: { signal?: AbortSignal }): Promise<State | undefined>;
  /** Called with each key that an arrival touched, once for each arrival. */
  subscribe(listener: (keys: readonly string[]) => void): Undo;
  /** Called once for each key whose state an arrival really changed; never with what the view was opened over. */
  onChange(listener: (change: ViewChange<State>) => void): Undo;
}

export interface ViewOptions {
  /**
   * Whether every key stays in memory. Without it, in a view with `isClosed`, closed keys leave memory once their pages
   * are sealed, and `fetch` finds them; a view without `isClosed` is then a window on what is live, whose states no two
   * replicas need share. Any other view folds all that there ever was, and reads what is sealed in the background: the
   * first time all of it, then what its `snapshot` lacks. Default: true, unless the definition has `isClosed`.
   */
  history?: boolean;
}

/** What a view works with. */
export interface ViewPorts {
  lanes: Lanes;
  order: Order;
  clock: Clock;
  /** Where snapshots are kept; none are where it is absent. */
  storage?: SnapshotStorage;
  /** Told when what was out of reach may be had again. */
  reachable: Emitter<void>;
  onProblem(error: FlockError): void;
}

/** A view as moments open it: up to a clock. */
export interface BoundedViewOptions extends ViewOptions {
  /** Entries whose effective clock is later are left out. */
  until?: Timestamp;
}
