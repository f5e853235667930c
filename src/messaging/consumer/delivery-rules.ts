import { FlockError } from "../../base/index.ts";
import { maxAhead } from "../../protocol/index.ts";

/** How a consumer's messages are given to its handler. */
export interface ConsumerDelivery {
  /**
   * `lane`: one message of a sender's writer at a time, in its order; one that is delayed holds up its lane. `none`: any of
   * the 256 that come first, the most urgent first; one that is delayed holds up nothing. Default `lane`; `none` in a group.
   */
  order?: "lane" | "none" | undefined;
  /** Messages that are handled at once, from 1 to 256; the default is 256. */
  maxInFlight?: number | undefined;
  /** A message is given up once so many deliveries of it have failed: 10 by default, or `Infinity`. */
  maxDeliver?: number | undefined;
  /** A delivery of which the handler says nothing for so long has failed; five minutes by default. */
  ackWaitMs?: number | undefined;
}

/** The same, with what is not said. */
export type DeliveryRules = {
  readonly [K in keyof ConsumerDelivery]-?: Exclude<ConsumerDelivery[K], undefined>;
};

/** What `setTimeout` can wait for: some 24 days. */
const longestMs = 2 ** 31 - 1;
const firstRetryMs = 500;
const lastRetryMs = 30_000;

/** @throws `messaging/invalid-options`, naming the option. */
export function deliveryRules(
  { order, maxInFlight = maxAhead, maxDeliver = 10, ackWaitMs = 300_000 }: ConsumerDelivery,
  group: string | undefined,
): DeliveryRules {
  assert("order", order, order === undefined || order === "lane" || order === "none", '"lane" or "none"');
  assert(
    "maxInFlight",
    maxInFlight,
    isWhole(maxInFlight) && maxInFlight <= maxAhead,
    `a whole number from 1 to ${maxAhead}`,
  );
  assert(
    "maxDeliver",
    maxDeliver,
    isWhole(maxDeliver) || maxDeliver === Number.POSITIVE_INFINITY,
    "a whole number from 1 on, or Infinity",
  );
  assert(
    "ackWaitMs",
    ackWaitMs,
    Number.isFinite(ackWaitMs) && ackWaitMs > 0 && ackWaitMs <= longestMs,
    `milliseconds above 0 and up to ${longestMs}`,
  );
  return { order: order ?? (group === undefined ? "lane" : "none"), maxInFlight, maxDeliver, ackWaitMs };
}

function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

function assert(name: string, value: unknown, holds: boolean, wanted: string): void {
  if (holds) return;
  throw new FlockError(
    "messaging/invalid-options",
    `The consumer's ${name} can't be ${String(value)}: use ${wanted}.`,
    { details: { name, value } },
  );
}

/** How long a message waits after so many deliveries that failed. */
export function retryAfterMs(attempts: number): number {
  return Math.min(lastRetryMs, firstRetryMs * 2 ** Math.min(attempts - 1, 10));
}
