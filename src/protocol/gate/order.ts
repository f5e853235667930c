import { endOfBlock, findBlock, findStruct, idWidth, type StructTable } from "./blocks.ts";
import { type Cursor, refuse, refuseGap } from "./cursor.ts";
import { none } from "./structs.ts";
import type { DepthRun, GateContext, GateLimits, GateOptions } from "./verdict.ts";

/** What the order of integration is found with. */
interface Integration {
  cursor: Cursor;
  table: StructTable;
  limits: GateLimits;
  context: GateContext;
  /** By block: its next struct to integrate. */
  next: number[];
  /** By struct: how deep its container is nested. */
  depths: number[];
}

/**
 * Integrates the structs in thought, as Yjs does: each client's in order, a struct after those that it refers to.
 * Refuses what would be left pending: an unknown id asks for resync, a circle is for good. Every struct is visited
 * once, and once more for each reference that it waits for.
 *
 * @returns the depths of the new items, where the profile nests types.
 */
export function settleStructs(
  cursor: Cursor,
  table: StructTable,
  limits: GateLimits,
  { profile, context }: GateOptions,
): DepthRun[] {
  const nests = profile === "shared";
  const next = table.blocks.map(({ firstStruct }) => firstStruct);
  const integration: Integration = {
    cursor,
    table,
    limits,
    context,
    next,
    depths: table.clocks.map(() => 0),
  };
  /** The blocks that wait for the one above them, and the clock that each is to reach. */
  const waiting: number[] = [];
  const goals: number[] = [];
  const waits = table.blocks.map(() => false);
  for (let first = 0; first < table.blocks.length; first++) {
    let block = first;
    let goal = table.blocks[first]!.to;
    while (!cursor.refusal) {
      if (reached(integration, block) >= goal) {
        if (waiting.length === 0) break;
        block = waiting.pop()!;
        goal = goals.pop()!;
        waits[block] = false;
        continue;
      }
      const struct = next[block]!;
      const unmet = findUnmet(integration, block, struct);
      if (cursor.refusal) break;
      if (unmet === none) {
        if (nests) integration.depths[struct] = containerDepth(integration, block, struct);
        next[block] = struct + 1;
        continue;
      }
      waiting.push(block);
      goals.push(goal);
      waits[block] = true;
      block = findBlock(table, table.ids[unmet]!);
      goal = table.ids[unmet + 1]! + 1;
      if (waits[block])
        refuse(cursor, "gate/origin", "Structs of several clients refer to one another in a circle");
    }
  }
  return nests ? depthRuns(integration) : [];
}

/** The clock up to which a block is integrated. */
function reached({ table, next }: Integration, block: number): number {
  const struct = next[block]!;
  return struct < endOfBlock(table, block) ? table.clocks[struct]! : table.blocks[block]!.to;
}

/** Where in `ids` the first reference lies that is not integrated yet, or `none`. */
function findUnmet(integration: Integration, block: number, struct: number): number {
  const { cursor, table, context } = integration;
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
    if (reached(integration, position) <= clock) return at;
  }
  return none;
}

function containerDepth(integration: Integration, block: number, struct: number): number {
  const { cursor, table, limits } = integration;
  const { client, known } = table.blocks[block]!;
  // Yjs ignores what it knows, so its bytes say nothing of the document.
  if (table.clocks[struct]! < known) return 0;
  const ids = struct * idWidth;
  let depth = 0;
  for (let at = ids; at < ids + idWidth; at += 2) {
    if (table.ids[at] === none) continue;
    depth = depthOf(integration, block, struct, at) + (at === ids + 4 ? 1 : 0);
    break;
  }
  if (depth + table.types[struct]! > limits.typeDepth) {
    const about = { client, clock: table.clocks[struct]! };
    refuse(
      cursor,
      "gate/depth",
      `Shared types are nested deeper than ${limits.typeDepth}: flatten them`,
      about,
    );
  }
  return depth;
}

/** How deep the container of the item is nested whose id lies at a position in `ids`. */
function depthOf({ table, context, depths }: Integration, block: number, struct: number, at: number): number {
  const client = table.ids[at]!;
  const clock = table.ids[at + 1]!;
  const position = client === table.blocks[block]!.client ? block : findBlock(table, client);
  if (position === none || clock < table.blocks[position]!.known) return context.depthOf(client, clock);
  // Most items follow the one before them.
  if (position === block && table.clocks[struct - 1]! <= clock) return depths[struct - 1]!;
  return depths[findStruct(table, position, clock)]!;
}

function depthRuns({ table, depths }: Integration): DepthRun[] {
  const runs: DepthRun[] = [];
  table.blocks.forEach(({ client, to, known }, block) => {
    const end = endOfBlock(table, block);
    for (let struct = table.blocks[block]!.firstStruct; struct < end; struct++) {
      const from = table.clocks[struct]!;
      const depth = depths[struct]!;
      if (depth === 0 || from < known) continue;
      const structEnd = struct + 1 < end ? table.clocks[struct + 1]! : to;
      const last = runs[runs.length - 1];
      if (last && last.client === client && last.to === from && last.depth === depth) last.to = structEnd;
      else runs.push({ client, from, to: structEnd, depth });
    }
  });
  return runs;
}
