import type { Clock, Undo } from "../base/index.ts";

/** Whether a replica was told what it lacked, by the relay or by another tab. */
export interface CaughtUp {
  /** Resolves once it was. */
  readonly reached: Promise<void>;
  readonly isReached: boolean;
  /** The relay has told everything. */
  joined(): void;
  /** The relay has begun to tell. */
  welcomed(): void;
  /** An attempt to reach the relay, or a connection to it, has ended. */
  dropped(): void;
  /** Another tab has told all that it knows, and whether it was told everything itself. */
  answered(isCaughtUp: boolean): void;
  close(): void;
}

/** Without a relay, a tab that nobody answers for this long is alone. */
const aloneAfterMs = 1_000;

/**
 * Creates it for a replica that may have a relay and other tabs; without either there is nobody to ask. While the relay
 * can be reached, only its own join or a tab that has one counts: a tab that opens at the same time knows as little.
 * Where it can't, any tab's answer is all there is to know.
 */
export function createCaughtUp(
  clock: Clock,
  { hasRelay, hasTabs }: { hasRelay: boolean; hasTabs: boolean },
): CaughtUp {
  let resolve: () => void = () => {};
  let isReached = false;
  let isUnreachable = !hasRelay;
  let wasWelcomed = false;
  let wasAnswered = false;
  const reached = new Promise<void>((done) => {
    resolve = done;
  });

  function reach(): void {
    isReached = true;
    resolve();
  }

  function look(): void {
    if (wasAnswered && isUnreachable && !wasWelcomed) reach();
  }

  let cancel: Undo = () => {};
  if (!hasRelay && !hasTabs) reach();
  else if (!hasRelay) cancel = clock.after(aloneAfterMs, reach);

  return {
    reached,
    get isReached() {
      return isReached;
    },
    joined: reach,
    welcomed() {
      wasWelcomed = true;
    },
    dropped() {
      isUnreachable = true;
      look();
    },
    answered(isCaughtUp) {
      wasAnswered = true;
      if (isCaughtUp) reach();
      else look();
    },
    close: () => cancel(),
  };
}
