import { list, map, type Room, table, text } from "flockstate";
import * as z from "zod/mini";

/** A room's state with one part of each kind. */
export const harnessState = {
  notes: text(),
  board: map(),
  log: list(z.string()),
  findings: table(z.object({ id: z.string(), by: z.string(), value: z.number() }), { key: "id" }),
};

/** A room of the tests. */
export type HarnessRoom = Room<typeof harnessState>;

/** What two replicas that have converged show alike. */
export interface Report {
  readonly notes: string;
  readonly board: Readonly<Record<string, unknown>>;
  readonly log: readonly string[];
  readonly findings: readonly unknown[];
}

/** Everything that a room's state shows, as plain JSON. */
export function reportOf({ state }: HarnessRoom): Report {
  const board = Object.entries(state.board.get()).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    notes: state.notes.get(),
    board: Object.fromEntries(board),
    log: state.log.get(),
    findings: state.findings.get(),
  };
}
