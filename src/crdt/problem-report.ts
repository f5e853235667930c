import { createEmitter, type Emitter, FlockError, isFlockError } from "../base/index.ts";

/** Tells the application what went wrong, each thing once. */
export interface ProblemReport {
  readonly problems: Emitter<FlockError>;
  /** Tells of something that no call is there to hear. */
  tell(error: FlockError): void;
  /** Tells of storage that failed, whatever it threw. */
  tellStorage(failure: unknown): void;
  /** What was not allowed may be by now. */
  released(): void;
}

/** Creates a report; what `isStorageTold` knows of a storage that failed is not told again. */
export function createProblemReport(isStorageTold: (failure: unknown) => boolean): ProblemReport {
  const problems = createEmitter<FlockError>();
  /** Whether it was told that the token does not allow to write shared documents (true), or one's own (false). */
  const told = new Set<boolean>();

  function tellStorage(failure: unknown): void {
    if (isStorageTold(failure)) return;
    problems.emit(
      isFlockError(failure)
        ? failure
        : new FlockError("crdt/storage-failed", "This device's storage failed.", { cause: failure }),
    );
  }

  /** What a token does not allow is told once, not once for each document. */
  function isTold({ details }: FlockError): boolean {
    const { code, document } = details;
    if (code !== "edge/forbidden" || typeof document !== "string") return false;
    const isShared = document.startsWith("shared");
    if (told.has(isShared)) return true;
    told.add(isShared);
    return false;
  }

  return {
    problems,
    tell(error) {
      if (error.code === "crdt/storage-failed") tellStorage(error);
      else if (!isTold(error)) problems.emit(error);
    },
    tellStorage,
    released: () => told.clear(),
  };
}
