import { FlockError, isFlockError } from "../../base/index.ts";
import type { Documents } from "../../crdt/index.ts";
import { type Message, type ReceivedMessage, readMessage } from "../message/message.ts";
import type { Delivery } from "./delivery.ts";
import type { Schedule } from "./schedule.ts";
import type { Timer } from "./timer.ts";

/** Gives a delivery what its handler needs: the message that a redrive names, the word on others of its key, the content. */
export interface Preparing<D extends Delivery> {
  prepare(delivery: D): void;
  /** Ends what is waited for; tells whether a hand was kept for it. */
  drop(delivery: D): boolean;
  /** Takes the hands of those that have waited for too long. */
  endOverdue(now: number): void;
  overdueNext(): number | undefined;
  close(): void;
}

export interface PreparingOptions<D extends Delivery> {
  history: Pick<Documents["history"], "entry">;
  schedule: Pick<Schedule<D>, "defer">;
  timer: Pick<Timer, "now" | "whenWallIs">;
  resolve(message: Message, signal: AbortSignal): ReceivedMessage | Promise<ReceivedMessage>;
  duplicateOf:
    | ((
        message: Message,
        isDone: (id: string) => boolean,
        signal: AbortSignal,
      ) => Promise<{ readonly isDone: boolean } | undefined>)
    | undefined;
  /** Whether the consumer is past a message. */
  isDone(id: string): boolean;
  /** Whether a message that a redrive names is for the consumer. */
  takes(message: Message): boolean;
  onReady(delivery: D, received: ReceivedMessage): void;
  /** There is nothing to handle in it. */
  onNothing(delivery: D): void;
  /** Nobody here can read it. */
  onUnreadable(delivery: D, reason: string, cause?: unknown): void;
  onFailed(delivery: D, failure: unknown): void;
  onChange(): void;
}

/** After this what a redrive names is looked for again in a history that is out of reach. */
const outOfReachMs = 5_000;
/** So long after it was found that another message of its key is to be handled first, that is looked at again. */
const sameKeyMs = 1_000;
/** What has waited so long lets another have its hand; twice as long each time that it came too late for that. */
const patienceMs = 1_000;

/** Creates the preparing of a consumer's deliveries. */
export function createPreparing<D extends Delivery>(options: PreparingOptions<D>): Preparing<D> {
  const { history, schedule, timer, resolve, duplicateOf, isDone, takes, onChange } = options;
  const { onReady, onNothing, onUnreadable, onFailed } = options;
  /** For what holds no reference, which is not cut off before the end. */
  const lifetime = new AbortController();
  /** What has a hand while it waits, by when it loses it. */
  const waiting = new Map<D, number>();
  let isClosed = false;

  function readRedriven(delivery: D, message: Message | undefined): void {
    delivery.message = message;
    if (!message) onUnreadable(delivery, "No message has this id.");
    else if (takes(message)) provide(delivery, message);
    else onNothing(delivery);
  }

  function provide(delivery: D, message: Message): void {
    let received: ReceivedMessage | Promise<ReceivedMessage>;
    try {
      received = resolve(message, message.reference ? signalOf(delivery) : lifetime.signal);
    } catch (failure) {
      fail(delivery, failure);
      return;
    }
    if (received instanceof Promise) wait(delivery, received, (content) => onReady(delivery, content));
    else onReady(delivery, received);
  }

  function wait<T>(delivery: D, coming: Promise<T>, then: (value: T) => void): void {
    delivery.pending = coming;
    waiting.set(delivery, timer.now() + patienceMs * 2 ** delivery.timesLate);
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
        if (waiting.delete(delivery)) then(value);
        else askAgain(delivery);
      },
      (failure: unknown) => {
        if (!hasCome()) return;
        waiting.delete(delivery);
        fail(delivery, failure);
      },
    );
  }

  /** Content may be large, and all that is late would be held until there is a hand: it is had sooner from now on. */
  function askAgain(delivery: D): void {
    delivery.timesLate++;
    schedule.defer(delivery, timer.now());
  }

  function takeHand(delivery: D): void {
    waiting.delete(delivery);
    const expiresAt = delivery.isRedriven ? undefined : delivery.message?.expiresAt;
    schedule.defer(
      delivery,
      expiresAt === undefined ? Number.POSITIVE_INFINITY : timer.whenWallIs(expiresAt),
    );
  }

  function fail(delivery: D, failure: unknown): void {
    if (isUnreadable(failure)) onUnreadable(delivery, failure.message, failure);
    else if (!delivery.message && isFlockError(failure, "refstore/unavailable")) {
      schedule.defer(delivery, timer.now() + outOfReachMs);
    } else onFailed(delivery, failure);
  }

  return {
    prepare(delivery) {
      const { message, isRedriven, messageId } = delivery;
      if (!message) {
        wait(delivery, history.entry(messageId, { signal: signalOf(delivery) }), (entry) =>
          readRedriven(delivery, entry && readMessage(entry)),
        );
      } else if (duplicateOf && message.idempotencyKey !== undefined && !isRedriven) {
        wait(delivery, duplicateOf(message, isDone, signalOf(delivery)), (other) => {
          if (!other) provide(delivery, message);
          else if (other.isDone) onNothing(delivery);
          else schedule.defer(delivery, timer.now() + sameKeyMs);
        });
      } else provide(delivery, message);
    },
    drop(delivery) {
      delivery.pending = undefined;
      return waiting.delete(delivery);
    },
    endOverdue(now) {
      for (const [delivery, at] of waiting) if (at <= now) takeHand(delivery);
    },
    overdueNext: () => (waiting.size === 0 ? undefined : Math.min(...waiting.values())),
    close() {
      isClosed = true;
      lifetime.abort(new FlockError("crdt/closed", "The consumer has stopped."));
    },
  };
}

function signalOf(delivery: Delivery): AbortSignal {
  delivery.cutOff ??= new AbortController();
  return delivery.cutOff.signal;
}

function isUnreadable(failure: unknown): failure is FlockError {
  return (
    isFlockError(failure, "messaging/invalid-content") ||
    isFlockError(failure, "messaging/invalid-message") ||
    isFlockError(failure, "crdt/history-lost")
  );
}
