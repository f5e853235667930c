import { addStruct, type Block, createStructTable, type StructTable } from "./blocks.ts";
import { bytesLeft, type Cursor, createCursor, readCount, refuse, refuseGap } from "./cursor.ts";
import { readDeletes } from "./deletes.ts";
import { settleStructs } from "./order.ts";
import { createPlaces, placeRuns } from "./places.ts";
import { type ProfileRules, profileRules } from "./profiles.ts";
import { createStruct, maxClock, none, readClient, readClock, readStruct, type Struct } from "./structs.ts";
import { type GateLimits, type GateOptions, type GateVerdict, gateLimits } from "./verdict.ts";

/** What one scan reads with. */
interface Scan {
  cursor: Cursor;
  table: StructTable;
  struct: Struct;
  rules: ProfileRules;
  limits: GateLimits;
  options: GateOptions;
}

/**
 * Judges a Yjs V1 update by its bytes: what is accepted applies without an error and leaves nothing pending in a
 * document that knows what `context` says. Never throws, unless `context` does; time and memory are in proportion
 * to the bytes.
 *
 * @example
 * ```ts
 * const context = { clockOf: () => 0, placeOf: () => rootPlace };
 * const verdict = scanUpdate(new Uint8Array([0, 0]), { profile: "shared", context });
 * verdict.ok && verdict.known; // true: there is nothing in it
 * ```
 */
export function scanUpdate(update: Uint8Array, options: GateOptions): GateVerdict {
  const { profile, context } = options;
  const rules = profileRules[profile];
  const limits = options.limits ? { ...gateLimits, ...options.limits } : gateLimits;
  const cursor = createCursor(update);
  const table = createStructTable();
  readBlocks({ cursor, table, struct: createStruct(), rules, limits, options });
  const deletes = readDeletes(cursor, table, rules, limits, context);
  const surplus = bytesLeft(cursor);
  if (surplus > 0) refuse(cursor, "gate/not-canonical", `The update has ${surplus} bytes too many`);
  const places = createPlaces(table, profile, context, limits);
  if (!rules.appendOnly) settleStructs(cursor, table, places);
  if (cursor.refusal) return cursor.refusal;
  return {
    ok: true,
    ranges: table.blocks.map(({ client, from, to }) => ({ client, from, to })),
    places: placeRuns(table, places),
    deletes,
    known: !deletes && table.blocks.every(isKnown),
  };
}

/** Tells whether the document has every struct of a block. */
function isKnown(block: Block): boolean {
  return block.to <= block.known;
}

/** Number of structs, client, clock, and a struct of two bytes: no block is shorter. */
const shortestBlock = 5;
/** An info byte and a length, or what follows a longer info byte. */
const shortestStruct = 2;

function readBlocks(scan: Scan): void {
  const { cursor } = scan;
  const count = readCount(cursor, shortestBlock);
  let structs = 0;
  for (let index = 0; index < count && !cursor.refusal; index++) structs += readBlock(scan, structs);
}

/** Reads the structs of one client and returns how many there are. */
function readBlock(scan: Scan, structsBefore: number): number {
  const { cursor, table, limits, options } = scan;
  const count = readCount(cursor, shortestStruct);
  const client = readClient(cursor);
  const from = readClock(cursor);
  const before = table.blocks.at(-1)?.client ?? Number.POSITIVE_INFINITY;
  if (count === 0) refuse(cursor, "gate/not-canonical", `The block of client ${client} is empty`);
  if (structsBefore + count > limits.structs) {
    refuse(cursor, "gate/too-many-structs", `More than ${limits.structs} structs in one update: send slices`);
  }
  if (client >= before) {
    refuse(cursor, "gate/not-canonical", `Client ${client} comes after client ${before}: clients descend`);
  }
  if (scan.rules.appendOnly && client !== options.client) {
    const why = `Client ${client} does not write this page: client ${options.client} does`;
    refuse(cursor, "gate/not-owner", why, { client, clock: from });
  }
  if (cursor.refusal) return 0;
  const known = options.context.clockOf(client);
  const firstStruct = table.clocks.length;
  const block: Block = { client, from, to: from, known, firstStruct, endStruct: firstStruct };
  table.blocks.push(block);
  if (from > known) refuseGap(cursor, client, known);
  for (let index = 0; index < count && !cursor.refusal; index++) readNextStruct(scan, block);
  if (from < known && block.to > known && options.overlap !== "allow") {
    const why = `Client ${client} is known up to ${known}: send what follows`;
    refuse(cursor, "gate/overlap", why, { client, clock: known });
  }
  return count;
}

function readNextStruct({ cursor, table, struct, rules, limits }: Scan, block: Block): void {
  const { client, to: clock } = block;
  readStruct(cursor, struct, rules, limits);
  block.to = clock + struct.length;
  if (block.to > maxClock) {
    refuse(cursor, "gate/bounds", `Client ${client} exceeds 31 bits of clock`, { client, clock });
  }
  if (rules.appendOnly) {
    if (!followsPrevious(struct, client, clock)) {
      const why = `The item ${clock} of client ${client} does not follow the one before it`;
      refuse(cursor, "gate/origin", why, { client, clock });
    }
    return;
  }
  if (refersAhead(struct, client, clock)) {
    const why = `The struct ${clock} of client ${client} refers to its own future`;
    refuse(cursor, "gate/origin", why, { client, clock });
  }
  addStruct(table, clock, struct);
}

/** Whether an item's origin is its client's previous clock; the first has none. */
function followsPrevious({ originClient, originClock }: Struct, client: number, clock: number): boolean {
  return clock === 0 ? originClient === none : originClient === client && originClock === clock - 1;
}

/** Whether a struct names an id of its own client that is not before it. */
function refersAhead(struct: Struct, client: number, clock: number): boolean {
  return (
    (struct.originClient === client && struct.originClock >= clock) ||
    (struct.rightClient === client && struct.rightClock >= clock) ||
    (struct.parentClient === client && struct.parentClock >= clock)
  );
}
