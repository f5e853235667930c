import * as Y from "yjs";
import { gateLimits } from "./gate/index.ts";
import { maxUpdateBytes } from "./limits.ts";
import { splitStruct } from "./split-struct.ts";
import { encodeStructs, inOrder, type Piece, pieceOf } from "./update-structs.ts";

export interface SliceLimits {
  /** Structs in one slice. */
  structs: number;
  /** Deleted ranges in one slice. */
  deleteRanges: number;
  /** Bytes of one slice; a single value may be longer. */
  bytes: number;
}

/** No struct with its share of the headers is shorter, so most updates need not be decoded. */
const shortestStructBytes = 2;
/** More than a block's or a deleted range's numbers take. */
const headerBytes = 24;

/**
 * Cuts an update at struct boundaries into updates within the limits (default: the gate's), each of which rests only on
 * those before it. A struct longer than that is split, unless it is one value. Deletions come last, once everything that
 * they name is there; that of a whole longer struct comes with it as well, because the gate takes several values under one key only as deleted ones.
 */
export function sliceUpdate(
  update: Uint8Array,
  {
    structs = gateLimits.structs,
    deleteRanges = gateLimits.deleteRanges,
    bytes = maxUpdateBytes,
  }: Partial<SliceLimits> = {},
): Uint8Array[] {
  if (update.length <= Math.min(structs, deleteRanges) * shortestStructBytes) return [update];
  const decoded = Y.decodeUpdate(update);
  const ranges = [...decoded.ds.clients].flatMap(([client, items]) =>
    items.map(({ clock, len }) => ({ client, clock, len })),
  );
  if (decoded.structs.length <= structs && ranges.length <= deleteRanges && update.length <= bytes)
    return [update];
  const ordered = inOrder(decoded.structs);
  // A circle is nothing that a document of ours can make; the gate says so to whoever sends it.
  if (!ordered) return [update];

  const slices: Uint8Array[] = [];
  let pieces: Piece[] = [];
  let held = 0;
  function close(): void {
    if (pieces.length > 0) {
      const deleted = pieces.flatMap((piece) => piece.deleted);
      slices.push(encodeStructs(pieces, deleted));
    }
    pieces = [];
    held = 0;
  }
  for (const struct of ordered.flatMap((each) => splitStruct(each, bytes - headerBytes))) {
    const piece = pieceOf(struct, decoded.ds.clients.get(struct.id.client) ?? []);
    if (!isWhole(piece, struct.length)) piece.deleted = [];
    const isNext = pieces.at(-1)?.client === piece.client;
    const taken = piece.bytes.length + (isNext ? 0 : headerBytes) + piece.deleted.length * headerBytes;
    if (pieces.length === structs || held + taken > bytes) close();
    pieces.push(piece);
    held += taken;
  }
  close();
  for (let from = 0; from < ranges.length; from += deleteRanges) {
    slices.push(encodeStructs([], ranges.slice(from, from + deleteRanges)));
  }
  return slices;
}

/** Whether the deletions of a piece are one range over all of it. */
function isWhole({ clock, deleted }: Piece, length: number): boolean {
  const [range] = deleted;
  return range !== undefined && range.clock === clock && range.len === length;
}
