import { addStruct, type Block, createStructTable, type StructTable } from "./blocks.ts";
import { bytesLeft, type Cursor, createCursor, readCount, refuse, refuseGap } from "./cursor.ts";
import { readDeletes } from "./deletes.ts";
import { settleStructs } from "./order.ts";
import { kind, type ProfileRules, profileRules } from "./profiles.ts";
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
 * const context = { clockOf: () => 0, depthOf: () => 0 };
 * const verdict = scanUpdate(new Uint8Array([0, 0]), { profile: "shared", context });
 * verdict.ok && verdict.known; // true: there is nothing in it
 * ```
 */
export function scanUpdate(update: Uint8Array, options: GateOptions): GateVerdict {
  const cursor = createCursor(update);
  const limits = options.limits ? { ...gateLimits, ...options.limits } : gateLimits;
  const rules = profileRules[options.profile];
  const table = createStructTable();
  readBlocks({ cursor, table, struct: createStruct(), rules, limits, options });
  const deletes = readDeletes(cursor, table, rules, limits, options.context);
  if (bytesLeft(cursor) > 0)
    refuse(cursor, "gate/not-canonical", `The update has ${bytesLeft(cursor)} bytes too many`);
  const depths = rules.appendOnly ? [] : settleStructs(cursor, table, limits, options);
  if (cursor.refusal) return cursor.refusal;
  return {
    ok: true,
    ranges: table.blocks.map(({ client, from, to }) => ({ client, from, to })),
    depths,
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
  if (count === 0) refuse(cursor, "gate/not-canonical", `The block of client ${client} is empty`);
  if (structsBefore + count > limits.structs) {
    refuse(
      cursor,
      "gate/too-many-structs",
      `An update may have ${limits.structs} structs: send it in slices`,
    );
  }
  const before = table.blocks[table.blocks.length - 1];
  if (before && before.client <= client) {
    refuse(
      cursor,
      "gate/not-canonical",
      `Client ${client} comes after client ${before.client}: clients descend`,
    );
  }
  if (scan.rules.appendOnly && client !== options.client) {
    refuse(
      cursor,
      "gate/not-owner",
      `Client ${client} does not write this page: client ${options.client} does`,
      {
        client,
        clock: from,
      },
    );
  }
  if (cursor.refusal) return 0;
  const block: Block = {
    client,
    from,
    to: from,
    known: options.context.clockOf(client),
    firstStruct: table.clocks.length,
  };
  table.blocks.push(block);
  if (from > block.known) refuseGap(cursor, client, block.known);
  for (let index = 0; index < count && !cursor.refusal; index++) readNextStruct(scan, block);
  if (from < block.known && block.to > block.known) {
    refuse(cursor, "gate/overlap", `Client ${client} is known up to ${block.known}: send what follows`, {
      client,
      clock: block.known,
    });
  }
  return count;
}

function readNextStruct({ cursor, table, struct, rules, limits }: Scan, block: Block): void {
  const { client, to: clock } = block;
  readStruct(cursor, struct, rules, limits);
  const about = { client, clock };
  if (clock + struct.length > maxClock)
    refuse(cursor, "gate/bounds", `Client ${client} exceeds 31 bits of clock`, about);
  if (rules.appendOnly) {
    if (
      struct.originClient === none
        ? clock > 0
        : struct.originClient !== client || struct.originClock !== clock - 1
    ) {
      refuse(cursor, "gate/origin", `The item ${clock} does not follow its client's previous one`, about);
    }
  } else {
    if (refersAhead(struct, block)) {
      refuse(
        cursor,
        "gate/origin",
        `The struct ${clock} of client ${client} refers to its own future`,
        about,
      );
    }
    addStruct(table, clock, struct, struct.kind === kind.type);
  }
  block.to = clock + struct.length;
}

/** Whether a struct names an id of its own client that is not before it. */
function refersAhead(struct: Struct, { client, to: clock }: Block): boolean {
  return (
    (struct.originClient === client && struct.originClock >= clock) ||
    (struct.rightClient === client && struct.rightClock >= clock) ||
    (struct.parentClient === client && struct.parentClock >= clock)
  );
}
