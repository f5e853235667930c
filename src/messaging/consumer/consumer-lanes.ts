import type { Clock, FlockError } from "../../base/index.ts";
import type { Documents } from "../../crdt/index.ts";
import type { ConsumerPositions } from "./consumer-positions.ts";
import type { DeliveryLane } from "./delivery.ts";
import { createTurns } from "./history-turns.ts";
import { createLaneSupply, type GapHandler, type LaneSupply } from "./lane-supply.ts";
import type { LanePage } from "./position.ts";

/** A lane as a consumer reads it. */
export interface ConsumerLane extends DeliveryLane {
  readonly supply: LaneSupply;
  /** What is left of the entries at hand; undefined where they are to be looked at anew. */
  entries: Iterator<{ page: LanePage; index: number }> | undefined;
  /** Whether the position has moved meanwhile, and so there may be more of them. */
  hasMoved: boolean;
  isGone: boolean;
}

/** The lanes of a consumer. */
export interface ConsumerLanes {
  of(id: string): ConsumerLane;
  all(): Iterable<ConsumerLane>;
  /** A lane has departed. */
  forget(id: string): ConsumerLane | undefined;
  close(): void;
}

export interface ConsumerLanesOptions {
  documents: Pick<Documents, "log" | "history">;
  /** Asked for when the first lane is made. */
  positions(): ConsumerPositions;
  clock: Clock;
  onGap: GapHandler | undefined;
  /** Whose they are, for whoever reads of a problem. */
  consumer: string;
  agent: string;
  /** More of a lane is at hand, or its position has jumped. */
  onBrought(lane: ConsumerLane): void;
  onProblem(error: FlockError): void;
}

/** Lanes that fetch from history at once. */
const readingLanes = 4;

/** Creates the lanes of a consumer; each is made when it is first asked for. */
export function createConsumerLanes(options: ConsumerLanesOptions): ConsumerLanes {
  const { onBrought } = options;
  const lanes = new Map<string, ConsumerLane>();
  const turns = createTurns(readingLanes);

  function make(id: string): ConsumerLane {
    const positions = options.positions();
    const supply = createLaneSupply({
      ...options,
      positions,
      lane: id,
      turns,
      onBrought: () => onBrought(lane),
    });
    const lane: ConsumerLane = {
      id,
      supply,
      jobs: 0,
      careful: undefined,
      entries: undefined,
      hasMoved: false,
      isGone: false,
      cursor: () => (lane.isGone ? undefined : positions.cursor(id)),
      pages: supply.pages,
    };
    return lane;
  }

  return {
    of(id) {
      const present = lanes.get(id);
      if (present) return present;
      const made = make(id);
      lanes.set(id, made);
      return made;
    },
    all: () => lanes.values(),
    forget(id) {
      const lane = lanes.get(id);
      if (!lane) return undefined;
      lane.isGone = true;
      lane.supply.close();
      lanes.delete(id);
      return lane;
    },
    close() {
      for (const { supply } of lanes.values()) supply.close();
    },
  };
}
