import { backoffMs, type Clock, type RandomBytes, type Undo } from "../../base/index.ts";
import type { StorageHealth } from "./health.ts";

const backoff = { firstMs: 1_000, maxMs: 60_000 };

/** While storage has failed, tries again now and then to write what is left; the result ends that. */
export function retryWhileFailed(
  health: Pick<StorageHealth, "state">,
  { clock, random, write }: { clock: Clock; random: RandomBytes; write(): Promise<void> },
): Undo {
  let cancel: Undo | undefined;

  function schedule(failures: number): void {
    cancel = clock.after(backoffMs(failures, backoff, random), () => void attempt(failures + 1));
  }

  async function attempt(failures: number): Promise<void> {
    // A failure is told by the store that failed.
    await write().catch(() => undefined);
    if (cancel) schedule(failures);
  }

  function follow(): void {
    const isFailed = health.state.get() === "failed";
    if (isFailed && !cancel) schedule(0);
    if (!isFailed) stop();
  }

  function stop(): void {
    cancel?.();
    cancel = undefined;
  }

  const unsubscribe = health.state.subscribe(follow);
  follow();
  return () => {
    unsubscribe();
    stop();
  };
}
