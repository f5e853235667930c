import type { Documents, Entry } from "../../crdt/index.ts";
import type { ConsumerLane } from "./consumer-lanes.ts";
import type { ConsumerPositions } from "./consumer-positions.ts";
import { createDelivery, type Delivery, type WantedOptions, wantedOf } from "./delivery.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import type { LanePage } from "./position.ts";
import type { Schedule } from "./schedule.ts";
import type { Share } from "./share.ts";

export type LaneDelivery = Delivery<ConsumerLane>;

/** Offers a consumer's schedule what its lanes bring. */
export interface Offering {
  /** Looks at a lane as far as the schedule has room for it, and passes what is for others. */
  look(lane: ConsumerLane, now: number): void;
  /** Whether a delivery is still this writer's to handle. */
  isMine(delivery: LaneDelivery): boolean;
}

export interface OfferingOptions extends WantedOptions {
  order: "lane" | "none";
  documents: Pick<Documents, "isHere">;
  positions: ConsumerPositions;
  schedule: Schedule<LaneDelivery>;
  share: Share;
  /** Lanes that need not wait until the agent's other registers are known. */
  knownLanes: ReadonlySet<string> | undefined;
  /** Whether they are. */
  isCaughtUp(): boolean;
  /** What the position has not passed yet, by the entry. */
  deliveries: Map<string, LaneDelivery>;
  /** Gives up what is not to be handled any more; false where it is. */
  refuse(delivery: LaneDelivery): boolean;
  /** Something was passed. */
  onPassed(): void;
}

/** Sealed pages of a lane that are brought past what is not done: the 256 entries of a position may be of several. */
const pagesAhead = 8;

/** Creates the offering of a consumer. */
export function createOffering(options: OfferingOptions): Offering {
  const { group, order, documents, positions, schedule, share } = options;
  const { knownLanes, isCaughtUp, deliveries, refuse, onPassed } = options;

  function mayTake(lane: string): boolean {
    if (isCaughtUp()) return true;
    // What a group has handled, only registers of others say.
    return group === undefined && (documents.isHere(lane) || knownLanes?.has(lane) === true);
  }

  function mayHold(lane: string): boolean {
    return mayTake(lane) && share.mayHold(lane);
  }

  function isMine({ lane, entry, messageId, message }: LaneDelivery): boolean {
    return mayTake(lane.id) && share.isMine(entry, messageId, message);
  }

  function open(lane: ConsumerLane, cursor: LaneCursor, pages: readonly LanePage[]) {
    lane.hasMoved = false;
    return cursor.open(pages)[Symbol.iterator]();
  }

  /** Nothing at hand is left to offer. */
  function atEnd(lane: ConsumerLane): void {
    const { id, supply } = lane;
    if (supply.lacks()) {
      if (mayHold(id) && supply.ahead() < pagesAhead) supply.bring();
    } else if (isRead(lane) && supply.rest()) onPassed();
  }

  function isRead({ id, supply }: ConsumerLane): boolean {
    return positions.cursor(id).open(supply.pages())[Symbol.iterator]().next().done === true;
  }

  return {
    isMine,
    look(lane, now) {
      if (lane.isGone) return;
      if (!positions.isPlaced(lane.id)) {
        if (mayHold(lane.id)) lane.supply.place();
        return;
      }
      const cursor = positions.cursor(lane.id);
      const pages = lane.supply.pages();
      while (schedule.hasRoom(lane)) {
        lane.entries ??= open(lane, cursor, pages);
        const { done, value } = lane.entries.next();
        if (done) {
          lane.entries = undefined;
          if (lane.hasMoved) continue;
          atEnd(lane);
          return;
        }
        const { page, index } = value;
        const entry = page.entries[index] as Entry;
        if (deliveries.has(entry.id)) continue;
        const wanted = wantedOf(entry, options);
        if (!wanted) {
          cursor.pass(pages, page.name, index, index + 1);
          onPassed();
          continue;
        }
        const delivery = createDelivery(lane, entry, wanted);
        if (isMine(delivery)) {
          deliveries.set(entry.id, delivery);
          if (!refuse(delivery)) schedule.add(delivery, now);
        } else if (order === "lane") {
          lane.entries = undefined;
          return;
        }
      }
    },
  };
}
