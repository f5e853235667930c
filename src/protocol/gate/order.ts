import { findBlock, idWidth, type StructTable } from "./blocks.ts";
import { type Cursor, refuse, refuseGap } from "./cursor.ts";
import { type Places, placeStruct } from "./places.ts";
import { none } from "./structs.ts";
import type { GateContext } from "./verdict.ts";

/**
 * Integrates the structs in thought, as Yjs does: each client's in order, a struct after those that it refers to.
 * Refuses what would be left pending: an unknown id asks for resync, a circle is for good. Every struct is visited
 * once, and once more for each reference that it waits for.
 */
export function settleStructs(cursor: Cursor, table: StructTable, places: Places): void {
  /** By block: its next struct to integrate. */
  const next = table.blocks.map(({ firstStruct }) => firstStruct);
  /** The blocks that wait for the one above them, and the clock that each is to reach. */
  const waiting: number[] = [];
  const goals: number[] = [];
  const waits = table.blocks.map(() => false);
  for (let first = 0; first < table.blocks.length; first++) {
    let block = first;
    let goal = table.blocks[first]!.to;
    while (!cursor.refusal) {
      if (reachedClock(table, next, block) >= goal) {
        if (waiting.length === 0) break;
        block = waiting.pop()!;
        goal = goals.pop()!;
        waits[block] = false;
        continue;
      }
      const struct = next[block]!;
      const unmet = findUnmet(cursor, table, next, places.context, block, struct);
      if (cursor.refusal) break;
      if (unmet === none) {
        placeStruct(cursor, table, places, block, struct);
        next[block] = struct + 1;
        continue;
      }
      waiting.push(block);
      goals.push(goal);
      waits[block] = true;
      block = findBlock(table, table.ids[unmet]!);
      goal = table.ids[unmet + 1]! + 1;
      if (waits[block]) refuse(cursor, "gate/origin", "Structs refer to one another in a circle");
    }
  }
}

/** The clock up to which a block is integrated. */
function reachedClock(table: StructTable, next: readonly number[], block: number): number {
  const struct = next[block]!;
  const { to, endStruct } = table.blocks[block]!;
  return struct < endStruct ? table.clocks[struct]! : to;
}

/** Where in `ids` the first reference of a struct lies that is not integrated yet, or `none`. */
function findUnmet(
  cursor: Cursor,
  table: StructTable,
  next: readonly number[],
  context: GateContext,
  block: number,
  struct: number,
): number {
  const own = table.blocks[block]!.client;
  for (let at = struct * idWidth; at < (struct + 1) * idWidth; at += 2) {
    const client = table.ids[at]!;
    if (client === none || client === own) continue;
    const clock = table.ids[at + 1]!;
    const position = findBlock(table, client);
    const target = position === none ? undefined : table.blocks[position]!;
    const known = target ? target.known : context.clockOf(client);
    if (clock < known) continue;
    if (!target || clock >= target.to) {
      refuseGap(cursor, client, known);
      return none;
    }
    if (reachedClock(table, next, position) <= clock) return at;
  }
  return none;
}
