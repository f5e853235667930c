import { isFlockError, type Reference } from "flockstate";
import { sleep } from "./sleep.ts";
import type { FlockRoom } from "./state.ts";

const retryMs = 1_000;

/** Resolves with a reference's verified bytes, however long they take to arrive; rejects only when aborted or corrupt. */
export async function waitForBytes(
  room: FlockRoom,
  reference: Reference,
  signal: AbortSignal,
): Promise<Uint8Array> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await room.refs.get(reference);
    } catch (problem) {
      if (!isFlockError(problem, "refstore/not-found") && !isFlockError(problem, "refstore/unavailable")) {
        throw problem;
      }
    }
    await sleep(retryMs, signal);
  }
}
