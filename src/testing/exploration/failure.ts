import { isFlockError } from "../../base/index.ts";

/** Why a run failed, and what may count as the same failure in another run. */
export interface RunFailure {
  error: unknown;
  /** A code, or the message without what differs between runs: names, numbers, ids. */
  kind: string;
  /** The last lines of the trace. */
  trace: readonly string[];
}

/** Tells failures apart by their code; those without one by the words of their first line that hold no digit. */
export function kindOf(error: unknown): string {
  if (isFlockError(error)) return error.code;
  if (!(error instanceof Error)) return String(error);
  const [line = ""] = error.message.split("\n");
  const words = line.split(/\s+/).map((word) => (/\d/.test(word) ? "#" : word));
  return `${error.name}: ${words.join(" ")}`;
}

/** An error in words, its code first. */
export function wordsOf(error: unknown): string {
  if (isFlockError(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message || error.name : String(error);
}
