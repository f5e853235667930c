/** Something that holds a resource until it is closed; closing twice is safe. */
export interface Closable {
  close(): Promise<void>;
}

/** A pile of clean-ups, run last first. */
export interface Scope extends Closable {
  /** Adds a clean-up; runs it at once where the scope is closed already. */
  add(cleanUp: () => unknown): void;
  /** Aborts when the scope begins to close. */
  readonly signal: AbortSignal;
  readonly closed: boolean;
}

/**
 * Creates a scope: whatever opens a resource adds how to release it.
 * `close` runs every clean-up even where one fails, then rejects with the first failure.
 */
export function createScope(): Scope {
  const cleanUps: (() => unknown)[] = [];
  const controller = new AbortController();
  let closing: Promise<void> | undefined;

  async function run(): Promise<void> {
    const failures: unknown[] = [];
    for (let cleanUp = cleanUps.pop(); cleanUp; cleanUp = cleanUps.pop()) {
      try {
        await cleanUp();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  return {
    add(cleanUp) {
      if (closing) void cleanUp();
      else cleanUps.push(cleanUp);
    },
    close() {
      if (!closing) {
        controller.abort();
        closing = run();
      }
      return closing;
    },
    signal: controller.signal,
    get closed() {
      return closing !== undefined;
    },
  };
}
