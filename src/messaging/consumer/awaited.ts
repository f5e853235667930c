import type { Delivery } from "./delivery.ts";

/** What deliveries wait for before their handler can have them; what comes too late for a hand is asked for anew. */
export interface Awaited<D extends Delivery> {
  /** Goes on with what comes, or with why it does not. */
  wait<T>(
    delivery: D,
    coming: Promise<T>,
    then: (value: T) => void,
    failed: (failure: unknown) => void,
  ): void;
  /** It waits no longer; tells whether it had a hand. */
  drop(delivery: D): boolean;
  /** Takes the hands of those that have waited for too long. */
  endOverdue(now: number): void;
  overdueNext(): number | undefined;
  close(): void;
}

export interface AwaitedOptions<D extends Delivery> {
  now(): number;
  /** Another may have its hand. */
  onHandLost(delivery: D): void;
  /** What came was too late for it. */
  onLate(delivery: D): void;
  onChange(): void;
}

/** What has waited so long lets another have its hand. */
const patienceMs = 1_000;

/** Creates the waiting of a consumer's deliveries. */
export function createAwaited<D extends Delivery>(options: AwaitedOptions<D>): Awaited<D> {
  const { now, onHandLost, onLate, onChange } = options;
  /** What has a hand meanwhile, by when it loses it; in the order of that. */
  const inHand = new Map<D, number>();
  let isClosed = false;

  return {
    wait(delivery, coming, then, failed) {
      delivery.pending = coming;
      inHand.set(delivery, now() + patienceMs);
      /** False where it waits for something else by now, or for nothing. */
      const hasCome = (): boolean => {
        if (isClosed || delivery.pending !== coming) return false;
        delivery.pending = undefined;
        onChange();
        return true;
      };
      coming.then(
        (value) => {
          if (!hasCome()) return;
          if (inHand.delete(delivery)) then(value);
          else onLate(delivery);
        },
        (failure: unknown) => {
          if (!hasCome()) return;
          inHand.delete(delivery);
          failed(failure);
        },
      );
    },
    drop: (delivery) => inHand.delete(delivery),
    endOverdue(time) {
      for (const [delivery, at] of inHand) {
        if (at > time) return;
        inHand.delete(delivery);
        onHandLost(delivery);
      }
    },
    overdueNext: () => inHand.values().next().value,
    close() {
      isClosed = true;
    },
  };
}
