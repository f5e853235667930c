/** Where the test may have the relay killed: steps are counted, and at the one that it armed the process stands still. */
export interface FailPoints {
  /** Waits for the step `step` to be reached for the `hits`th time from now; `*` is any step. Counts begin anew. */
  arm(step: string, hits: number): void;
  /** How often each step was reached since `arm`. */
  counts(): Record<string, number>;
  /** A step of the code: at the armed one it is printed, and nothing in this process goes on. */
  reach(step: string): void;
  /** Names the steps from here on after an event; returns the way back. */
  enter(event: string): () => void;
  /** Names the steps within `run` after the event that it serves. */
  during<T>(event: string, run: () => T): T;
}

/** Creates the points of one process. */
export function createFailPoints(): FailPoints {
  const counted = new Map<string, number>();
  let armed: { step: string; hits: number } | undefined;
  let event = "later";

  function enter(name: string): () => void {
    const outer = event;
    event = name;
    return () => {
      event = outer;
    };
  }

  return {
    arm(step, hits) {
      counted.clear();
      armed = { step, hits };
    },
    counts: () => Object.fromEntries(counted),
    reach(step) {
      const name = `${event}/${step}`;
      counted.set(name, (counted.get(name) ?? 0) + 1);
      if (!armed || (armed.step !== "*" && armed.step !== name)) return;
      armed.hits--;
      if (armed.hits > 0) return;
      // The runtime writes a line of the console at once. Standing still, it neither commits nor sends any more.
      console.log(JSON.stringify({ reached: name }));
      for (;;);
    },
    enter,
    during(name, run) {
      const leave = enter(name);
      try {
        return run();
      } finally {
        leave();
      }
    },
  };
}
