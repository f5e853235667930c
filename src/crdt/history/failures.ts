import { FlockError, isFlockError } from "../../base/index.ts";
import { formatPageName, type PageName } from "../../protocol/index.ts";

/** The error of a sealed page that is not what its lane says it is. */
export function corruptPage(writer: string, page: PageName, why: string, cause?: unknown): FlockError {
  const name = formatPageName(page);
  return new FlockError(
    "crdt/history-corrupt",
    `The sealed page ${name} of ${writer} is not believed: ${why}.`,
    { cause, details: { writer, page: name } },
  );
}

/** The error of a page that retention has taken, that was never sealed, or that the lane does not have. */
export function lostPage(writer: string, number: number, why: string): FlockError {
  return new FlockError(
    "crdt/history-lost",
    `Page ${number} of ${writer} is not to be had from history: ${why}.`,
    {
      details: { writer, page: number },
    },
  );
}

/** Whether nobody can read a page: retention has taken it, nobody within reach has it, or it is not what its lane says. */
export function isUnreadable(failure: unknown): boolean {
  return (
    isFlockError(failure) &&
    ["crdt/history-lost", "crdt/history-corrupt", "refstore/not-found", "refstore/corrupt"].includes(
      failure.code,
    )
  );
}
