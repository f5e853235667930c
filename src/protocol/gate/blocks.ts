import { kind } from "./profiles.ts";
import { none, type Struct } from "./structs.ts";

/** The structs of one client, and how far the document knows that client. */
export interface Block {
  client: number;
  from: number;
  to: number;
  /** The document's next clock of the client: clocks below it are known, the block's others are new. */
  known: number;
  /** Where its structs lie in the table: up to `endStruct`, exclusive. */
  firstStruct: number;
  endStruct: number;
}

/** What the references of all structs need: filled in reading order, asked in the order of integration. */
export interface StructTable {
  blocks: Block[];
  /** The first clock of each struct. */
  clocks: number[];
  /** Six numbers a struct: client and clock of its origin, right origin and parent. */
  ids: number[];
  /** What each struct is besides, in the bits of `flag`. */
  flags: number[];
  /** Three numbers a deleted range: client, first clock and the clock after it; clients descend, clocks ascend. */
  deleted: number[];
}

/** The bits of a struct's flags. */
export const flag = {
  /** Creates a shared type. */
  type: 1,
  /** Says itself that it lies under a key of a map. */
  keyed: 2,
  /** Holds content that is not deleted yet. */
  live: 4,
} as const;

/** Numbers in `ids` that one struct takes. */
export const idWidth = 6;

/** Creates a table without structs. */
export function createStructTable(): StructTable {
  return { blocks: [], clocks: [], ids: [], flags: [], deleted: [] };
}

/** Adds a struct to the last block. */
export function addStruct(table: StructTable, clock: number, struct: Struct): void {
  table.clocks.push(clock);
  table.ids.push(struct.originClient, struct.originClock, struct.rightClient, struct.rightClock);
  table.ids.push(struct.parentClient, struct.parentClock);
  const isLive = struct.kind !== kind.gc && struct.kind !== kind.deleted;
  const type = struct.kind === kind.type ? flag.type : 0;
  table.blocks.at(-1)!.endStruct++;
  table.flags.push(type | (struct.keyed ? flag.keyed : 0) | (isLive ? flag.live : 0));
}

/** The position of a client's block, or `none`: clients descend, so it is found by halves. */
export function findBlock({ blocks }: StructTable, client: number): number {
  let low = 0;
  let high = blocks.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = blocks[middle]!.client;
    if (found === client) return middle;
    if (found > client) low = middle + 1;
    else high = middle - 1;
  }
  return none;
}

/** The clock after a struct of a block. */
export function endOfStruct({ blocks, clocks }: StructTable, block: number, struct: number): number {
  const { to, endStruct } = blocks[block]!;
  return struct + 1 < endStruct ? clocks[struct + 1]! : to;
}

/** The struct of a block that covers a clock. */
export function findStruct(table: StructTable, block: number, clock: number): number {
  let low = table.blocks[block]!.firstStruct;
  let high = table.blocks[block]!.endStruct - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (table.clocks[middle]! <= clock) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Whether the update deletes every clock from `from` to `to` (exclusive) of a client, in one range. */
export function isDeleted({ deleted }: StructTable, client: number, from: number, to: number): boolean {
  let low = 0;
  let high = deleted.length / 3 - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const at = middle * 3;
    const isAfter = deleted[at] === client ? deleted[at + 2]! <= from : deleted[at]! > client;
    if (isAfter) low = middle + 1;
    else if (deleted[at] === client && deleted[at + 1]! <= from) return to <= deleted[at + 2]!;
    else high = middle - 1;
  }
  return false;
}
