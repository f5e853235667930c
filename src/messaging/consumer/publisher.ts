import type { Clock } from "../../base/index.ts";

/** Publishes once for all that is done in one go, handlers' microtasks included. */
export interface Publisher {
  /** Something is to be published soon. */
  touch(): void;
  /** It is published now. */
  publish(): void;
  close(): void;
}

/** While handlers come to an end in microtasks it waits so long, ... */
const longestMs = 10;
/** ... and for so many of them in which nothing has come to an end. */
const quietTurns = 8;

/** Creates a publisher; `publish` costs as much as a consumer has lanes, and every replica hears of it. */
export function createPublisher(clock: Clock, publish: () => void): Publisher {
  let touches = 0;
  let isWaiting = false;
  let isClosed = false;

  function wait(seen: number, quiet: number, sinceMs: number): void {
    queueMicrotask(() => {
      if (!isWaiting) return;
      const isQuiet = touches === seen;
      if ((isQuiet && quiet === 0) || clock.now() - sinceMs >= longestMs) now();
      else wait(touches, isQuiet ? quiet - 1 : quietTurns, sinceMs);
    });
  }

  function now(): void {
    isWaiting = false;
    if (!isClosed) publish();
  }

  return {
    touch() {
      touches++;
      if (isWaiting) return;
      isWaiting = true;
      wait(touches, quietTurns, clock.now());
    },
    publish: now,
    close() {
      isClosed = true;
    },
  };
}
