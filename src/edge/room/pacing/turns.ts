import type { Clock, Undo } from "../../../base/index.ts";

/** Turns that end at once before a tick of the host is waited for: a timer costs as much as a send. */
export const promptTurns = 4;

/**
 * When a turn ends. A commit and a send cost most, so what comes in a crowd is to share them, and what comes alone
 * must not wait: the first events end their turns at once, those that come before the host's next tick after them are
 * gathered until it, and so on as long as ticks gather more than one. At rest no timer runs.
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
    // A crowd that came to nothing is none.
    const goesOn = gathered > 0 && end() && isCrowd;
    prompt = goesOn ? 0 : promptTurns;
    if (goesOn) watch();
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
        if (prompt === 0) watch();
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
