import { type Clock, FlockError, type Undo } from "../../base/index.ts";

/** What `setTimeout` can wait for: some 24 days. */
const longestMs = 2 ** 31 - 1;

/** Whoever asks on behalf of another request: the earlier of both deadlines counts. */
export interface WithinRequest {
  /** A message that is being handled: what is asked while it is ends with it. */
  within?: { readonly expiresAt?: number };
}

/** @throws `messaging/invalid-options` where a duration can't be waited for. */
export function assertDuration(name: string, ms: number | undefined): void {
  if (ms === undefined || (ms > 0 && ms <= longestMs)) return;
  throw new FlockError(
    "messaging/invalid-options",
    `${name} can't be ${ms}: use milliseconds above 0 and up to ${longestMs}.`,
    { details: { name, value: ms } },
  );
}

/**
 * When a request ends, in milliseconds since the epoch: after its own time, or when what it is asked for ends.
 *
 * @throws `messaging/invalid-options`
 */
export function deadlineOf(
  clock: Clock,
  name: string,
  durationMs: number,
  ...others: readonly (number | undefined)[]
): number {
  assertDuration(name, durationMs);
  const earlier = others.filter((other) => other !== undefined);
  return Math.min(Math.ceil(clock.now() + durationMs), ...earlier);
}

/** Runs a task at a deadline, which others may have set: one that is past what can be waited for never comes. */
export function atDeadline(clock: Clock, expiresAt: number, task: () => void): Undo {
  const delayMs = Math.max(0, expiresAt - clock.now());
  return delayMs <= longestMs ? clock.after(delayMs, task) : () => undefined;
}

/** The end of a request that nobody answered in time. */
export function expired(what: string): FlockError {
  return new FlockError("messaging/expired", `No reply to ${what} came before its deadline.`);
}
