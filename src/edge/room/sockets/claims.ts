import { parseWriterId } from "../../../base/index.ts";
import { parsePresence } from "../../../protocol/index.ts";

/**
 * A writer that a presence state says is open where it comes from, and that is not its principal's; undefined where there is
 * none. What is no state of a replica claims nothing.
 */
export function foreignWriter(state: string, principal: string): string | undefined {
  return parsePresence(state)?.writers.find((writer) => parseWriterId(writer)?.principal !== principal);
}
