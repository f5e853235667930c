import { type Clock, FlockError } from "../../base/index.ts";
import type { Pen } from "../../crdt/index.ts";
import type { DeadLetterBody } from "../../protocol/index.ts";
import type { Message, ReceivedMessage } from "../message/message.ts";
import type { Responder } from "../requests/responder.ts";
import type { Delivery, Verdict } from "./delivery.ts";
import { type DeliveryRules, retryAfterMs } from "./delivery-rules.ts";
import { createGivingUp, exhausted } from "./giving-up.ts";
import { acknowledged, createAttempt, type MessageHandler, type Word } from "./handler-context.ts";
import { createPreparing, type PreparingOptions } from "./preparing.ts";
import type { Publisher } from "./publisher.ts";
import type { Schedule } from "./schedule.ts";
import { createStoredCounts } from "./stored-counts.ts";

/** Handles what the schedule puts into its hands, and says what became of it. */
export interface Handling<D extends Delivery> {
  /** Has a delivery handled that is in hand. */
  start(delivery: D): void;
  /** Gives up what is not to be handled any more; false where it is. The schedule has it no longer, or never had. */
  refuse(delivery: D): boolean;
  /** The message was taken back. */
  cancel(delivery: D): void;
  /** It is not to be handled here any more. */
  drop(delivery: D): void;
  /** Counts what waits for that on disk, and then has it handled. */
  store(): void;
  /** Ends what has been without a word for too long. */
  endOverdue(now: number): void;
  /** When the next one will have been. */
  overdueNext(): number | undefined;
  /** Counts what is being handled, for it to be published. */
  count(): void;
  /** Ends what is being done for these. */
  close(deliveries: Iterable<D>): void;
}

type Prepared<D extends Delivery> = Pick<
  PreparingOptions<D>,
  "history" | "timer" | "resolve" | "duplicateOf" | "isDone" | "takes"
>;

export interface HandlingOptions<D extends Delivery> extends Prepared<D> {
  name: string;
  agent: string;
  rules: DeliveryRules;
  handler: MessageHandler;
  responder: Responder;
  where: ((message: Message) => boolean) | undefined;
  writer: Pen;
  clock: Clock;
  schedule: Schedule<D>;
  publisher: Publisher;
  cancelled: ((id: string) => string | undefined) | undefined;
  giveUp(letter: DeadLetterBody, restsOn: readonly string[]): Promise<void>;
  /** The delivery is over, and the position may pass its entry. */
  onDone(delivery: D): void;
  /** The schedule is to be looked at again; a lane may have room in it. */
  onChange(lane?: D["lane"]): void;
  onProblem(error: FlockError): void;
}

/** After this a letter that could not be written is written again. */
const lostLetterMs = 1_000;

