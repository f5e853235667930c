import { type Clock, FlockError, isFlockError, type Undo } from "../../base/index.ts";
import type { ReceivedMessage } from "../message/message.ts";
import { assertDuration, deadlineOf, type WithinRequest } from "./deadline.ts";
import type { Exchange, Exchanges, OutgoingRequest } from "./exchanges.ts";
import type { Progress } from "./progress.ts";

export interface RequestManyOptions extends WithinRequest {
  /** No reply is waited for longer than this. Default 30 s. */
  totalMs?: number;
  /** After the first reply, none of the next is waited for longer than this. Default `totalMs`. */
  stallMs?: number;
  /** So many replies are enough. */
  max?: number;
  /** Whether a reply only says that there will be no more: it ends the replies and is none of them. */
  until?: (reply: ReceivedMessage) => boolean;
  /** Takes the request back, wherever it is handled. */
  signal?: AbortSignal;
  /** Told how far those who handle it have come. */
  onProgress?: (progress: Progress) => void;
}

type Step = IteratorResult<ReceivedMessage, undefined>;

/**
 * Sends a request, when its first reply is asked for, and gives the replies as they come: errors are replies too. It ends
 * at the time-outs, at `max` and at `until`; whoever leaves earlier takes the request back.
 */
export function requestMany(
  ports: { exchanges: Exchanges; clock: Clock; onProblem(error: FlockError): void },
  message: OutgoingRequest,
  options: RequestManyOptions = {},
): AsyncIterableIterator<ReceivedMessage, undefined> {
  const { exchanges, clock, onProblem } = ports;
  const {
    totalMs = 30_000,
    stallMs,
    max = Number.POSITIVE_INFINITY,
    until,
    signal,
    onProgress,
    within,
  } = options;
  assertDuration("totalMs", totalMs);
  assertDuration("stallMs", stallMs);
  if (!(max >= 1)) {
    const why = `A request of at most ${max} replies asks for none: use 1 or more.`;
    throw new FlockError("messaging/invalid-options", why, { details: { name: "max", value: max } });
  }
  const replies: ReceivedMessage[] = [];
  const asking: { resolve(step: Step): void; reject(failure: unknown): void }[] = [];
  let exchange: Exchange | undefined;
  let taken = 0;
  let hasEnded = false;
  let failure: { reason: unknown } | undefined;
  let stopStall: Undo = () => {};

  function begin(): Exchange {
    const expiresAt = deadlineOf(clock, "totalMs", totalMs, message.expiresAt, within?.expiresAt);
    return exchanges.begin(message, {
      expiresAt,
      signal,
      onProgress,
      onReply: take,
      onUnreadable(cause) {
        if (isFlockError(cause)) onProblem(cause);
      },
      onFailed(reason) {
        if (!isFlockError(reason, "messaging/expired")) failure = { reason };
        end();
      },
    });
  }

  function take(reply: ReceivedMessage): void {
    if (isLast(reply)) {
      finish();
      return;
    }
    replies.push(reply);
    taken++;
    if (taken >= max) {
      finish();
      return;
    }
    stopStall();
    if (stallMs !== undefined) stopStall = clock.after(stallMs, finish);
    serve();
  }

  function isLast(reply: ReceivedMessage): boolean {
    try {
      return until?.(reply) ?? false;
    } catch (reason) {
      failure = { reason };
      return true;
    }
  }

  function finish(): void {
    exchange?.end({ satisfied: true });
    end();
  }

  function end(): void {
    hasEnded = true;
    stopStall();
    serve();
  }

  /** Gives those who ask what there is, in turn. */
  function serve(): void {
    while (asking.length > 0 && (replies.length > 0 || hasEnded)) {
      const { resolve, reject } = asking.shift() as (typeof asking)[number];
      const value = replies.shift();
      if (value) resolve({ value, done: false });
      else if (failure) {
        reject(failure.reason);
        failure = undefined;
      } else resolve({ value: undefined, done: true });
    }
  }

  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      return new Promise((resolve, reject) => {
        if (!hasEnded) exchange ??= begin();
        asking.push({ resolve, reject });
        serve();
      });
    },
    async return() {
      if (!hasEnded) exchange?.cancel("Whoever asked wants no further reply.", { satisfied: true });
      replies.length = 0;
      failure = undefined;
      end();
      return { value: undefined, done: true };
    },
  };
}
