import * as Y from "yjs";
import { readUpdateItems } from "../../../protocol/index.ts";

/** Whether another goes before this item, which was put at the very same place. */
function isStop(at: Y.Item, { id, origin, rightOrigin }: Y.Item): boolean {
  return (
    at.id.client >= id.client && Y.compareIDs(at.rightOrigin, rightOrigin) && Y.compareIDs(at.origin, origin)
  );
}

/**
 * How many items of a document Yjs passes to place those of an update, counted no further than just past `most`. New
 * items pass each other as well, which the gate's limit on structs bounds.
 */
export function walkCost(document: Y.Doc, update: Uint8Array, most: number): number {
  const items = readUpdateItems(document, update);
  let cost = 0;
  for (const item of items.structs) {
    if (!(item instanceof Y.Item)) continue;
    // Behind an item that is new there are new ones only.
    if (item.origin && !items.isKnown(item.origin)) continue;
    const end = items.rightEnd(item);
    const left = items.known(item.origin);
    // It lies within an item.
    if (left && left === end) continue;
    let at = left ? left.right : items.startOf(item);
    for (; at && at !== end && !isStop(at, item); at = at.right) if (++cost > most) return cost;
  }
  return cost;
}