/** Creates the handling of a consumer's messages. */
export function createHandling<D extends Delivery>(options: HandlingOptions<D>): Handling<D> {
  const { name, agent, rules, handler, responder, where, writer, clock, timer, schedule, publisher } =
    options;
  const { cancelled, onDone, onChange, onProblem } = options;
  const { now } = timer;
  /** What handlers have in hand, by when they must have said something; in the order of that. */
  const inFlight = new Map<D, number>();
  let isClosed = false;
  const preparing = createPreparing<D>({
    ...options,
    onReady: deliver,
    onNothing: done,
    onUnreadable: (delivery, reason, cause) =>
      abandon(delivery, { outcome: "unreadable", reason, attempts: triesOf(delivery), cause }),
    onFailed(delivery, cause) {
      number(delivery);
      settled(delivery, { kind: "failed", cause });
    },
  });
  const { order, maxDeliver } = rules;
  const counted = createStoredCounts<D>({
    order,
    maxDeliver,
    writer,
    clock,
    publisher,
    count,
    begin,
    onChange,
  });
  const doom = createGivingUp<D>({
    name,
    agent,
    giveUp: options.giveUp,
    onSaid(delivery) {
      if (!isClosed) onDone(delivery);
    },
    onFailed(delivery) {
      if (isClosed) return;
      schedule.add(delivery, now() + lostLetterMs);
      onChange();
    },
    onProblem,
  });

  function fateOf(delivery: D): Verdict | undefined {
    if (delivery.verdict) return delivery.verdict;
    const attempts = triesOf(delivery);
    return attempts >= rules.maxDeliver ? exhausted(attempts) : lapseOf(delivery, attempts);
  }

  /** Why nobody wants it handled any more. */
  function lapseOf({ message, isRedriven }: D, attempts: number): Verdict | undefined {
    const taken = message && reasonOfCancel(message);
    if (taken !== undefined) return { outcome: "cancelled", reason: taken, attempts };
    if (message?.expiresAt !== undefined && !isRedriven && message.expiresAt <= clock.now()) {
      return { outcome: "expired", reason: "It was not handled before it expired.", attempts };
    }
    return undefined;
  }

  function reasonOfCancel({ role, id }: Message): string | undefined {
    return role === "request" ? cancelled?.(id) : undefined;
  }

  function triesOf({ lane, entry }: D): number {
    return lane.cursor()?.tries(entry.page, entry.index) ?? 0;
  }

  function count(delivery: D): void {
    if (delivery.isCounted) return;
    delivery.isCounted = true;
    delivery.lane.cursor()?.begin(delivery.entry.page, delivery.entry.index);
  }

  function refuse(delivery: D): boolean {
    const verdict = fateOf(delivery);
    if (verdict) doom(delivery, verdict);
    return verdict !== undefined;
  }

  function start(delivery: D): void {
    const verdict = fateOf(delivery);
    if (verdict) abandon(delivery, verdict);
    else preparing.prepare(delivery);
  }

  function number(delivery: D): void {
    delivery.number = triesOf(delivery) + 1;
    delivery.isCounted = false;
  }

  function deliver(delivery: D, received: ReceivedMessage): void {
    number(delivery);
    if (!counted.isNeeded(delivery)) {
      begin(delivery, received);
      return;
    }
    counted.add(delivery, received);
    onChange();
  }

  /** Content and the count on disk are waited for: by then its deadline may have passed, or another have handled it. */
  function begin(delivery: D, received: ReceivedMessage): void {
    const verdict = lapseOf(delivery, delivery.number - 1);
    if (isPassed(delivery)) done(delivery);
    else if (verdict) abandon(delivery, verdict);
    else invoke(delivery, received);
  }

  function isPassed({ lane, entry }: D): boolean {
    return lane.cursor()?.isDone(entry.page, entry.index, lane.pages()) === true;
  }

  function invoke(delivery: D, received: ReceivedMessage): void {
    const attempt = createAttempt({
      number: delivery.number,
      message: received,
      responder,
      onWord: (word) => settled(delivery, word),
      onWorking() {
        inFlight.delete(delivery);
        inFlight.set(delivery, now() + rules.ackWaitMs);
      },
    });
    delivery.attempt = attempt;
    delivery.hasRun = true;
    const fail = (cause: unknown): void => attempt.settle({ kind: "failed", cause });
    let result: unknown;
    try {
      const message = delivery.message as Message;
      if (where && !where(message)) {
        attempt.settle(acknowledged);
        return;
      }
      result = handler(received, attempt.context);
      if (!isThenable(result)) {
        attempt.settle(acknowledged);
        return;
      }
    } catch (cause) {
      fail(cause);
      return;
    }
    if (delivery.attempt === attempt) inFlight.set(delivery, now() + rules.ackWaitMs);
    Promise.resolve(result).then(() => attempt.settle(acknowledged), fail);
  }

  function settled(delivery: D, word: Word): void {
    delivery.attempt = undefined;
    inFlight.delete(delivery);
    counted.settled(delivery);
    if (isClosed) return;
    onChange();
    if (word.kind === "ack") done(delivery);
    else if (word.kind === "term") {
      abandon(delivery, { outcome: "terminated", reason: word.reason, attempts: delivery.number });
    } else again(delivery, word);
  }

  function done(delivery: D): void {
    schedule.finish(delivery);
    onDone(delivery);
  }

  function again(delivery: D, word: Exclude<Word, { kind: "ack" | "term" }>): void {
    const { number, message } = delivery;
    const cause = word.kind === "failed" ? word.cause : undefined;
    count(delivery);
    publisher.touch();
    const taken = message && reasonOfCancel(message);
    if (taken !== undefined) {
      abandon(delivery, { outcome: "cancelled", reason: taken, attempts: number });
      return;
    }
    const isLast = number >= rules.maxDeliver;
    if (word.kind === "failed") tellFailure(delivery, cause, isLast);
    if (isLast) {
      abandon(delivery, exhausted(number, cause));
      return;
    }
    const delayMs = word.kind === "nak" ? word.delayMs : undefined;
    const dueAt = now() + (delayMs ?? retryAfterMs(number));
    // Nobody handles it past that: it need not hold up its lane for longer.
    const expiresAt = delivery.isRedriven ? undefined : message?.expiresAt;
    schedule.defer(delivery, expiresAt === undefined ? dueAt : Math.min(dueAt, timer.whenWallIs(expiresAt)));
  }

  function tellFailure({ messageId, number }: D, cause: unknown, isLast: boolean): void {
    const next = isLast ? "it is given up" : "it is delivered again";
    onProblem(
      new FlockError(
        "messaging/handler-failed",
        `The handler ${name} of ${agent} failed on ${messageId} (attempt ${number}); ${next}.`,
        { cause, details: { id: messageId, attempt: number, consumer: name } },
      ),
    );
  }

  function abandon(delivery: D, verdict: Verdict): void {
    schedule.finish(delivery);
    doom(delivery, verdict);
    onChange(delivery.lane);
  }

  return {
    start,
    refuse,
    cancel(delivery) {
      const { messageId, attempt } = delivery;
      if (attempt)
        attempt.abort(new FlockError("messaging/cancelled", `The request ${messageId} was taken back.`));
      else if (delivery.slot || preparing.drop(delivery)) schedule.defer(delivery, now());
    },
    drop(delivery) {
      preparing.drop(delivery);
      delivery.cutOff?.abort();
      schedule.finish(delivery);
    },
    store: counted.store,
    endOverdue(time) {
      for (const [delivery, at] of inFlight) {
        if (at > time) break;
        const what = `Nothing was said of ${delivery.messageId} for ${rules.ackWaitMs} ms`;
        const failure = new FlockError(
          "messaging/ack-timeout",
          `${what}: call working() where it takes longer.`,
        );
        delivery.attempt?.abort(failure);
        delivery.attempt?.settle({ kind: "failed", cause: failure });
      }
      preparing.endOverdue(time);
    },
    overdueNext() {
      const [handled] = inFlight.values();
      const coming = preparing.overdueNext();
      return handled === undefined || coming === undefined ? (handled ?? coming) : Math.min(handled, coming);
    },
    count() {
      for (const delivery of inFlight.keys()) count(delivery);
    },
    close(deliveries) {
      isClosed = true;
      const reason = new FlockError("crdt/closed", `The consumer ${name} of ${agent} has stopped.`);
      preparing.close();
      counted.close();
      for (const { attempt, cutOff } of deliveries) {
        attempt?.abort(reason);
        cutOff?.abort(reason);
      }
    },
  };
}

/** Tells whether a handler's result is to be waited for, be it of the platform's own promises or not. */
function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
