import type { Clock, Undo } from "../../base/index.ts";
import type { Pen } from "../../crdt/index.ts";
import { maxAhead } from "../../protocol/index.ts";
import type { ReceivedMessage } from "../message/message.ts";
import type { Delivery } from "./delivery.ts";
import type { Publisher } from "./publisher.ts";

/** Deliveries that are counted in the register, on disk, before they begin: their page may die of them. */
export interface StoredCounts<D extends Delivery> {
  /** Whether a delivery is to be one, where it is not the message's first or its lane's first ones here. */
  isNeeded(delivery: D): boolean;
  add(delivery: D, received: ReceivedMessage): void;
  /** Stores what was added, and then has it begin. */
  store(): void;
  /** A delivery is over. */
  settled(delivery: D): void;
  close(): void;
}

export interface StoredCountsOptions<D extends Delivery> {
  order: "lane" | "none";
  maxDeliver: number;
  writer: Pick<Pen, "flush">;
  clock: Clock;
  publisher: Publisher;
  count(delivery: D): void;
  begin(delivery: D, received: ReceivedMessage): void;
  onChange(): void;
}

type Waiting<D> = readonly [delivery: D, received: ReceivedMessage];

/** From this delivery on, or from the last one, a message of which pages may have died begins alone, ... */
const aloneFrom = 3;
/** ... until it is over, or, while it is not the last one, its page has survived it for so long. */
const aloneMs = 1_000;

/** Creates the counting of a consumer's deliveries. */
export function createStoredCounts<D extends Delivery>(options: StoredCountsOptions<D>): StoredCounts<D> {
  const { order, maxDeliver, writer, clock, publisher, count, begin, onChange } = options;
  // A first delivery is nobody's to suspect.
  const suspectFrom = Math.max(2, Math.min(aloneFrom, maxDeliver));
  let together: Waiting<D>[] = [];
  const alone: Waiting<D>[] = [];
  let isAlone = false;
  let isClosed = false;
  /** The delivery that is alone, and what ends that. */
  let only: { delivery: D; end: () => void } | undefined;
  let cancel: Undo = () => undefined;

  async function storeAll(batch: readonly Waiting<D>[]): Promise<void> {
    for (const [delivery] of batch) count(delivery);
    publisher.publish();
    // With it goes what was done before: who is not the cause is not there to be suspected again.
    await writer.flush();
    for (const [delivery, received] of batch) if (!isClosed) begin(delivery, received);
    onChange();
  }

  async function storeAlone(): Promise<void> {
    if (isAlone) return;
    isAlone = true;
    for (let next = alone.shift(); next && !isClosed; next = alone.shift()) {
      const [delivery] = next;
      await storeAll([next]);
      if (!delivery.attempt) continue;
      await new Promise<void>((end) => {
        only = { delivery, end };
        if (delivery.number < maxDeliver) cancel = clock.after(aloneMs, end);
      });
      cancel();
      only = undefined;
    }
    isAlone = false;
  }

  /** The first of a lane; where one did not come to its end before, all that may be among those with it. */
  function firstOf({ lane }: D): number {
    return order === "none" || lane.cursor()?.record().tries ? maxAhead : 1;
  }

  return {
    isNeeded(delivery) {
      const { lane } = delivery;
      lane.careful ??= firstOf(delivery);
      if (lane.careful === 0) return delivery.number > 1;
      lane.careful--;
      return true;
    },
    add(delivery, received) {
      const isSuspect = delivery.number >= suspectFrom && !delivery.hasRun;
      (isSuspect ? alone : together).push([delivery, received]);
    },
    store() {
      if (alone.length > 0) void storeAlone();
      if (together.length === 0) return;
      const batch = together;
      together = [];
      void storeAll(batch);
    },
    settled(delivery) {
      if (only?.delivery === delivery) only.end();
    },
    close() {
      isClosed = true;
      cancel();
      only?.end();
    },
  };
}
