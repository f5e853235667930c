import type { Undo } from "../base/index.ts";
import type { ReferenceChange, ReferenceStatus } from "./states.ts";

/** Where the states of references are known. */
interface StateReader {
  state(id: string): ReferenceStatus | undefined;
  onChange(listener: (change: ReferenceChange) => void): Undo;
}

/** Resolves when the relay has a reference; it may have to wait for the network, and for ever. @throws the signal's reason */
export function whenRemote(
  refs: StateReader,
  id: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    if (refs.state(id)?.state === "remote") {
      resolve();
      return;
    }
    const end = (settle: () => void): void => {
      undo();
      signal?.removeEventListener("abort", abort);
      settle();
    };
    const abort = (): void => end(() => reject(signal?.reason));
    const undo = refs.onChange((change) => {
      if (change.id === id && change.state === "remote") end(resolve);
    });
    signal?.addEventListener("abort", abort);
  });
}
