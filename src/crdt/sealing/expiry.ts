import { timestampToMs } from "../../base/index.ts";
import type { LaneMarks } from "../../protocol/index.ts";
import type { Retention } from "../retention.ts";
import type { SealBook } from "./seal-book.ts";

/** The oldest sealed page that retention keeps: those below its number are to go. */
export function firstKept(
  { first, low }: Pick<LaneMarks, "first" | "low">,
  seals: Pick<SealBook, "get">,
  { historyMs, historyBytes }: Pick<Retention, "historyMs" | "historyBytes">,
  nowMs: number,
): number {
  // Asked of every long lane upon opening, and mostly in vain.
  if (historyMs === Number.POSITIVE_INFINITY && historyBytes === Number.POSITIVE_INFINITY) return first;
  let bytes = 0;
  for (let number = first; number < low; number++) bytes += seals.get(number)?.bytes ?? 0;
  let kept = first;
  for (let number = first; number < low; number++) {
    const seal = seals.get(number);
    // One that is not known goes with the next that does.
    if (!seal) continue;
    if (bytes <= historyBytes && timestampToMs(seal.newest) >= nowMs - historyMs) break;
    bytes -= seal.bytes;
    kept = number + 1;
  }
  return kept;
}
