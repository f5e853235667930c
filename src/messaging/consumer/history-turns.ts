/** Lets so many tasks run at once; the others wait in order. */
export interface Turns {
  run<T>(task: () => Promise<T>): Promise<T>;
}

/** Creates turns for `limit` tasks at once. */
export function createTurns(limit: number): Turns {
  const waiting: (() => void)[] = [];
  let running = 0;

  return {
    async run(task) {
      if (running >= limit) await new Promise<void>((begin) => waiting.push(begin));
      else running++;
      try {
        return await task();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else running--;
      }
    },
  };
}
