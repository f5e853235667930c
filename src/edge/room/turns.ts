import type { Clock, Undo } from "../../base/index.ts";

/** Turns that may end at once before the host's next tick. */
export const promptTurns = 2;

/**
 * When a turn ends. A commit and a send cost most, so what comes in a crowd is to share them, and what comes alone
 * must not wait: the first events end their turns at once, those that come before the host's next tick are gathered
 * until it, and so on as long as ticks gather more than one. At rest no timer runs.
 */
export interface Turns {
  /** An event has left something to commit or to tell. */
  note(): void;
  /** The turn was ended by something else. */
  ended(): void;
  stop(): void;
}

export interface TurnsOptions {
  clock: Clock;
  /** Ends the turn; tells whether it had something to commit. */
  end(): boolean;
  /** Runs a timer's task as an event of the room. */
  guarded(task: () => void): () => void;
}

/** Creates the turns of a room that is at rest. */
export function createTurns({ clock, end, guarded }: TurnsOptions): Turns {
  let cancel: Undo | undefined;
  let prompt = promptTurns;
  /** Events that wait for the tick. */
  let gathered = 0;

  const tick = guarded(() => {
    cancel = undefined;
    const isCrowd = gathered > 1;
    prompt = isCrowd ? 0 : promptTurns;
    if (gathered > 0 && end()) watch();
    // A crowd that came to nothing is none.
    if (!cancel) prompt = promptTurns;
  });

  function watch(): void {
    cancel ??= clock.after(0, tick);
  }

  return {
    note() {
      if (prompt === 0) {
        gathered++;
        watch();
      } else if (end()) {
        prompt--;
        watch();
      }
    },
    ended() {
      gathered = 0;
    },
    stop() {
      cancel?.();
      cancel = undefined;
    },
  };
}
