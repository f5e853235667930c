import * as encoding from "lib0/encoding";
import * as Y from "yjs";
import { concatBytes } from "../base/index.ts";

/** One struct of a decoded update. */
export type Struct = ReturnType<typeof Y.decodeUpdate>["structs"][number];

/** A struct as its bytes, to be written again. */
export interface Piece {
  client: number;
  clock: number;
  bytes: Uint8Array;
  /** What the update deletes of the struct itself. */
  deleted: DeletedRange[];
}

/** A run of deleted clocks. */
export interface DeletedRange {
  client: number;
  clock: number;
  len: number;
}

/** The structs in an order in which each follows those that it refers to; undefined where there is none. */
export function inOrder(structs: readonly Struct[]): Struct[] | undefined {
  const queues = new Map<number, { items: Struct[]; next: number }>();
  for (const struct of structs) {
    const queue = queues.get(struct.id.client) ?? { items: [], next: 0 };
    queues.set(struct.id.client, queue);
    queue.items.push(struct);
  }

  function headOf(client: number): Struct | undefined {
    const queue = queues.get(client);
    return queue?.items[queue.next];
  }

  /** The client whose next struct must come before this one. */
  function waitsFor(struct: Struct): number | undefined {
    if (!(struct instanceof Y.Item)) return undefined;
    const parent = struct.parent instanceof Y.ID ? struct.parent : null;
    for (const id of [struct.origin, struct.rightOrigin, parent]) {
      const head = id && headOf(id.client);
      if (id && head && head !== struct && id.clock >= head.id.clock && isHere(id)) return id.client;
    }
    return undefined;
  }

  function isHere({ client, clock }: Y.ID): boolean {
    const last = queues.get(client)?.items.at(-1);
    return last !== undefined && clock < last.id.clock + last.length;
  }

  const ordered: Struct[] = [];
  for (const client of queues.keys()) {
    const waiting = [client];
    for (let current = waiting.at(-1); current !== undefined; current = waiting.at(-1)) {
      const head = headOf(current);
      if (!head) {
        waiting.pop();
        continue;
      }
      const before = waitsFor(head);
      if (before === undefined) {
        ordered.push(head);
        (queues.get(current) as { next: number }).next++;
        // Whoever waits below looks again; the first client goes on to its end.
        if (waiting.length > 1) waiting.pop();
      } else if (waiting.includes(before)) {
        return undefined;
      } else {
        waiting.push(before);
      }
    }
  }
  return ordered;
}

/** The bytes of a struct, with what these ranges delete of it where it takes several clocks. */
export function pieceOf(struct: Struct, deleted: readonly { clock: number; len: number }[]): Piece {
  const encoder = new Y.UpdateEncoderV1();
  struct.write(encoder, 0);
  const { client, clock } = struct.id;
  return {
    client,
    clock,
    bytes: encoding.toUint8Array(encoder.restEncoder),
    deleted: struct.length > 1 ? within(client, clock, clock + struct.length, deleted) : [],
  };
}

/** The parts of ascending ranges that lie in `[from, to)`. */
function within(
  client: number,
  from: number,
  to: number,
  ranges: readonly { clock: number; len: number }[],
): DeletedRange[] {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle] as { clock: number; len: number };
    if (range.clock + range.len <= from) low = middle + 1;
    else high = middle;
  }
  const found: DeletedRange[] = [];
  for (let range = ranges[low]; range && range.clock < to; range = ranges[++low]) {
    const start = Math.max(from, range.clock);
    found.push({ client, clock: start, len: Math.min(to, range.clock + range.len) - start });
  }
  return found;
}

/** Writes an update in the V1 format: blocks by descending client, then deletions by descending client. */
export function encodeStructs(pieces: readonly Piece[], ranges: readonly DeletedRange[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const blocks = byDescendingClient(pieces);
  parts.push(encodeNumbers([blocks.length]));
  for (const [client, items] of blocks) {
    parts.push(
      encodeNumbers([items.length, client, items[0]?.clock ?? 0]),
      ...items.map(({ bytes }) => bytes),
    );
  }
  const deleted = byDescendingClient(ranges);
  parts.push(encodeNumbers([deleted.length]));
  for (const [client, items] of deleted) {
    parts.push(encodeNumbers([client, items.length, ...items.flatMap(({ clock, len }) => [clock, len])]));
  }
  return concatBytes(parts);
}

function byDescendingClient<T extends { client: number }>(items: readonly T[]): [number, T[]][] {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(item.client);
    if (group) group.push(item);
    else groups.set(item.client, [item]);
  }
  return [...groups].sort(([a], [b]) => b - a);
}

function encodeNumbers(numbers: readonly number[]): Uint8Array {
  const encoder = encoding.createEncoder();
  for (const number of numbers) encoding.writeVarUint(encoder, number);
  return encoding.toUint8Array(encoder);
}
