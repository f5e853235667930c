import { endOfStruct, findBlock, findStruct, flag, idWidth, isDeleted, type StructTable } from "./blocks.ts";
import { type Cursor, refuse } from "./cursor.ts";
import { none } from "./structs.ts";
import type { GateContext, GateLimits, GateProfile, PlaceRun } from "./verdict.ts";

/** Where the new items lie, by struct: filled in the order of integration, so that what an item refers to is placed. */
export interface Places {
  profile: GateProfile;
  context: GateContext;
  limits: GateLimits;
  /** How deep the container is nested. */
  depths: number[];
  /** Whether the item lies under a key of a nested map. */
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
  const length = endOfStruct(table, block, struct) - from;
  // Yjs ignores what it knows, so these bytes say nothing of the document.
  if (from + length <= known) return;
  inheritPlace(table, places, block, struct);
  const flags = table.flags[struct]!;
  const { typeDepth } = places.limits;
  if (places.depths[struct]! + ((flags & flag.type) !== 0 ? 1 : 0) > typeDepth) {
    const why = `Shared types are nested deeper than ${typeDepth}: flatten them`;
    refuse(cursor, "gate/depth", why, { client, clock: from });
  }
  // Split, its left half would stay undeleted behind the key: Yjs then fails when it collects the map.
  const isLong = length > 1 && (flags & flag.live) !== 0;
  if (isLong && places.keyed[struct] && !isDeleted(table, client, from, from + length)) {
    const why = `The item ${from} of client ${client} sets a key with more than one value`;
    refuse(cursor, "gate/not-canonical", why, { client, clock: from });
  }
}

/**
 * Takes depth and key from the first id that a struct has; only where that is its parent does its own flag count. Keys
 * of a root map do not: a root type is never collected.
 */
function inheritPlace(table: StructTable, places: Places, block: number, struct: number): void {
  const { profile, context, depths, keyed } = places;
  if (profile === "register") {
    keyed[struct] = true;
    return;
  }
  const { ids } = table;
  const first = struct * idWidth;
  const at = ids[first] !== none ? first : ids[first + 2] !== none ? first + 2 : first + 4;
  const client = ids[at]!;
  const isParent = at === first + 4;
  if (client === none) return;
  const clock = ids[at + 1]!;
  const target = findNew(table, block, struct, client, clock);
  const place = target === none ? context.placeOf(client, clock) : undefined;
  const depth = place ? place.depth : depths[target]!;
  depths[struct] = isParent ? depth + 1 : depth;
  if (isParent) keyed[struct] = (table.flags[struct]! & flag.keyed) !== 0;
  else keyed[struct] = depth > 0 && (place ? place.keyed : keyed[target]!);
}

/** Where the new items lie, neighbours of one kind of place as one run; a register has but one place. */
export function placeRuns(table: StructTable, { profile, depths, keyed: underKey }: Places): PlaceRun[] {
  const runs: PlaceRun[] = [];
  if (profile !== "shared") return runs;
  table.blocks.forEach(({ client, firstStruct, endStruct, known }, block) => {
    for (let struct = firstStruct; struct < endStruct; struct++) {
      const from = Math.max(known, table.clocks[struct]!);
      const to = endOfStruct(table, block, struct);
      const depth = depths[struct]!;
      const keyed = underKey[struct]!;
      if (depth === 0 || to <= known) continue;
      const last = runs[runs.length - 1];
      const goesOn = last?.client === client && last.to === from;
      if (goesOn && last.depth === depth && last.keyed === keyed) last.to = to;
      else runs.push({ client, from, to, depth, keyed });
    }
  });
  return runs;
}

/** The struct of this update that has an id, or `none` where the document knows the id already. */
function findNew(table: StructTable, block: number, struct: number, client: number, clock: number): number {
  const position = client === table.blocks[block]!.client ? block : findBlock(table, client);
  if (position === none || clock < table.blocks[position]!.known) return none;
  // Most items follow the one before them.
  const isPrevious = position === block && table.clocks[struct - 1]! <= clock;
  return isPrevious ? struct - 1 : findStruct(table, position, clock);
}
