import { endOfStruct, findBlock, findStruct, flag, idWidth, isDeleted, type StructTable } from "./blocks.ts";
import { type Cursor, refuse } from "./cursor.ts";
import { none } from "./structs.ts";
import type { DepthRun, GateContext, GateLimits, GateProfile } from "./verdict.ts";

/** Where the new items lie, by struct: filled in the order of integration, so that what an item refers to is placed. */
export interface Places {
  profile: GateProfile;
  context: GateContext;
  limits: GateLimits;
  /** How deep the container is nested. */
  depths: number[];
  /** Whether the item lies under a key of a map. */
  keyed: boolean[];
}

/** Creates the places of a table's structs, all at the top until they are placed. */
export function createPlaces(
  table: StructTable,
  profile: GateProfile,
  context: GateContext,
  limits: GateLimits,
): Places {
  return {
    profile,
    context,
    limits,
    depths: table.clocks.map(() => 0),
    keyed: table.clocks.map(() => false),
  };
}

/** Places a struct as Yjs does: where its origin lies, else its right origin, else in its parent. */
export function placeStruct(
  cursor: Cursor,
  table: StructTable,
  places: Places,
  block: number,
  struct: number,
): void {
  const { client, known } = table.blocks[block]!;
  const from = table.clocks[struct]!;
  const to = endOfStruct(table, block, struct);
  // Yjs ignores what it knows, so these bytes say nothing of the document.
  if (to <= known) return;
  const flags = table.flags[struct]!;
  const ids = struct * idWidth;
  let depth = 0;
  let keyed = (flags & flag.keyed) !== 0;
  if (table.ids[ids] !== none || table.ids[ids + 2] !== none) {
    const neighbour = table.ids[ids] !== none ? ids : ids + 2;
    depth = depthAt(table, places, block, struct, neighbour);
    keyed ||= keyedAt(table, places, block, struct, neighbour);
  } else if (table.ids[ids + 4] !== none) depth = depthAt(table, places, block, struct, ids + 4) + 1;
  places.depths[struct] = depth;
  places.keyed[struct] = keyed;
  if (depth + ((flags & flag.type) !== 0 ? 1 : 0) > places.limits.typeDepth) {
    const why = `Shared types are nested deeper than ${places.limits.typeDepth}: flatten them`;
    refuse(cursor, "gate/depth", why, { client, clock: from });
  }
  // Split, its left half would stay undeleted behind the key: Yjs then fails when it collects the map.
  if (keyed && to - from > 1 && (flags & flag.live) !== 0 && !isDeleted(table, client, from, to)) {
    const why = `The item ${from} of client ${client} sets a key with more than one value`;
    refuse(cursor, "gate/not-canonical", why, { client, clock: from });
  }
}

/** The depths of the new items, neighbours of equal depth as one run. */
export function depthRuns(table: StructTable, { depths }: Places): DepthRun[] {
  const runs: DepthRun[] = [];
  table.blocks.forEach(({ client, firstStruct, endStruct, known }, block) => {
    for (let struct = firstStruct; struct < endStruct; struct++) {
      const from = Math.max(known, table.clocks[struct]!);
      const to = endOfStruct(table, block, struct);
      const depth = depths[struct]!;
      if (depth === 0 || to <= known) continue;
      const last = runs[runs.length - 1];
      if (last && last.client === client && last.to === from && last.depth === depth) last.to = to;
      else runs.push({ client, from, to, depth });
    }
  });
  return runs;
}

/** How deep the container is nested of the item whose id lies at `at` in the table. */
function depthAt(table: StructTable, places: Places, block: number, struct: number, at: number): number {
  if (places.profile !== "shared") return 0;
  const target = findNew(table, block, struct, at);
  return target === none
    ? places.context.depthOf(table.ids[at]!, table.ids[at + 1]!)
    : places.depths[target]!;
}

/** Whether the item lies under a key whose id lies at `at` in the table. */
function keyedAt(table: StructTable, places: Places, block: number, struct: number, at: number): boolean {
  if (places.profile === "register") return true;
  const target = findNew(table, block, struct, at);
  return target === none
    ? (places.context.keyedOf?.(table.ids[at]!, table.ids[at + 1]!) ?? false)
    : places.keyed[target]!;
}

/** The struct of this update that has an id, or `none` where the document knows the id already. */
function findNew(table: StructTable, block: number, struct: number, at: number): number {
  const client = table.ids[at]!;
  const clock = table.ids[at + 1]!;
  const position = client === table.blocks[block]!.client ? block : findBlock(table, client);
  if (position === none || clock < table.blocks[position]!.known) return none;
  // Most items follow the one before them.
  return position === block && table.clocks[struct - 1]! <= clock
    ? struct - 1
    : findStruct(table, position, clock);
}
