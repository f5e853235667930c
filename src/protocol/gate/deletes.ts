import { findBlock, type StructTable } from "./blocks.ts";
import { type Cursor, readCount, readVarUint, refuse, refuseGap } from "./cursor.ts";
import type { ProfileRules } from "./profiles.ts";
import { maxClock, none, readClient, readClock } from "./structs.ts";
import type { GateContext, GateLimits } from "./verdict.ts";

/** Client, number of ranges, clock, length. */
const shortestClient = 4;
const shortestRange = 2;

/** Reads the delete set and tells whether it deletes anything. Every range lies in known clocks or in the update's. */
export function readDeletes(
  cursor: Cursor,
  table: StructTable,
  rules: ProfileRules,
  limits: GateLimits,
  context: GateContext,
): boolean {
  const clients = readCount(cursor, shortestClient);
  if (clients > 0 && !rules.deletes) refuse(cursor, "gate/deletes", "A page is only appended to");
  let before = Number.POSITIVE_INFINITY;
  let ranges = 0;
  for (let index = 0; index < clients && !cursor.refusal; index++) {
    const client = readClient(cursor);
    const count = readCount(cursor, shortestRange);
    ranges += count;
    if (client >= before) refuse(cursor, "gate/not-canonical", "Clients in the delete set do not descend");
    if (count === 0) refuse(cursor, "gate/not-canonical", `Deletes of client ${client} are empty`);
    if (ranges > limits.deleteRanges) {
      refuse(cursor, "gate/too-many-structs", `More than ${limits.deleteRanges} deleted ranges: send slices`);
    }
    if (!cursor.refusal) readRanges(cursor, client, count, table, context);
    before = client;
  }
  return clients > 0;
}

function readRanges(
  cursor: Cursor,
  client: number,
  count: number,
  table: StructTable,
  context: GateContext,
): void {
  const position = findBlock(table, client);
  const block = position === none ? undefined : table.blocks[position];
  const known = block ? block.known : context.clockOf(client);
  const end = Math.max(known, block ? block.to : 0);
  let before = 0;
  for (let index = 0; index < count && !cursor.refusal; index++) {
    const from = readClock(cursor);
    const length = readVarUint(cursor);
    const to = from + length;
    if (length === 0) refuse(cursor, "gate/not-canonical", "A deleted range is empty");
    if (from < before) refuse(cursor, "gate/not-canonical", "Deleted ranges overlap or are out of order");
    if (to > maxClock) refuse(cursor, "gate/bounds", "A deleted range exceeds 31 bits of clock");
    if (to > end) refuseGap(cursor, client, known);
    table.deleted.push(client, from, to);
    before = to;
  }
}
